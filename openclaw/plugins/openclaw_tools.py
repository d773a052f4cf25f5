"""
Our own tools.
"""

from openclaw.tools.exec import ExecTool
from openclaw.tools.files import EditTool, ListTool, ReadTool, WriteTool
from openclaw.tools.search import GrepTool
from openclaw.tools.sessions import SessionsHistoryTool, SessionsListTool
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

__all__ = [
    "edit",
    "execute",
    "grep",
    "ls",
    "read",
    "sessionsHistory",
    "sessionsList",
    "webFetch",
    "write",
]
