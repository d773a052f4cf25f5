"""
The settings of a tool, under C{tools} of the configuration.
"""

from typing import Any, TypeVar

import msgspec

from openclaw.config.tools import ExecSettings, GrepSettings, WebFetchSettings
from openclaw.interfaces import ToolContext

T = TypeVar("T")


def settingsFor(context: ToolContext, kind: type[T]) -> T:
    """
    Return the settings of a tool: those of the configuration, validated already or a
    plain mapping, with defaults for the rest.

    @raise msgspec.ValidationError: They are not of that kind.
    """
    settings: Any = context.settings
    if isinstance(settings, kind):
        return settings
    return msgspec.convert({} if settings is None else settings, kind)


__all__ = ["ExecSettings", "GrepSettings", "WebFetchSettings", "settingsFor"]
