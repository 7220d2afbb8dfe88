# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Domains, hosts, networks and addresses as they are written, and the error for one that cannot be. Pure, no I/O."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Any, Optional

try:
    import idna  # comes with requests
except ImportError:
    idna = None  # type: ignore[assignment]  # only names outside ASCII need it, and say so

#: What can stand between the brackets of MAIL FROM without the extension SMTPUTF8.
ENVELOPE_SENDER = re.compile(r"[!-;=?-~]+@[!-;=?A-~]+\Z")

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)\Z")
# Python's own codec makes another domain of these than registries do: strasse of straße.
_AMBIGUOUS = frozenset("ßς\u200c\u200d")
#: How TLS begins: with the command STARTTLS, or before the first word, as RFC 8314 prefers it.
STARTTLS, IMPLICIT = "starttls", "implicit"
IMPLICIT_TLS_PORT = 465
#: Between mail servers; providers keep their customers' hosts from using it.
RELAY_PORT = 25


class InputError(ValueError):
    """An option's value that cannot be; the message is one sentence for the administrator."""

    code = "invalid_options"


def normalise_domain(text: object) -> str:
    """A domain as the API wants it: lower case, without a final dot, IDNA-encoded."""
    return _normalise_domain(str(text or ""))


@lru_cache(maxsize=1024)  # thousands of users have few domains
def _normalise_domain(text: str) -> str:
    domain = text.strip().lower().rstrip(".")
    if not domain:
        raise InputError("the domain is empty; give it as in example.com")
    if not domain.isascii():
        if idna is None:
            raise InputError(f"{text!r} needs the Python package idna; install it, or write the name in its xn-- form")
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            raise InputError(f"{text!r} is not a domain name that can be written in IDNA; correct it") from None
    labels = domain.split(".")
    if len(labels) < 2 or len(domain) > 253 or not all(_LABEL.match(label) for label in labels):
        raise InputError(f"{text!r} is not a domain name; give it as in example.com")
    return domain


def is_ambiguous(name: str) -> bool:
    """Whether the ASCII form of a domain depends on who is asked."""
    return bool(_AMBIGUOUS & set(name))


def ascii_name(name: str) -> str:
    """A domain in its ASCII form, by the standard library alone; empty where it has none."""
    try:
        return name.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""


def is_host_name(text: str) -> bool:
    """Whether the text, in ASCII, can be the name of a host."""
    return len(text) <= 253 and all(_LABEL.match(label.lower()) for label in text.split("."))


