"""Which names the page goes by, and which sites may ask for it: none but itself.

Any site can have its own name point to this machine (DNS rebinding); its requests then name another Host. Any site can have a
browser send requests here; they name another Origin.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from starlette.types import Scope

from vreid_common.browse.refusal import Refusal

__all__ = ["Hosts"]


class Hosts:
    """The names of a page that is served on an address.

    They are those of the loopback, the address or name itself, the address that a connection came to, as that is no name that
    could point elsewhere, and, served on all of the machine's addresses, the machine's own name.

    Args:
        address: what ``--host`` says.
    """

    def __init__(self, address: str) -> None:
        self._names = {"localhost", address.lower()}
        parsed = _address(address)
        if parsed is not None and parsed.is_unspecified:
            own = socket.gethostname().lower()
            short = own.partition(".")[0]
            self._names |= {own, short, f"{short}.local", socket.getfqdn().lower()}

    def check(self, scope: Scope) -> None:
        """
        Raises:
            Refusal: the page goes by another name, or another site has a browser ask.
        """
        headers = dict(scope["headers"])
        hosts = [value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"host"]
        host = hosts[0] if len(hosts) == 1 else ""
        if not self._is_own(_hostname(host), scope):
            raise Refusal(403, "This page does not go by that name: open the address that vreid browse printed.")
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1").lower() not in (f"http://{host}", f"https://{host}"):
            raise Refusal(403, "Another site's requests are not answered.")
        navigates = headers.get(b"sec-fetch-mode") == b"navigate" and scope["path"] == "/" and scope["method"] == "GET"
        if headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin") and not navigates:
            raise Refusal(403, "Another site's requests are not answered.")

    def _is_own(self, name: str, scope: Scope) -> bool:
        address = _address(name)
        if address is None:
            return name in self._names
        reached = (scope.get("server") or ("", 0))[0]
        return address.is_loopback or name in self._names or address == _address(reached)


def _hostname(host: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address  # what comes to an IPv4 address of a socket that takes both
