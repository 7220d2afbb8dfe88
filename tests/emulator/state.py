# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel's data: domains and outgoing users. Pure model, no network and no clock but the one of `lag`."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from .names import Network, Networks, network_text
from .replies import RefusedError

LIMITS = (
    "limit_per_minute",
    "limit_per_hour",
    "limit_per_day",
    "limit_per_week",
    "limit_per_month",
    "limit_recipients_per_day",
)
# What a new user has. "inherit" differs from every number: the vendor has several levels of defaults.
NEW_USER: dict[str, int | str] = {
    "locked": 0,
    "limits_enabled": 1,
    **dict.fromkeys(LIMITS, "inherit"),
    "automatic_lock": 0,
    "lock_timeout": 60,
    "maximum_unlocks": 3,
}
NEW_PRODUCTS = {"incoming": 1, "outgoing": 1, "archiving": 0}

Key = tuple[str, str]


@dataclass
class Domain:
    """One domain; `name` in ASCII. `owner` is the panel administrator who may manage it."""

    name: str
    owner: str
    products: dict[str, int] = field(default_factory=lambda: dict(NEW_PRODUCTS))
    destinations: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    contact: str = ""
    administrator_contact: str = ""
    domain_user: dict[str, str] | None = None


@dataclass
class User:
    """One outgoing user. `username` is empty for the domain's own user and a network's text for an IP user."""

    domain: str
    username: str
    authentication_method: str
    password_hash: str = ""
    values: dict[str, int | str] = field(default_factory=lambda: dict(NEW_USER))

    @property
    def key(self) -> Key:
        return (self.domain, self.username)

    @property
    def network(self) -> Network | None:
        return ipaddress.ip_network(self.username) if self.authentication_method == "ip" else None

    def shown(self) -> dict[str, int | str]:
        """What a list shows: everything but the password, which can never be read back."""
        return {
            "domain": self.domain,
            "username": self.username,
            "authentication_method": self.authentication_method,
            **self.values,
        }


class State:
    """All domains and users of the emulated server. `version` grows with every change of them."""

    def __init__(self, administrator: str) -> None:
        self.administrator = administrator
        self.salt = secrets.token_hex(16)
        self.version = 0
        self.lag = 0.0
        self.login_lag = 0.0
        #: Seconds by which its clock is ahead.
        self.ahead = 0.0
        self.clear()

    def clear(self) -> None:
        self.domains: dict[str, Domain] = {}
        self.users: dict[str, dict[str, User]] = {}
        self.networks = Networks()
        # What logins do not know yet: user -> (time when they do, the hash that works until then).
        self._late: dict[Key, tuple[float, str]] = {}
        # Changes that lists do not show yet: (time when they do, what a list showed before).
        self._hidden: list[tuple[float, Key | str, dict[str, int | str] | None]] = []
        self.version += 1

    def _now(self) -> float:
        return time.monotonic() + self.ahead

    def hashed(self, password: str) -> str:
        """A keyed hash, so that neither the state file nor a dump of the emulator holds a password."""
        return hashlib.blake2b(password.encode("utf-8", "surrogateescape"), key=self.salt.encode()).hexdigest()

    def _changed(self, what: Key | str, shown_before: dict[str, int | str] | None) -> None:
        self.version += 1
        if self.lag:
            self._hidden.append((self._now() + self.lag, what, shown_before))

    # Domains

    def add_domain(self, domain: Domain) -> None:
        self.domains[domain.name] = domain
        self._changed(domain.name, None)

    def change_domain(self, domain: Domain, **values: Any) -> None:
        """Set attributes of a domain; setting what is there already is no change."""
        if any(getattr(domain, name) != value for name, value in values.items()):
            for name, value in values.items():
                setattr(domain, name, value)
            self.version += 1

    def remove_domain(self, name: str) -> None:
        del self.domains[name]
        self._changed(name, {})

    def listed_domains(self) -> list[str]:
        """The administrator's own domains, as a list shows them now."""
        listed = {name: True for name, domain in self.domains.items() if domain.owner == self.administrator}
        for what, before in self._still_hidden():
            if isinstance(what, str):
                if before is None:
                    listed.pop(what, None)
                else:
                    listed[what] = True
        return list(listed)

    # Users

    def user(self, domain: str, username: str) -> User | None:
        return self.users.get(domain, {}).get(username)

    def all_users(self) -> Iterator[User]:
        for users in self.users.values():
            yield from users.values()

    def put_user(self, user: User) -> None:
        """Add a user. An address belongs to one account only, so a network of another user is refused."""
        network = user.network
        if network is not None:
            owner = self.networks.overlapping(network)
            if owner and (owner[0] != user.domain or owner == user.key):
                raise RefusedError(
                    f"The IP address '{network_text(network)}' is already in use by the domain '{owner[0]}'",
                    f"Failed to add the outgoing user '{user.username}'",
                )
            self.networks.add(network, user.key)
        self.users.setdefault(user.domain, {})[user.username] = user
        self._changed(user.key, None)

    def remove_user(self, user: User) -> None:
        users = self.users[user.domain]
        del users[user.username]
        if not users:
            del self.users[user.domain]
        network = user.network
        if network is not None:
            self.networks.remove(network)
        self._changed(user.key, user.shown())

    def change_user(self, user: User, values: dict[str, int | str]) -> None:
        """Set values of a user; setting what is there already is no change."""
        if any(user.values.get(name) != value for name, value in values.items()):
            before = user.shown()
            user.values.update(values)
            self._changed(user.key, before)

    def set_password(self, user: User, password: str) -> None:
        hashed = self.hashed(password)
        if user.password_hash != hashed:
            if self.login_lag:
                self._late[user.key] = (self._now() + self.login_lag, self.working_hash(user))
            user.password_hash = hashed
            self.version += 1

    def working_hash(self, user: User) -> str:
        """The hash of the password with which a login works now."""
        due, before = self._late.get(user.key, (0.0, ""))
        return before if due > self._now() else user.password_hash

    def listed_users(self, domain: str | None) -> list[dict[str, int | str]]:
        """The users of one domain or of all the administrator's domains, as a list shows them now."""
        mine = {name for name, stored in self.domains.items() if stored.owner == self.administrator}
        users = self.users.get(domain, {}).values() if domain else self.all_users()
        listed = {user.key: user.shown() for user in users if user.domain in mine}
        for what, before in self._still_hidden():
            if isinstance(what, tuple) and domain in (None, what[0]):
                if before is None:
                    listed.pop(what, None)
                else:
                    listed[what] = before
        return list(listed.values())

    def _still_hidden(self) -> list[tuple[Key | str, dict[str, int | str] | None]]:
        """Changes to take back from a list, the newest first."""
        now = self._now()
        self._hidden = [entry for entry in self._hidden if entry[0] > now]
        return [(what, before) for _due, what, before in reversed(self._hidden)]

    # The whole, for the state file

    def dump(self) -> dict[str, Any]:
        return {
            "salt": self.salt,
            "domains": [asdict(domain) for domain in self.domains.values()],
            "users": [vars(user) for user in self.all_users()],
        }

    def load(self, stored: dict[str, Any]) -> None:
        self.clear()
        self.salt = stored["salt"]
        self.domains = {entry["name"]: Domain(**entry) for entry in stored["domains"]}
        for entry in stored["users"]:
            self.put_user(User(**entry))
