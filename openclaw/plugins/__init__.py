"""
The package in which C{twisted.plugin} finds tools, model providers and other plug-ins.

Other distributions put modules into a directory C{openclaw/plugins}, without an
C{__init__.py}, anywhere on C{sys.path}; see L{twisted.plugin}.
"""

from twisted.plugin import pluginPackagePaths

__path__.extend(pluginPackagePaths(__name__))
__all__: list[str] = []
