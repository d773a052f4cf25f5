"""
Check the C{Host} that a request names.

A web page can have its own name lead to this machine, and then ask the gateway as if
it were that page's server.  The browser sends the page's name in C{Host}, so on a
port that only this machine can reach no foreign name is accepted.
"""

import re
from functools import lru_cache
from ipaddress import ip_address

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


def hostOf(header: bytes) -> str | None:
    """
    The host in the value of a C{Host} header, in lower case, without the port, the
    brackets of IPv6, and the dot at the end of a name.

    @return: C{None} if it is no host.
    """
    found = _HOST.fullmatch(header.decode("latin-1").strip())
    if found is None:
        return None
    host = found[1].lower()
    return host[1:-1] if host.startswith("[") else host.removesuffix(".") or None


@lru_cache(maxsize=256)
def isAllowed(header: bytes, allowed: tuple[str, ...]) -> bool:
    """
    May a request have this C{Host}?  An IP address can't be made to lead elsewhere,
    and C{localhost} leads here.

    @param allowed: The other names; C{*.example.com} is any below it.
    """
    host = hostOf(header)
    if host is None:
        return False
    if host == "localhost" or host.endswith(".localhost") or _isAddress(host):
        return True
    for pattern in allowed:
        name = pattern.lower()
        if host == name or (name.startswith("*.") and host.endswith(name[1:])):
            return True
    return False


def _isAddress(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
