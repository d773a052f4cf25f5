"""
Pydoctor's system for our reference (C{make docs}): it knows the names of Twisted and of
Python without asking the network for their inventories.
"""

import re
from typing import Any

from pydoctor import model
from pydoctor.sphinx import SphinxInventory

INTERFACE = re.compile(r"(?:twisted|zope|klein)\.(?:\w+\.)*I[A-Z]\w+")
PAGES = {
    "twisted": "https://docs.twisted.org/en/stable/api/{module}.html",
    "prometheus_client": "https://prometheus.github.io/client_python/",
}
PYTHON = "https://docs.python.org/3/library/{package}.html"


class Inventory(SphinxInventory):
    """
    Links to the pages of other projects, by the names of their modules.
    """

    def getLink(self, name: str) -> str | None:
        """
        Return the page of a name, or C{None} for ours.
        """
        package = name.partition(".")[0]
        if package == "openclaw":
            return None
        lower = [part for part in name.split(".") if not part[:1].isupper()]
        return PAGES.get(package, PYTHON).format(
            package=package, module=".".join(lower)
        )


class System(model.System):
    """
    The package, with interfaces that extend those of other projects.
    """

    def __init__(self, options: model.Options | None = None) -> None:
        super().__init__(options)
        self.intersphinx = Inventory(self.msg)

    def msg(self, section: str, msg: str, *args: Any, **options: Any) -> None:
        """
        Print a message, but for the one on patterns: pydoctor takes the strings in an
        C{Annotated} for names of types.
        """
        if "syntax error in annotation: unexpected character after line" not in msg:
            super().msg(section, msg, *args, **options)

    def postProcess(self) -> None:
        """
        Recognise interfaces before their implementers are looked at.
        """
        changed = True
        while changed:
            changed = False
            for each in self.objectsOfType(model.Class):
                bases = each.bases
                known = (self.objForFullName(name) for name in bases)
                if not getattr(each, "isinterface", True) and (
                    any(map(INTERFACE.fullmatch, bases))
                    or any(getattr(base, "isinterface", False) for base in known)
                ):
                    each.isinterface = changed = True  # type: ignore[attr-defined]
                    each.implementedby_directly = []  # type: ignore[attr-defined]
        super().postProcess()
