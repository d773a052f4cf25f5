"""
The tools that OpenClaw ships, registered as plug-ins.
"""

from openclaw.tools.exec_tool import ExecTool
from openclaw.tools.file_tools import EditTool, ListTool, ReadTool, WriteTool
from openclaw.tools.grep import GrepTool
from openclaw.tools.session_tools import SessionsHistoryTool, SessionsListTool
from openclaw.tools.web_fetch import WebFetchTool

read = ReadTool()
ls = ListTool()
grep = GrepTool()
write = WriteTool()
edit = EditTool()
execute = ExecTool()
webFetch = WebFetchTool()
sessionsList = SessionsListTool()
sessionsHistory = SessionsHistoryTool()