def host_name(text: str, option: str = "smarthost") -> str:
    """The host that an option names, as every program takes it: a name in small ASCII letters, or an address.

    It needs the standard library only, as mail servers have no `idna`. Raises InputError.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    if address is not None and "%" not in text:
        return str(address)
    if is_ambiguous(text):
        raise InputError(f"{option}: write {text!r} in its xn-- form")
    name = ascii_name(text)
    # No top-level domain is a number: that is an address with a mistake in it.
    if not is_host_name(name) or name.rpartition(".")[2].isdigit():
        raise InputError(f"{option}: {text!r} is neither a host name nor an IP address (without brackets and port)")
    return name


def port_number(number: int, option: str = "smarthost_port") -> int:
    """The port that an option names. Raises InputError."""
    if not 1 <= number <= 65535:
        raise InputError(f"{option}: {number} is not a port; it must be from 1 to 65535")
    return number


def begins_with_tls(port: int, given: Optional[str]) -> bool:
    """Whether TLS comes before the first word: the port decides, else what `smarthost_tls` says. Raises InputError."""
    if port == IMPLICIT_TLS_PORT and given == STARTTLS:
        raise InputError(
            f"smarthost_tls: port {port} is for TLS from the first byte, and not for STARTTLS; leave smarthost_tls "
            "out, or give the smarthost's port for STARTTLS, usually 587, in smarthost_port"
        )
    return port == IMPLICIT_TLS_PORT or given == IMPLICIT


def port_warnings(port: int, option: str = "smarthost_port") -> list[str]:
    """What is to be said of a port that is possible."""
    if port != RELAY_PORT:
        return []
    return [
        f"{option}: {port} is for mail between servers, and most providers block it for their customers' hosts; "
        "use 587, or 465, where the smarthost has them."
    ]


def unicode_domain(domain: str) -> str:
    """The domain as people write it."""
    if "xn--" not in domain or idna is None:
        return domain
    try:
        return str(idna.decode(domain))
    except (idna.IDNAError, UnicodeError):
        return domain


#: RFC 4291, section 2.5.5.2.
_IPV4_AS_IPV6 = ipaddress.IPv6Network("::ffff:0:0/96")


def normalise_network(text: object) -> str:
    """An address or a network in its shortest form, so that 1.2.3.4 and 1.2.3.4/32 are the same text."""
    given = str(text or "").strip()
    if "%" in given:
        raise InputError(f"{given!r} is an address that only one host understands; give one without %")
    try:
        network = ipaddress.ip_network(given)
    except ValueError:
        try:
            network = ipaddress.ip_network(given, strict=False)
        except ValueError:
            raise InputError(
                f"{given!r} is not an IP address or network; give it as in 192.0.2.7, 192.0.2.0/28 or 2001:db8::/64"
            ) from None
        raise InputError(f"{given!r} is an address inside a network; write {network}, or the address alone") from None
    if network.version == 6 and network.subnet_of(_IPV4_AS_IPV6):  # a second name of a sender, by each Python another
        address = ipaddress.IPv4Address(int(network.network_address) & 0xFFFFFFFF)
        length = "" if network.prefixlen == 128 else f"/{network.prefixlen - 96}"
        raise InputError(f"{given!r} is IPv4 that is written as IPv6; write {address}{length}")
    if network.network_address.is_multicast or network.network_address.is_unspecified:  # 0.0.0.0/0 as well
        raise InputError(f"{given!r} cannot be the address of a sender; name the hosts that really send")
    if network.prefixlen == network.max_prefixlen:
        return str(network.network_address)
    return str(network)


#: Where no sender comes from that a filter in the internet sees. Documentation's are left out: examples use them.
#: https://www.iana.org/assignments/iana-ipv4-special-registry
_NOT_IN_THE_INTERNET = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "240.0.0.0/4",
)
#: RFC 4291, section 2.4, and https://www.iana.org/assignments/ipv6-address-space: nothing else is given out.
_INTERNET_6 = "2000::/3"
#: By IP version, the most that one customer has as a rule.
_WIDEST_PREFIX = {4: 24, 6: 48}


def check_sender_network(text: str, *, allow_private: bool, allow_wide: bool) -> None:
    """Raise InputError for a network from which nobody is likely to send. text: as normalise_network gives it.

    allow_private: a filter in the internet is not the only one that may see it. allow_wide: as many hosts are meant.
    """
    network: Any = ipaddress.ip_network(text)
    if network.version == 4:
        unseen = any(network.subnet_of(ipaddress.IPv4Network(special)) for special in _NOT_IN_THE_INTERNET)
    else:
        unseen = not network.subnet_of(ipaddress.IPv6Network(_INTERNET_6))
    if unseen and not allow_private:
        raise InputError(
            f"no filter in the internet sees a sender come from {text}; give the address that it has there, or set "
            "allow_private_address: true if the filter stands in your own network"
        )
    widest = _WIDEST_PREFIX[network.version]
    if network.prefixlen < widest and not allow_wide:
        raise InputError(
            f"{text} is wider than /{widest}, and whoever gets onto any host in it could send; name the hosts that "
            "really send, or set allow_wide_network: true if all of them are meant"
        )


def is_network(username: str) -> bool:
    """Whether this username is the network text of an IP user."""
    if not username or not (username[0].isdigit() or ":" in username):
        return False
    try:
        ipaddress.ip_network(username, strict=False)
    except ValueError:
        return False
    return True
