# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of an outgoing user: who it is, what it may do, and when two of them are the same. Pure, no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional, Protocol, Union

from .._names import InputError, check_sender_network, is_network, normalise_domain, normalise_network, unicode_domain
from .._passwords import check_password

USER = "user"
DOMAIN = "domain"
IP = "ip"
AUTHENTICATIONS = (USER, DOMAIN, IP)

#: Limits, in connections in that time; the last one in recipients.
#: https://documentation.n-able.com/mail-assure ("Edit an outgoing user")
LIMIT_NAMES = ("per_minute", "per_hour", "per_day", "per_week", "per_month", "recipients_per_day")
#: Typed settings besides the limits and the lock.
LOCK_SETTINGS = ("automatic_lock", "lock_timeout", "maximum_unlocks")
#: More than that is a slip, and no counter's type holds it.
HIGHEST_LIMIT = 2**31 - 1
#: The word for a limit that comes from the level above, which is neither "not given" nor 0.
INHERIT = "inherit"

#: A user's comparable state: attribute name -> value. An attribute that is not in it is not given, or not known.
Value = Union[bool, int, str]
State = dict[str, Value]

_LOCAL_PART = re.compile(r"[a-z0-9!#$%&'*+=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+=?^_`{|}~-]+)*\Z")
_SETTING_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}\Z")


class Key(NamedTuple):
    """What identifies an outgoing user.

    domain: lower case, IDNA-encoded. username: local part; empty for a domain user; network text for an IP user.
    """

    domain: str
    username: str

    @classmethod
    def of_login(cls, text: object) -> Optional[Key]:
        """Whose login this is, however its domain is written; None for what nobody can log in with."""
        username, _at, domain = str(text).rpartition("@")
        try:
            domain = normalise_domain(domain)
            return cls(domain, normalise_local_part(username, domain) if username else "")
        except InputError:
            return None

    @classmethod
    def of_result(cls, user: Mapping[str, Any]) -> Key:
        """Who a user in a result is, which shows domains for people."""
        return cls(normalise_domain(user["domain"]), user["username"])

    @property
    def title(self) -> str:
        """As a sentence begins with it."""
        return str(self) if self.username else f"The {self}"

    @property
    def name(self) -> str:
        """As it stands inside a sentence."""
        return str(self) if self.username else f"the {self}"

    def __str__(self) -> str:
        """As it stands in a list."""
        domain = unicode_domain(self.domain)
        if not self.username:
            return f"domain user of {domain}"
        if is_network(self.username):
            return f"{self.username} of {domain}"
        return f"{self.username}@{domain}"


#: What a login is compared by.
Identity = Union[Key, str]


def identity(login: str) -> Identity:
    """Whose login it is, however it is written; where it is nobody's, its text."""
    return Key.of_login(login) or login


def options_of(key: Key) -> dict[str, str]:
    """The options of outgoing_users that name who has this login, a user or a domain user."""
    if not key.username:
        return {"domain": key.domain, "authentication_method": DOMAIN}
    return {"domain": key.domain, "authentication_method": USER, "username": key.username}


class HasKey(Protocol):
    """Whatever stands for one outgoing user."""

    @property
    def key(self) -> Key:
        """Who it is."""


@dataclass(frozen=True)
class OutgoingUser:
    """One outgoing user as it is, or as somebody wants it; only what is in `state` is known, or wanted.

    listed_name: how the server's list writes the username, which is how the server is told of it.
    """

    key: Key
    authentication: str
    state: State = field(default_factory=dict)
    listed_name: str = field(default="", compare=False)

    def to_result(self) -> dict[str, Any]:
        """The user as results and diffs show it: nested, never with a password."""
        shown: dict[str, Any] = {
            "domain": unicode_domain(self.key.domain),
            "username": self.key.username,
            "authentication_method": self.authentication,
        }
        shown.update(nested(self.state))
        return shown


@dataclass(frozen=True)
class Wanted:
    """One entry of the option `users`, checked and normalised."""

    user: OutgoingUser
    position: int
    present: bool
    update_password: str
    password: Optional[str] = field(repr=False)
    password_file: str
    ignore: bool
    ip_risk_acknowledged: bool
    password_is_new: bool = False  # generated in this run, so no server can know it
    former_password: Optional[str] = field(default=None, repr=False)  # what it has now, as far as somebody knows

    @property
    def key(self) -> Key:
        return self.user.key

    @property
    def is_for_a_new_user(self) -> bool:
        """Whether the caller has made the password just now, so that whoever exists already cannot have it."""
        return self.password_is_new and not self.password_file

    def login(self, domain_login: str) -> str:
        """The name used for AUTH; a domain user logs in as `domain` or as `@domain`."""
        if self.user.authentication == DOMAIN:
            return f"@{self.key.domain}" if domain_login == "at_domain" else self.key.domain
        return f"{self.key.username}@{self.key.domain}"


