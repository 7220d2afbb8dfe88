# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of domains, users and networks, brought into the form in which the emulator stores them."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Union

import idna

from .replies import RefusedError

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

_LOCAL_PART = re.compile(r"[^\s/@\x00-\x1f\x7f]+")


@lru_cache(maxsize=65536)
def ascii_domain(text: str) -> str:
    """The lower-case ASCII (Punycode) form of a domain; raises RefusedError for what is none."""
    try:
        name = idna.encode(text, uts46=True).decode("ascii").lower()
    except idna.IDNAError:
        name = ""
    if "." not in name.strip("."):
        raise RefusedError(f"The domain name '{text}' is incorrect")
    return name


@lru_cache(maxsize=65536)
def unicode_domain(name: str) -> str:
    """The form that the vendor's messages show: clients send Punycode and get Unicode back."""
    try:
        return idna.decode(name)
    except idna.IDNAError:
        return name


def local_part(text: str) -> str:
    """The stored form of a user name: lower-case, at most 64 characters, without a domain."""
    if len(text) > 64:
        raise RefusedError("The username may not be longer than 64 characters")
    if not _LOCAL_PART.fullmatch(text):
        raise RefusedError(f"The username '{text}' is incorrect")
    return text.lower()


def network(address: str, mask: str | None = None) -> Network:
    """The network of an `addip` call; host bits are cleared, as nothing is known about the vendor's answer to them."""
    try:
        host = ipaddress.ip_address(address)
        prefix = host.max_prefixlen if mask is None else int(mask)
        if not 1 <= prefix <= host.max_prefixlen:
            raise ValueError(prefix)
    except ValueError:
        raise RefusedError("The IP address or its mask is incorrect") from None
    return ipaddress.ip_network(f"{host}/{prefix}", strict=False)


def network_text(value: Network) -> str:
    """The stored text of a network: a single host has no mask."""
    return str(value.network_address) if value.prefixlen == value.max_prefixlen else str(value)


class Networks:
    """Which outgoing user owns which network; look-ups do not get slower with the number of hosts."""

    def __init__(self) -> None:
        self._owners: dict[tuple[int, int], dict[int, tuple[str, str]]] = {}

    def add(self, value: Network, owner: tuple[str, str]) -> None:
        owners = self._owners.setdefault((value.version, value.prefixlen), {})
        owners[int(value.network_address)] = owner

    def remove(self, value: Network) -> None:
        self._owners.get((value.version, value.prefixlen), {}).pop(int(value.network_address), None)

    def containing(self, value: Network) -> tuple[str, str] | None:
        """The owner of the narrowest stored network that contains this one."""
        for prefix in sorted((p for v, p in self._owners if v == value.version and p <= value.prefixlen), reverse=True):
            start = int(value.supernet(new_prefix=prefix).network_address)
            owner = self._owners[value.version, prefix].get(start)
            if owner:
                return owner
        return None

    def overlapping(self, value: Network) -> tuple[str, str] | None:
        """The owner of a stored network that shares an address with this one."""
        first, last = int(value.network_address), int(value.broadcast_address)
        for (version, prefix), owners in self._owners.items():
            if version == value.version and prefix > value.prefixlen:
                for start, owner in owners.items():
                    if first <= start <= last:
                        return owner
        return self.containing(value)
