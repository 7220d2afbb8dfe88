# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API methods as data: which call does which operation on this server, and where that knowledge is from.

Only three calls about outgoing users are documented in public. Every other operation is either given by the
administrator (`api_methods`), or found on the server's own help page, or not offered. A write is never guessed.
"""

from __future__ import annotations

import enum
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, Optional
from urllib.parse import unquote

from .._names import InputError
from .user import AUTHENTICATIONS, INHERIT, LIMIT_NAMES, LOCK_SETTINGS, Value

LIST = "list"
ADD = "add"
ADD_IP = "add_ip"
REMOVE = "remove"
SET_PASSWORD = "set_password"  # noqa: S105 - the name of an operation
SET_LIMITS = "set_limits"
SET_SETTINGS = "set_settings"
LOCK = "lock"
UNLOCK = "unlock"
OPERATIONS = (LIST, ADD, ADD_IP, REMOVE, SET_PASSWORD, SET_LIMITS, SET_SETTINGS, LOCK, UNLOCK)

#: The arguments that say which user is meant.
ADDRESS = ("domain", "username")
_ATTRIBUTES = {
    SET_LIMITS: ("enabled", *LIMIT_NAMES),
    SET_SETTINGS: LOCK_SETTINGS,
}
#: What an operation cannot do without. The domain user has no username, so one is sent only where it is set.
_REQUIRED = {
    LIST: (),
    ADD: ("domain", "username", "password"),
    ADD_IP: ("domain", "ip"),
    SET_PASSWORD: (*ADDRESS, "password"),
}
#: What an operation may be told besides.
_OPTIONAL = {LIST: ADDRESS, ADD_IP: ("mask",), **_ATTRIBUTES}
#: What `values` may translate.
_WORDS = ("true", "false", INHERIT, *AUTHENTICATIONS)
_CALL = re.compile(r"[a-z][a-z0-9_]*/[a-z][a-z0-9_]*\Z")
_WIRE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*\Z")
_LINK = re.compile(r"/api/([a-z][a-z0-9_]*)/([a-z][a-z0-9_]*)((?:/[^\s\"'<>/?#]+/[^\s\"'<>/?#]+)*)", re.IGNORECASE)


class Source(enum.Enum):
    """Where the knowledge about a method is from."""

    GIVEN = "given"
    DOCUMENTED = "documented"
    DISCOVERED = "discovered"
    PROPOSED = "proposed"
    MISSING = "missing"


class MethodError(ValueError):
    """This server does not offer what a task needs, or not so, or must not be told it; one sentence.

    code: for programs, as in the fragment `_failure.USERS`.
    """

    def __init__(self, sentence: str, code: str = "not_offered") -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True)
class Method:
    """One operation as one call of the API.

    parameters and fields map this collection's names to the wire's; values maps the words true, false, inherit,
    user, domain and ip to the wire's; fixed parameters are always sent as they are.
    """

    operation: str
    call: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)
    source: Source = Source.GIVEN

    def encode(self, arguments: Mapping[str, Value]) -> list[tuple[str, str]]:
        """The wire parameters of these arguments, in their order. Raises MethodError for one without a name."""
        pairs = []
        for name, value in arguments.items():
            if name not in self.parameters:
                raise MethodError(
                    f"The API method {self.call} is not known to take {name!r}; name its parameter under "
                    f"api_methods.{self.operation}.parameters."
                )
            pairs.append((self.parameters[name], self._encode_value(name, value)))
        return pairs + list(self.fixed.items())

    def _encode_value(self, name: str, value: Value) -> str:
        if isinstance(value, bool):
            return self.values.get("true", "1") if value else self.values.get("false", "0")
        if value == INHERIT and name in LIMIT_NAMES:
            if INHERIT not in self.values:
                raise MethodError(
                    f"How {self.call} is told to inherit a limit is not known; name the word that it wants "
                    f"under api_methods.{self.operation}.values.inherit."
                )
            return self.values[INHERIT]
        return str(value)

    def to_block(self) -> dict[str, Any]:
        """Give the method as `api_methods` takes it, ready to paste."""
        block: dict[str, Any] = {"call": self.call, "parameters": dict(self.parameters)}
        for name in ("fields", "values", "fixed"):
            if getattr(self, name):
                block[name] = dict(getattr(self, name))
        return block


#: Public evidence: https://github.com/controlol/node-spamexperts-sdk and https://github.com/FuseCP/FuseCP.
DOCUMENTED = {
    ADD: Method(
        ADD,
        "outgoingusers/add",
        {"domain": "domain", "username": "username", "password": "password"},
        source=Source.DOCUMENTED,
    ),
    ADD_IP: Method(
        ADD_IP, "outgoingusers/addip", {"domain": "domain", "ip": "ip", "mask": "mask"}, source=Source.DOCUMENTED
    ),
    REMOVE: Method(
        REMOVE, "outgoingusers/remove", {"domain": "domain", "username": "username"}, source=Source.DOCUMENTED
    ),
}

#: Calls on a help page that are taken for an operation, the likeliest first.
CALL_ALIASES = {
    LIST: ("outgoingusers/list", "outgoingusers/get", "outgoingusers/getlist"),
    SET_PASSWORD: ("outgoingusers/setpassword", "outgoingusers/changepassword", "outgoingusers/updatepassword"),
    SET_LIMITS: ("outgoingusers/setlimits", "outgoingusers/updatelimits", "outgoingusers/setlimit"),
    SET_SETTINGS: ("outgoingusers/setsettings", "outgoingusers/setoptions", "outgoingusers/updatesettings"),
    LOCK: ("outgoingusers/lock",),
    UNLOCK: ("outgoingusers/unlock",),
}
#: Wire names that are taken for a parameter, or for a field of a list.
NAME_ALIASES = {
    "domain": ("domain", "domain_name"),
    "username": ("username", "user", "name"),
    "password": ("password",),
    "authentication_method": ("authentication_method", "auth_method", "type"),
    "locked": ("locked", "is_locked", "lock"),
    "enabled": ("limits_enabled", "outgoing_limits_enabled", "enable_limits"),
    "per_minute": ("limit_per_minute", "per_minute", "minute_limit"),
    "per_hour": ("limit_per_hour", "per_hour", "hour_limit"),
    "per_day": ("limit_per_day", "per_day", "day_limit"),
    "per_week": ("limit_per_week", "per_week", "week_limit"),
    "per_month": ("limit_per_month", "per_month", "month_limit"),
    "recipients_per_day": ("limit_recipients_per_day", "recipients_per_day", "recipient_limit"),
    "automatic_lock": ("automatic_lock", "auto_lock"),
    "lock_timeout": ("lock_timeout", "user_lock_timeout"),
    "maximum_unlocks": ("maximum_unlocks", "max_unlocks", "maximum_unlocks_by_timeout"),
}
_NAME_OF_ALIAS = {alias: name for name, aliases in NAME_ALIASES.items() for alias in aliases}


def known_name(wire_name: str) -> Optional[str]:
    """Give the name in this collection for a name on the wire; None when there is none."""
    return _NAME_OF_ALIAS.get(wire_name.lower())


class Methods:
    """The method table of one server. The help page is read at most once, and only when something needs it."""

    def __init__(
        self, given: Optional[Mapping[str, Any]], use_discovered: bool, help_page: Callable[[], Optional[str]]
    ) -> None:
        """help_page: gives the text of the server's help page, or None where the server does not show one."""
        self._given = {operation: parse_given(operation, entry) for operation, entry in (given or {}).items()}
        self._use_discovered = use_discovered
        self._help_page = help_page
        self._links: Optional[dict[str, list[str]]] = None
        self._discovered: Optional[dict[str, Method]] = None

    def find(self, operation: str) -> Optional[Method]:
        """The method that does this operation on this server; None when it is not offered."""
        method = self._given.get(operation) or DOCUMENTED.get(operation) or self.discovered().get(operation)
        if method is None or method.source is Source.PROPOSED:
            return None
        return method

    def require(self, operation: str, purpose: str) -> Method:
        """The method for this operation. Raises MethodError with what is missing and how to name it."""
        method = self.find(operation)
        if method is None:
            raise MethodError(self.missing(operation, purpose))
        return method

    def withdraw(self, operation: str) -> bool:
        """Do without a method that was only discovered, since it has turned out to be none; False for any other."""
        method = self.find(operation)
        if method is None or method.source is not Source.DISCOVERED:
            return False
        del self.discovered()[operation]
        return True

    def missing(self, operation: str, purpose: str) -> str:
        """What to say when an operation is not offered: what is missing, what is there, and how to name it."""
        proposed = self.discovered().get(operation)
        if proposed is not None:
            return (
                f"To {purpose}, this server seems to offer {proposed.call}, which is not documented in public; check "
                f"it on the server's help page, then set use_discovered_methods: true, or name it under api_methods."
            )
        offered = ", ".join(name for name in OPERATIONS if self.find(name))
        return (
            f"This server offers no known API method to {purpose} (offered: {offered}); if its help page names one, "
            f"give it as api_methods: {{{operation}: {{call: controller/action, parameters: {{...}}}}}}, "
            "or do it in the control panel."
        )

    def links(self) -> dict[str, list[str]]:
        """The calls on the server's help page, each with the names of its parameters; empty where it shows none."""
        if self._links is None:
            self._links = read_links(self._help_page() or "")
        return self._links

    def discovered(self) -> dict[str, Method]:
        """What the server's help page shows, operation -> method; empty where it shows nothing."""
        if self._discovered is None:
            self._discovered = discover(self.links(), self._use_discovered)
        return self._discovered

    def known(self) -> dict[str, Method]:
        """What is given, documented, or on the help page under a name that is known, operation -> method."""
        return {**self.discovered(), **DOCUMENTED, **self._given}

    def table(self, proposals: Mapping[str, Method]) -> list[dict[str, Any]]:
        """All operations with their call, parameters and source, for people. proposals: see `propose`."""
        rows = []
        for operation in OPERATIONS:
            method = self.known().get(operation) or proposals.get(operation)
            rows.append(
                {
                    "operation": operation,
                    "offered": self.find(operation) is not None,
                    "source": (method.source if method else Source.MISSING).value,
                    "call": method.call if method else "",
                    "parameters": dict(method.parameters) if method else {},
                }
            )
        return rows

    def block(self, proposals: Mapping[str, Method]) -> dict[str, Any]:
        """All that is known or proposed beyond the documented calls, as `api_methods` takes it."""
        known = {**proposals, **self.discovered(), **self._given}
        return {operation: known[operation].to_block() for operation in OPERATIONS if operation in known}


