"""
Convert single values of the file: a number, a secret, a path.
"""

import os
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin
from urllib.parse import urlsplit

import msgspec

from openclaw.config.findings import describeType, describeValue
from openclaw.config.models import ModelRef
from openclaw.config.secret import Secret
from openclaw.config.value_types import (
    NO_PROXY,
    AgentID,
    BaseURL,
    Bind,
    HeaderName,
    Host,
    ProxyAddress,
    ProxyURL,
)

_NAMED_BINDS = ("loopback", "lan", "custom")


class ConversionError(Exception):
    """
    A value that its key can't take.  The text gives the reason, and shows no secret.
    """


def convert(
    value: object,
    kind: Any,
    environ: Mapping[str, str],
    folder: Path,
    hidden: bool = False,
) -> Any:
    """
    Convert a value that is neither a mapping nor a list.

    @param value: Plain data; variables in strings are already replaced.
    @param kind: The type of a field of a configuration Struct.
    @param environ: The environment, for the home directory.
    @param folder: The base of relative paths.
    @param hidden: Don't show the value in errors.

    @raise Unfit: The value can't be converted.
    """
    hidden = hidden or kind in (Secret, ProxyURL, HeaderName)
    if isinstance(value, str) and not _isUnicode(value):
        raise ConversionError(
            f"expected {describeType(kind)}, got a string that is not valid Unicode"
        )
    if not _isTextType(kind):
        return _convertPlain(value, kind, hidden)
    if not isinstance(value, str):
        hint = "; put it in quotes" if _needsQuotes(value) else ""
        raise ConversionError(
            f"expected {describeType(kind)}, got {describeValue(value, hidden)}{hint}"
        )
    if kind is Secret:
        return _convertSecret(value)
    if kind is ProxyURL:
        return _convertProxy(value)
    if kind is Path:
        return _convertPath(value, environ, folder)
    if kind is ModelRef:
        return _convertReference(value, hidden)
    return _convertText(value, kind, hidden)


def expandHome(text: str, environ: Mapping[str, str]) -> Path:
    """
    Replace C{~} at the beginning of a path.

    @param environ: The environment; its C{HOME} is used first.

    @raise ValueError: The home directory is unknown.
    """
    home = environ.get("HOME")
    if home and (text == "~" or text.startswith("~/")):
        return Path(home + text[1:])
    if text.startswith("~"):
        text = os.path.expanduser(text)
        if text.startswith("~"):
            raise ValueError('the home directory that "~" stands for is unknown')
    return Path(text)


def _isTextType(kind: Any) -> bool:
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return kind in (str, Secret, Path, ModelRef)


def _needsQuotes(value: object) -> bool:
    """
    Return whether this was probably meant as text: YAML reads C{no} as a boolean, C{12}
    as a number.
    """
    return value is not None and not isinstance(value, (list, dict))


def _isUnicode(text: str) -> bool:
    """
    Return whether the text can be encoded.  JSON's escapes and the environment can
    yield half of a surrogate pair.
    """
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _convertPlain(value: object, kind: Any, hidden: bool) -> Any:
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError:
        raise ConversionError(
            f"expected {describeType(kind)}, got {describeValue(value, hidden)}"
        ) from None


def _convertText(text: str, kind: Any, hidden: bool) -> str:
    error = ConversionError(
        f"expected {describeType(kind)}, got {describeValue(text, hidden)}"
    )
    if kind is BaseURL:
        return _checkURL(text)
    if kind is Host or (kind is Bind and text not in _NAMED_BINDS):
        if not _isAddress(text):
            raise error
        return text
    if kind is ProxyAddress and text != "unix" and not _isNetwork(text):
        raise error
    try:
        value: str = msgspec.convert(text, kind, strict=True)
    except msgspec.ValidationError:
        raise error from None
    return value.lower() if kind is AgentID else value


def _convertReference(text: str, hidden: bool) -> ModelRef:
    try:
        return ModelRef.parse(text)
    except ValueError as error:
        raise ConversionError(f"{error}, got {describeValue(text, hidden)}") from None


def _convertSecret(text: str) -> Secret:
    """
    Reject text that can't be the value of an HTTP header: it would never match, or
    would break the request that it is sent with.
    """
    if not text:
        raise ConversionError("expected a string, got an empty one")
    if not text.isprintable():
        raise ConversionError("contains a line break or another unprintable character")
    if text != text.strip():
        raise ConversionError("begins or ends with a blank")
    return Secret(text)


def _convertProxy(text: str) -> Secret:
    """
    Check the URL of a proxy.  The text is never shown, since it may hold a password.
    """
    if text != NO_PROXY:
        try:
            parts = urlsplit(text)
            isValid = bool(parts.hostname) and parts.port != 0
        except ValueError:
            isValid = False
        if (
            not isValid
            or parts.scheme not in ("http", "https")
            or parts.path not in ("", "/")
            or parts.query
            or parts.fragment
            or text.split() != [text]
            or not text.isascii()
        ):
            raise ConversionError(f"expected {describeType(ProxyURL)}")
    return Secret(text)


def _convertPath(text: str, environ: Mapping[str, str], folder: Path) -> Path:
    if not text or "\0" in text:
        raise ConversionError("expected a path, got an empty string or a NUL")
    try:
        return folder / expandHome(text, environ)
    except ValueError as error:
        raise ConversionError(str(error)) from None


def _isAddress(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _isNetwork(text: str) -> bool:
    """
    Return whether this is an address or a network, but not the network of all
    addresses.
    """
    try:
        return ip_network(text).prefixlen > 0
    except ValueError:
        return False


def _checkURL(text: str) -> str:
    """
    Check a base URL.  The text is never shown, since it may hold a password.
    """
    try:
        parts = urlsplit(text)
        hasHost = bool(parts.hostname) and parts.port != 0
    except ValueError:
        hasHost = False
    if not hasHost or parts.scheme not in ("http", "https") or text.split() != [text]:
        raise ConversionError("expected an http or https URL, got another string")
    if parts.username is not None or parts.password is not None:
        raise ConversionError(
            "must not contain a user or a password; use apiKey or headers"
        )
    if parts.query or parts.fragment:
        raise ConversionError("must not have a query or a fragment")
    return text
