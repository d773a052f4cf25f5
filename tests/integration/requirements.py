"""
Requirements of some tests beyond the Python packages that are always there.
"""

from shutil import which

from openclaw.errors import ModelUnavailable
from openclaw.models.local.weights import Weights


def missingProgram(*names: str) -> str | None:
    """
    Why tests that need these programs are skipped; C{None} if all are there.
    """
    missing = [name for name in names if which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def missingModel() -> str | None:
    """
    Why tests that need the embedded model are skipped; C{None} if it is there.
    """
    try:
        Weights(modelPath=None).path()
    except ModelUnavailable as error:
        return error.message
    return None


__all__ = ["missingModel", "missingProgram"]
