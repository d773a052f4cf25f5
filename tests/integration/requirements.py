"""
Requirements of some tests beyond the Python packages.
"""

from shutil import which

from openclaw.errors import ModelUnavailable
from openclaw.models.local.weights import Weights


def missingProgram(*names: str) -> str | None:
    """
    Return the reason to skip tests that need these programs; C{None} if all exist.
    """
    missing = [name for name in names if which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def missingModel() -> str | None:
    """
    Return the reason to skip tests that need the embedded model; C{None} if it is
    installed.
    """
    try:
        Weights(modelPath=None).path()
    except ModelUnavailable as error:
        return error.message
    return None


__all__ = ["missingModel", "missingProgram"]
