# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of a domain, what the server says about it, and the calls that make it as wanted. Pure, no I/O."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Optional

from .._api.client import ApiError, ErrorKind
from .._api.reply import flag
from .._names import InputError, normalise_domain, unicode_domain

PRODUCTS = ("incoming", "outgoing", "archiving")
SMTP_PORT = 25

GET_PRODUCTS = "domain/getproducts"
GET_ROUTE = "domain/getroute"
GET_CONTACT = "domainadmincontact/get"

_BRACKETED = re.compile(r"\[([^\[\]]+)\](?:::?([0-9]{1,5}))?\Z")
_HOST_AND_PORT = re.compile(r"(.+?)(?:::?([0-9]{1,5}))?\Z", re.DOTALL)
_LOCAL_PART = re.compile(r"[^\s@\"(),:;<>\[\]\\\x00-\x1f\x7f]{1,64}\Z")


class Destination(NamedTuple):
    """A mail server that gets the filtered mail. host: ASCII name, or IP address."""

    host: str
    port: int

    def __str__(self) -> str:
        host = unicode_domain(self.host)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def wire(self) -> str:
        """The destination as a call sets it: one colon before the port, unlike on reading.

        https://github.com/sensson/python-spamexperts/blob/master/LIMITATIONS.md
        """
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == SMTP_PORT else f"{host}:{self.port}"


@dataclass(frozen=True)
class Domain:
    """A domain as it is, or as somebody wants it. What is None, or not in products, is not known, or not given."""

    name: str
    products: Mapping[str, bool] = field(default_factory=dict)
    destinations: Optional[tuple[Destination, ...]] = None
    abuse_contact: Optional[str] = None

    def __str__(self) -> str:
        return unicode_domain(self.name)

    def to_result(self) -> dict[str, Any]:
        """The domain as results show it."""
        routes = self.destinations
        local_part, at, domain = (self.abuse_contact or "").rpartition("@")
        return {
            "domain": str(self),
            "exists": True,
            "products": {name: self.products[name] for name in PRODUCTS if name in self.products},
            "destinations": None if routes is None else [str(destination) for destination in routes],
            "abuse_contact": None if self.abuse_contact is None else f"{local_part}{at}{unicode_domain(domain)}",
        }

    def given(self) -> dict[str, Any]:
        """Only what is given, for the diff of a new domain: the rest is up to the server."""
        return {name: value for name, value in self.to_result().items() if value not in (None, {})}

    def needs(self, call: str) -> bool:
        """Whether the part that this call reads is given."""
        parts = {GET_PRODUCTS: bool(self.products), GET_ROUTE: self.destinations is not None}
        return parts.get(call, self.abuse_contact is not None)

    def merged(self, wanted: Domain) -> Domain:
        """This domain with everything that is given in `wanted`."""
        return replace(
            self,
            products={**self.products, **wanted.products},
            destinations=self.destinations if wanted.destinations is None else wanted.destinations,
            abuse_contact=self.abuse_contact if wanted.abuse_contact is None else wanted.abuse_contact,
        )


class Step(NamedTuple):
    """One call that writes."""

    call: str
    parameters: list[tuple[str, str]]


def absent_result(name: str) -> dict[str, Any]:
    """A domain that is not in the account, as results show it."""
    return {"domain": unicode_domain(name), "exists": False}


# What the administrator wants


def parse_wanted_domain(params: Mapping[str, Any]) -> Domain:
    """The options of the module `domain`. Raises InputError that names everything that is wrong."""
    problems: list[str] = []
    name, contact = "", None
    destinations: Optional[list[Destination]] = None
    try:
        name = normalise_domain(params["domain"])
    except InputError as problem:
        problems.append(f"domain: {problem}")
    if params["destinations"] is not None:
        destinations = []
        for position, text in enumerate(params["destinations"]):
            try:
                destination = parse_destination(text)
            except InputError as problem:
                problems.append(f"destinations[{position}]: {problem}")
                continue
            if destination in destinations:
                problems.append(f"destinations[{position}]: {destination} is there twice; remove one")
            destinations.append(destination)
        if not params["destinations"]:
            problems.append("destinations is empty; leave it out to keep them as they are")
    if params["abuse_contact"] is not None:
        try:
            contact = normalise_contact(params["abuse_contact"])
        except InputError as problem:
            problems.append(f"abuse_contact: {problem}")
    if problems:
        raise InputError("; ".join(problems))
    products = {product: params[product] for product in PRODUCTS if params[product] is not None}
    return Domain(name, products, None if destinations is None else tuple(destinations), contact)