def counted(number: int, noun: str) -> str:
    """A number of things: `1 user`, `2 users`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def first_three(users: Sequence[HasKey]) -> str:
    """The first three of these users, as a message names them."""
    names = ", ".join(str(user.key) for user in users[:3])
    return names if len(users) <= 3 else f"{names}, ..."


def nested(state: Mapping[str, Value]) -> dict[str, Any]:
    """Attribute names such as `limits.per_hour` as nested dictionaries, inherited limits as the list `inherit`."""
    shown: dict[str, Any] = {}
    for name, value in sorted(state.items()):
        group, _dot, rest = name.rpartition(".")
        if not group:
            shown[name] = value
        elif group == "limits" and value == INHERIT:
            shown.setdefault("limits", {}).setdefault("inherit", []).append(rest)
        else:
            shown.setdefault(group, {})[rest] = value
    return shown


def normalise_local_part(text: object, domain: str) -> str:
    """A username as the API wants it: the local part, in lower case; `alice@example.com` is accepted for alice."""
    name = str(text or "").strip().lower()
    local, at, given_domain = name.rpartition("@")
    if at:
        if normalise_domain(given_domain) != domain:
            raise InputError(
                f"username {name!r} belongs to another domain than {unicode_domain(domain)!r}; "
                "give the local part, or correct one of the two"
            )
        name = local
    if not name:
        raise InputError("username is missing; a user needs the local part of its address, as in alice")
    if len(name) > 64:
        raise InputError(f"username {name[:16]!r}... has {len(name)} characters; a local part has at most 64")
    if not _LOCAL_PART.match(name):
        raise InputError(f"username {name!r} is not the local part of an address; use letters, digits and . _ + -")
    if is_network(name):
        raise InputError(f"username {name!r} is an IP address; set authentication_method to ip, or correct it")
    return name


def normalise_username(authentication: str, text: object, domain: str) -> str:
    """The username that belongs to this authentication method."""
    if authentication == USER:
        return normalise_local_part(text, domain)
    if authentication == IP:
        return normalise_network(text)
    if str(text or "").strip().lower() not in ("", domain, f"@{domain}"):
        raise InputError("a domain user has no username; leave it out, or set authentication_method to user")
    return ""


def _number(value: Any) -> Any:
    """A number that a template has made into text; the argument spec has let it pass."""
    return int(value) if isinstance(value, str) else value


def parse_limits(limits: Mapping[str, Any]) -> State:
    """The option `limits` as attributes; what is not given is not in the result."""
    state: State = {}
    if limits.get("enabled") is not None:
        state["limits.enabled"] = bool(limits["enabled"])
    for name in LIMIT_NAMES:
        value = _number(limits.get(name))
        if value is None:
            continue
        if isinstance(value, bool) or not 0 <= value <= HIGHEST_LIMIT:
            raise InputError(
                f"limit {name} is {value}; a limit is a number from 0 to {HIGHEST_LIMIT}, "
                "and enabled: false switches all of them off"
            )
        state[f"limits.{name}"] = int(value)
    for name in limits.get("inherit") or ():
        if f"limits.{name}" in state:
            raise InputError(f"limit {name} is given as a number and in inherit; choose one")
        state[f"limits.{name}"] = INHERIT
    return state


def parse_state(entry: Mapping[str, Any]) -> State:
    """All wanted attributes of one entry of `users`."""
    state = parse_limits(entry.get("limits") or {})
    for name in ("locked", "automatic_lock"):
        if entry.get(name) is not None:
            state[name] = bool(entry[name])
    for name, highest, unit in (("lock_timeout", 10080, " minutes"), ("maximum_unlocks", 100, "")):
        value = _number(entry.get(name))
        if value is None:
            continue
        if isinstance(value, bool) or not 1 <= value <= highest:
            raise InputError(f"{name} is {value}; it must be from 1 to {highest}{unit}")
        state[name] = int(value)
    for name, value in (entry.get("settings") or {}).items():
        if not _SETTING_NAME.match(str(name)):
            raise InputError(f"setting name {name!r} is not a name of the API; use lower-case letters, digits, _ and -")
        if name in LOCK_SETTINGS or name in LIMIT_NAMES or name == "locked":
            raise InputError(f"setting {name} has an option of its own; use that one")
        if not isinstance(value, (str, int)) or not _is_plain_text(str(value)):
            raise InputError(
                f"setting {name} must be a number, a boolean or a text, not empty, "
                "without control characters and without a blank at either end"
            )
        state[f"settings.{name}"] = setting_text(value)
    return state


def _is_plain_text(text: str) -> bool:
    """Whether a part of a path can carry this text, and a list can show it again as it is."""
    return text not in ("", ".", "..") and text.isprintable() and text == text.strip()


def setting_text(value: object) -> str:
    """A free setting as the wire carries it, so that true, 1 and "1" compare as equal."""
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)


def parse_wanted(entry: Mapping[str, Any], position: int, update_password: str) -> Wanted:
    """One entry of the option `users`. Raises InputError with the first thing that is wrong with it."""
    domain = normalise_domain(entry.get("domain"))
    authentication = entry.get("authentication_method") or USER
    key = Key(domain, normalise_username(authentication, entry.get("username"), domain))
    wanted = Wanted(
        user=OutgoingUser(key, authentication, parse_state(entry)),
        position=position,
        present=entry.get("state", "present") == "present",
        update_password=entry.get("update_password") or update_password,
        # Before ansible-core 2.19, a text that is encrypted in the file is no str until it is made one.
        password=None if entry.get("password") is None else str(entry["password"]),
        password_file=entry.get("password_file") or "",
        ignore=bool(entry.get("ignore")),
        ip_risk_acknowledged=bool(entry.get("acknowledge_ip_risk")),
        password_is_new=bool(entry.get("password_is_new")),
        former_password=None if entry.get("former_password") is None else str(entry["former_password"]),
    )
    if authentication == IP and wanted.present and not wanted.ignore:  # what is there already can always be removed
        check_sender_network(
            key.username,
            allow_private=bool(entry.get("allow_private_address")),
            allow_wide=bool(entry.get("allow_wide_network")),
        )
    secrets = (wanted.password, wanted.former_password)
    if authentication == IP and (any(secret is not None for secret in secrets) or wanted.password_file):
        raise InputError("an IP user has no password in the API; leave the password out, or use a user or a domain")
    if wanted.password is not None and wanted.password_file:
        raise InputError("password and password_file are both given; choose one")
    if wanted.password is not None:
        check_password(wanted.password, wanted.login("domain"))
    return wanted
