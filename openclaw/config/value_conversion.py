"""
One value of the file, made into what a key holds: a number, a secret, a path.
"""

import os
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin
from urllib.parse import urlsplit

import msgspec

from openclaw.config.findings import describe, expected
from openclaw.config.models import ModelRef
from openclaw.config.secret import Secret
from openclaw.config.value_types import (
    AgentID,
    BaseURL,
    Bind,
    HeaderName,
    Host,
    ProxyAddress,
)

_NAMED_BINDS = ("loopback", "lan", "custom")


class Unfit(Exception):
    """
    A value that its key can't take.  The text says why, and shows no secret.
    """


def convert(
    value: object,
    kind: Any,
    environ: Mapping[str, str],
    folder: Path,
    hidden: bool = False,
) -> Any:
    """
    Convert a value that is neither a mapping nor a list to what C{kind} stands for.

    @param value: Plain data; in strings the variables are already filled in.
    @param kind: The type of an attribute of a configuration Struct.
    @param environ: Says where home is.
    @param folder: What a relative path starts from.
    @param hidden: The value must not be shown.

    @raise Unfit: It can't be converted.
    """
    hidden = hidden or kind is Secret or kind is HeaderName
    if isinstance(value, str) and not _isUnicode(value):
        raise Unfit(f"expected {expected(kind)}, got a string that is no valid Unicode")
    if not _isText(kind):
        return _plain(value, kind, hidden)
    if not isinstance(value, str):
        hint = "; put it in quotes" if _wantsQuotes(value) else ""
        raise Unfit(f"expected {expected(kind)}, got {describe(value, hidden)}{hint}")
    if kind is Secret:
        return _secret(value)
    if kind is Path:
        return _path(value, environ, folder)
    if kind is ModelRef:
        return _reference(value, hidden)
    return _text(value, kind, hidden)


def expandHome(text: str, environ: Mapping[str, str]) -> Path:
    """
    A path, with C{~} at its beginning replaced.

    @param environ: Its C{HOME}, if any, is where C{~} is.

    @raise ValueError: Nobody knows where that home is.
    """
    home = environ.get("HOME")
    if home and (text == "~" or text.startswith("~/")):
        return Path(home + text[1:])
    if text.startswith("~"):
        text = os.path.expanduser(text)
        if text.startswith("~"):
            raise ValueError('the home directory that "~" stands for is unknown')
    return Path(text)


def _isText(kind: Any) -> bool:
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return kind in (str, Secret, Path, ModelRef)


def _wantsQuotes(value: object) -> bool:
    """
    Was this probably meant as text?  YAML reads C{no} as a boolean, C{12} as a number.
    """
    return value is not None and not isinstance(value, (list, dict))


def _isUnicode(text: str) -> bool:
    """
    JSON's escapes and the environment can give half of a surrogate pair, which can
    be written nowhere.
    """
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain(value: object, kind: Any, hidden: bool) -> Any:
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError:
        raise Unfit(
            f"expected {expected(kind)}, got {describe(value, hidden)}"
        ) from None


def _text(text: str, kind: Any, hidden: bool) -> str:
    unfit = Unfit(f"expected {expected(kind)}, got {describe(text, hidden)}")
    if kind is BaseURL:
        return _url(text)
    if kind is Host or (kind is Bind and text not in _NAMED_BINDS):
        if not _isAddress(text):
            raise unfit
        return text
    if kind is ProxyAddress and text != "unix" and not _isNetwork(text):
        raise unfit
    try:
        value: str = msgspec.convert(text, kind, strict=True)
    except msgspec.ValidationError:
        raise unfit from None
    return value.lower() if kind is AgentID else value


def _reference(text: str, hidden: bool) -> ModelRef:
    try:
        return ModelRef.parse(text)
    except ValueError as error:
        raise Unfit(f"{error}, got {describe(text, hidden)}") from None


def _secret(text: str) -> Secret:
    """
    Text that can't stand in an HTTP header would never be matched by a caller, or would
    break the request it is sent with.
    """
    if not text:
        raise Unfit("expected a string, got an empty one")
    if not text.isprintable():
        raise Unfit("has a line break or another character that can't be printed")
    if text != text.strip():
        raise Unfit("begins or ends with a blank")
    return Secret(text)


def _path(text: str, environ: Mapping[str, str], folder: Path) -> Path:
    if not text or "\0" in text:
        raise Unfit("expected a path, got an empty string or a NUL")
    try:
        return folder / expandHome(text, environ)
    except ValueError as error:
        raise Unfit(str(error)) from None


def _isAddress(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _isNetwork(text: str) -> bool:
    """
    Is this a network, or an address, but not all that there are?
    """
    try:
        return ip_network(text).prefixlen > 0
    except ValueError:
        return False


def _url(text: str) -> str:
    """
    The text is never shown: what looks wrong about it may be a password.
    """
    try:
        parts = urlsplit(text)
        hasHost = bool(parts.hostname) and parts.port != 0
    except ValueError:
        hasHost = False
    if not hasHost or parts.scheme not in ("http", "https") or text.split() != [text]:
        raise Unfit("expected an http or https URL, got another string")
    if parts.username is not None or parts.password is not None:
        raise Unfit("must not hold a user or a password; use apiKey or headers")
    if parts.query or parts.fragment:
        raise Unfit("must end with its path, without a query or a fragment")
    return text
