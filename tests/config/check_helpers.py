"""
Helpers that check plain data.
"""

from pathlib import Path

from openclaw.config.checking import examine, raiseErrors
from openclaw.errors import ConfigError

FOLDER = Path("/srv/config")
ENVIRON = {"HOME": "/home/claw"}


def check(data, environ, folder=FOLDER, origin="the configuration"):
    """
    Return the configuration of the data and its warnings, or raise the error.
    """
    config, findings = examine(data, environ, folder)
    raiseErrors(findings, origin)
    return config, tuple(findings.warnings)


def configOf(data, **environ):
    """
    Return the configuration of the data.
    """
    return check(data, {**ENVIRON, **environ}, FOLDER)[0]


def warningsOf(data, **environ):
    """
    Return the warnings about the data.
    """
    return list(check(data, {**ENVIRON, **environ}, FOLDER)[1])


def faultsOf(data, **environ):
    """
    Return the errors in the data, which must have one.
    """
    try:
        check(data, {**ENVIRON, **environ}, FOLDER)
    except ConfigError as error:
        return list(error.errors)
    raise AssertionError("no fault was found")


def at(path, value):
    """
    Return a mapping with only a value at a path such as C{gateway.port}.
    """
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def merged(*mappings):
    """
    Merge mappings, at every depth.
    """
    result = {}
    for mapping in mappings:
        for key, value in mapping.items():
            if isinstance(value, dict) and isinstance(result.get(key), dict):
                value = merged(result[key], value)
            result[key] = value
    return result
