"""
The plug-ins of this distribution for OpenClaw, by their names.

Twisted imports this module whenever it makes its list of plug-ins, so it should load
fast, and its name must be unlike that of anybody else's.
"""

from openclaw_example.disk import DiskSpaceTool

from openclaw.models.provider_maker import HTTPProviderMaker

diskSpace = DiskSpaceTool()

# Names the dialect instead of importing it: only those who configure it need it.
azure = HTTPProviderMaker("azure-openai", "openclaw_example.azure.AzureOpenAI")
