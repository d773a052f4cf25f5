"""
Check the C{Host} header, against DNS rebinding.

A web page can make its own host name resolve to this machine, and then call the gateway
as its own server. The browser sends the page's host name in C{Host}, so unknown names
are rejected on ports that only this machine can reach.
"""

import re
from functools import lru_cache
from ipaddress import ip_address

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


def parseHost(header: bytes) -> str | None:
    """
    Parse the value of a C{Host} header.

    @return: The host in lower case, without port, brackets of IPv6 and trailing dot;
        C{None} if it is not valid.
    """
    found = _HOST.fullmatch(header.decode("latin-1").strip())
    if found is None:
        return None
    host = found[1].lower()
    return host[1:-1] if host.startswith("[") else host.removesuffix(".") or None


@lru_cache(maxsize=256)
def isHostAllowed(header: bytes, allowed: tuple[str, ...]) -> bool:
    """
    Return whether a request may have this C{Host}. IP addresses and C{localhost} are
    always allowed: they can't be made to resolve elsewhere.

    @param allowed: Other host names; C{*.example.com} allows all subdomains.
    """
    host = parseHost(header)
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