def parse_given(operation: str, entry: Any) -> Method:
    """One entry of the option `api_methods`. Raises InputError with what is wrong with it."""
    where = f"api_methods.{operation}"
    if operation not in OPERATIONS:
        raise InputError(f"{where} names an unknown operation; the operations are {', '.join(OPERATIONS)}.")
    if not isinstance(entry, Mapping) or not set(entry) <= {"call", "parameters", "fields", "values", "fixed"}:
        raise InputError(f"{where} must have the keys call, parameters and, where needed, fields, values and fixed.")
    call = str(entry.get("call") or "").strip("/")
    if not _CALL.match(call):
        raise InputError(f"{where}.call must be controller/action, as in outgoingusers/list; it is {call!r}.")
    parameters = _names(entry, "parameters", where)
    _check_parameters(operation, parameters, where)
    required = _REQUIRED.get(operation, ADDRESS)
    missing = [name for name in required if name not in parameters]
    if missing:
        raise InputError(f"{where}.parameters does not say how {call} names {' and '.join(missing)}; add it.")
    fields = _names(entry, "fields", where)
    if fields and operation != LIST:
        raise InputError(f"{where}.fields has no meaning; only list has fields.")
    values = {str(word).lower(): str(wire) for word, wire in _mapping(entry, "values", where).items()}
    strange = sorted(set(values) - set(_WORDS))
    if strange:
        raise InputError(f"{where}.values has {strange[0]!r}; it may have the words {', '.join(_WORDS)}.")
    fixed = {str(name): str(value) for name, value in _mapping(entry, "fixed", where).items()}
    _check_wire_names([*parameters.values(), *fixed], f"{where}.parameters and fixed")
    return Method(operation, call, parameters, fields, values, fixed)