def parse_destination(text: object) -> Destination:
    """A destination as people write it, or as the API shows it (`host::25`). Raises InputError."""
    host, port = _split(str(text).strip())
    try:
        host = str(ipaddress.ip_address(host))
    except ValueError:
        try:
            host = normalise_domain(host)
        except InputError:
            raise InputError(
                f"{text!r} is not a mail server; give it as in mail.example.com, mail.example.com:2525 or 192.0.2.7"
            ) from None
    if not 1 <= port <= 65535:
        raise InputError(f"{text!r} has a port that cannot be; it must be from 1 to 65535")
    return Destination(host, port)


def _split(text: str) -> tuple[str, int]:
    """Host and port. An IPv6 address without brackets is a host as a whole; `::25` alone is a port without a host."""
    found = _BRACKETED.match(text) or _HOST_AND_PORT.match(text)
    if found is None or (_is_ipv6(text) and not text.startswith("::")):
        return text, SMTP_PORT
    return found[1], int(found[2]) if found[2] else SMTP_PORT


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def normalise_contact(text: object) -> str:
    """An address in lower case, its domain IDNA-encoded. Raises InputError."""
    local_part, _at, domain = str(text).strip().lower().rpartition("@")
    if not _LOCAL_PART.match(local_part):
        raise InputError(f"{text!r} is not an address; give it as in abuse@example.com")
    return f"{local_part}@{normalise_domain(domain)}"


# What the server says


def read_products(result: object) -> dict[str, bool]:
    """The answer of domain/getproducts. Raises ApiError for one that is not understood."""
    if not result:  # PHP encodes an empty object as an empty list
        return {}
    if not isinstance(result, Mapping):
        raise ApiError(
            ErrorKind.BAD_REPLY, f"{GET_PRODUCTS} did not answer with products; ask the provider what it means."
        )
    switches = {product: flag(result[product]) for product in PRODUCTS if product in result}
    return {product: switch for product, switch in switches.items() if switch is not None}


def read_destinations(result: object) -> tuple[Destination, ...]:
    """The answer of domain/getroute, a list such as ["mail.example.com::25"]. Raises ApiError."""
    if not result:
        return ()
    routes = list(result.values()) if isinstance(result, Mapping) else [result] if isinstance(result, str) else result
    if not isinstance(routes, list):
        raise ApiError(
            ErrorKind.BAD_REPLY,
            f"{GET_ROUTE} did not answer with a list of destinations; ask the provider what it means.",
        )
    return tuple(_read_destination(str(route)) for route in routes)


def _read_destination(text: str) -> Destination:
    try:
        return parse_destination(text)
    except InputError:  # the server may know a host that we would not accept, such as one without a dot
        return Destination(*_split(text.strip().lower()))


def read_contact(result: object) -> str:
    """The answer of domainadmincontact/get; empty where none is set."""
    text = result[0] if isinstance(result, list) and result else result
    if not isinstance(text, str):
        return ""
    try:
        return normalise_contact(text)
    except InputError:
        return text.strip().lower()


# What has to be done


def add_step(wanted: Domain) -> Step:
    """The call that adds the domain; without destinations, the server takes them from the domain's MX records."""
    parameters = [("domain", wanted.name)]
    if wanted.destinations is not None:
        parameters.append(("destinations", _wire(wanted.destinations)))
    return Step("domain/add", parameters)


def plan(current: Domain, wanted: Domain) -> list[Step]:
    """The calls that bring a domain that exists to the wanted state; none when it is there.

    The order of destinations counts: the filter tries the first one first, and the next when that has a temporary
    problem (http://help.comodo.com/topic-157-1-288-3208-Destination-Routes.html, the same filter under another name).
    """
    target = current.merged(wanted)
    steps = []
    if target.products != current.products:
        # The products that are not given are sent as they were read, so that the call cannot switch them.
        flags = [(name, str(int(target.products[name]))) for name in PRODUCTS if name in target.products]
        steps.append(Step("domain/setproducts", [("domain", wanted.name), *flags]))
    if target.destinations is not None and target.destinations != current.destinations:
        steps.append(Step("domain/edit", [("domain", wanted.name), ("destinations", _wire(target.destinations))]))
    if target.abuse_contact is not None and target.abuse_contact != current.abuse_contact:
        steps.append(Step("domainadmincontact/set", [("domain", wanted.name), ("email", target.abuse_contact)]))
    return steps


def _wire(destinations: tuple[Destination, ...]) -> str:
    return json.dumps([destination.wire() for destination in destinations], separators=(",", ":"))
