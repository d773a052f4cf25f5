"""
The test case of the tools for files.
"""

from openclaw.tools.file_tools import (
    EditTool,
    ListTool,
    ReadTool,
    WriteTool,
)
from tests.tools.tool_case import ToolTestCase


class FileToolTestCase(ToolTestCase):
    def read(self, path, **more):
        """
        Call C{read}.
        """
        return ReadTool().run({"path": path, **more}, self.context())

    def write(self, path, content, **how):
        """
        Call C{write}.
        """
        arguments = {"path": path, "content": content}
        return WriteTool(**how).run(arguments, self.context())

    def edit(self, path, old, new, **more):
        """
        Call C{edit}.
        """
        arguments = {"path": path, "oldText": old, "newText": new, **more}
        return EditTool().run(arguments, self.context())

    def ls(self, **arguments):
        """
        Call C{ls}.
        """
        return ListTool().run(arguments, self.context())