def _check_parameters(operation: str, parameters: Mapping[str, str], where: str) -> None:
    """Refuse names that no task could use; set_settings alone takes names of the administrator's own."""
    known = (*_REQUIRED.get(operation, ADDRESS), *_OPTIONAL.get(operation, ()))
    strange = [name for name in parameters if name not in known]
    if strange and operation != SET_SETTINGS:
        raise InputError(f"{where}.parameters has {strange[0]!r}; it may have {', '.join(known)}.")


def _mapping(entry: Mapping[str, Any], part: str, where: str) -> Mapping[str, Any]:
    mapping = entry.get(part) or {}
    if not isinstance(mapping, Mapping) or any(value in (None, "") for value in mapping.values()):
        raise InputError(f"{where}.{part} must map names to names or words, none of them empty.")
    return mapping


def _names(entry: Mapping[str, Any], part: str, where: str) -> dict[str, str]:
    names = {str(name): str(wire) for name, wire in _mapping(entry, part, where).items()}
    _check_wire_names(list(names.values()), f"{where}.{part}")
    return names


def _check_wire_names(names: Sequence[str], where: str) -> None:
    for name in names:
        if not _WIRE_NAME.match(name) or name.lower() == "format":
            raise InputError(f"{where} has {name!r}, which cannot be a name of the API; correct it.")
        if names.count(name) > 1:
            raise InputError(f"{where} gives {name!r} for two things; each needs a name of its own.")


def read_links(page: str) -> dict[str, list[str]]:
    """The calls that a help page shows by its example links, whatever its markup: call -> names of its parameters."""
    links: dict[str, list[str]] = {}
    for controller, action, pairs in _LINK.findall(html.unescape(page)):
        names = [name for name in map(unquote, pairs.split("/")[1::2]) if name != "format"]
        call = f"{controller}/{action}".lower()
        # Of several examples the one that shows most.
        links[call] = max(links.get(call, names), names, key=len)
    return links


def discover(links: Mapping[str, Sequence[str]], use_writes: bool) -> dict[str, Method]:
    """The operations that the calls of a help page do, by names that are known.

    A read is used. A write is only proposed, unless `use_writes`; and a write with a parameter that is not
    understood is not shown at all, since sending it half would be a guess.
    """
    found: dict[str, Method] = {}
    for operation, calls in CALL_ALIASES.items():
        for call in calls:
            method = _from_link(operation, links[call]) if call in links else None
            if method is not None:
                source = Source.DISCOVERED if operation == LIST or use_writes else Source.PROPOSED
                found[operation] = Method(operation, call, method, source=source)
                break
    return found


def _from_link(operation: str, wire_names: Sequence[str]) -> Optional[dict[str, str]]:
    # A call that asks for one user shows one user: its answer must not be taken for the list.
    address: Sequence[str] = ("domain",) if operation == LIST else ADDRESS
    allowed: set[str] = {*_REQUIRED.get(operation, ()), *address, *_ATTRIBUTES.get(operation, ())}
    parameters: dict[str, str] = {}
    for wire_name in wire_names:
        name = known_name(wire_name)
        if name not in allowed or name in parameters:
            return None
        parameters[name] = wire_name
    if any(name not in parameters for name in _REQUIRED.get(operation, ADDRESS)):
        return None
    return parameters
