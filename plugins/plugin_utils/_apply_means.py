# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each phase of `apply` works with: what is declared, what is known of it, and the store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

from ..module_utils._declaration import identities
from ..module_utils._declaration.description import ABSENT, Description, Sender
from ..module_utils._declaration.hosts import is_stored
from ..module_utils._declaration.identities import Identity, Known
from ..module_utils._declaration.only import Only, read_only
from ..module_utils._declaration.relays import HostLogins
from ..module_utils._names import normalise_domain
from ..module_utils._users.user import IP, Key
from ._credentials import Credentials
from ._declared import declared
from ._owner import Call, Owner, StopError
from ._store import Store


class Declared(NamedTuple):
    """All that is declared. before: who was declared in an earlier run. servers: each mail server with its logins."""

    descriptions: list[Description]
    servers: dict[str, HostLogins]
    only: Only
    before: Known

    def senders(self, of: Iterable[Description] | None = None) -> Iterator[tuple[Description, Sender]]:
        """The senders that this run is about."""
        for one in self.descriptions if of is None else of:
            for sender in one.senders:
                if self.only.takes(sender.wanted.key):
                    yield one, sender

    def leaving(self, *, remove: bool) -> list[Identity]:
        """Who is to be gone: whose state is absent, and with `remove` those who are declared no more."""
        absent = [(one, sender) for one, sender in self.senders() if sender.state == ABSENT]
        going = [self.before.get(sender.wanted.key) or identities.identity(one, sender) for one, sender in absent]
        return going + (self.leavers if remove else [])

    @property
    def leavers(self) -> list[Identity]:
        """Who was declared before and is not now, of those that this run is about."""
        return [one for one in identities.leavers(self.descriptions, self.before) if self.only.takes(one.key)]

    @property
    def former_people(self) -> dict[Key, list[Mapping[str, str]]]:
        """Of the senders that stay, whose Thunderbird was to send as them before and is not now."""
        found = {
            sender.wanted.key: identities.former_people(sender, self.before.get(sender.wanted.key))
            for _one, sender in self.senders()
            if sender.state != ABSENT
        }
        return {key: people for key, people in found.items() if people}

    @property
    def digest(self) -> str:
        """Whether it is the same still. It tells nothing of a password."""
        shown = [
            [one.domain, dict(one.options), one.purge, [_without_secrets(sender) for sender in one.senders]]
            for one in self.descriptions
        ]
        return hashlib.sha256(json.dumps(shown, default=str, sort_keys=True).encode()).hexdigest()


def _without_secrets(sender: Sender) -> list[object]:
    people = [{**person, "primary_password": ""} for person in sender.people]
    return [{**sender.user, "password": ""}, sender.relay, sender.default_for, people]


class ApplyMeans(Owner):
    """One phase of one run, without what makes it that phase."""

    def __init__(
        self,
        options: Mapping[str, Any],
        store: Store,
        call: Call,
        *,
        check_mode: bool = False,
        say: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """options: as the module `apply` documents them. say: tells whoever watches how far it is."""
        super().__init__(options, store, call, check_mode=check_mode)
        self._say = say
        self.warnings: list[str] = []

    def _read(self, *, missing: bool = False) -> Credentials:
        # Whoever only looks, before there is a store, needs no vault password.
        if self._check_mode and missing and not self._store.path.exists():
            return Credentials()
        return super()._read(missing=missing)

    def _declared(self) -> Declared:
        """All that is declared. Raises StopError with everything that is wrong."""
        options = self._options
        before = identities.from_store(self._read(missing=True).declared)
        descriptions, servers, problems, self.warnings = declared(
            {**options, "path": options["domains_path"], "accounts": sorted({"default", *options["accounts"]})},
            options["groups"],
            options["mail_servers"],
        )
        only = Only()
        if not problems:
            leaving = options["leaving"]
            wanted = {"logins": [leaving]} if leaving else options["only"]
            only, problems = read_only(wanted, descriptions, before, options["groups"])
            problems += [
                f"{sender.place()} describes {leaving}: take that out of the description, or say state: absent there, "
                "then run again. Nothing was changed."
                for _one, sender in Declared(descriptions, servers, only, before).senders()
                if leaving and sender.state != ABSENT
            ]
        self._stop_for_all(problems)
        return Declared(descriptions, servers, only, before)

    @property
    def _removes(self) -> bool:
        """Whether those are removed who are declared no more."""
        return bool(self._options["remove"] or self._options["leaving"])

    def _stop_for_all(self, problems: Sequence[str]) -> None:
        if problems:
            self.data["problems"] = list(problems)
            more = f" {len(problems) - 1} more below." if len(problems) > 1 else ""
            raise StopError(f"{problems[0]}{more}")

    def _account(self, name: str) -> dict[str, Any]:
        return dict(self._options["accounts"].get(name) or {})

    def _heard(self, answer: Mapping[str, Any], kind: str) -> None:
        """Note what was changed, and what was not to be done. kind: `domain` or `sender`."""
        entries = answer.get("domains" if kind == "domain" else "users", ())
        if self._options["details"]:
            seen = self.data["domain_actions" if kind == "domain" else "users"]
            for one in entries:
                key = normalise_domain(one["domain"])
                seen.setdefault(key, []).append(one if kind == "sender" else one["action"])
        for one in entries:
            if one["action"] not in ("unchanged", "ignored") or one.get("unknown"):
                shown = {name: one[name] for name in ("action", "reason", "unknown", "login") if one.get(name)}
                named = {name: one.get(name, "") for name in ("domain", "username", "authentication_method")}
                self.data["changes"].append({"kind": kind, **named, **shown})
        if answer.get("failed") and not entries:
            self.data["problems"].append(str(answer.get("msg")))


def login_in_use(sender: Sender, known: Credentials) -> str:
    """What it logs in as now: a rotation may have given it a second login in place of its own."""
    entry = known.entries.get(sender.login) if is_stored(sender) else None
    return entry.in_use[0] if entry else sender.login


def key_in_use(sender: Sender, known: Credentials) -> Key:
    """Who it is at the vendor now."""
    if sender.wanted.user.authentication == IP:
        return sender.wanted.key
    return Key.of_login(login_in_use(sender, known)) or sender.wanted.key


def keys_of(one: Identity, known: Credentials) -> list[Key]:
    """Whom a declared sender may be at the vendor now: a rotation gives it a second login in place of its own."""
    entry = known.entries.get(one.login) if one.login else None
    logins = [entry.login, entry.next_login] if entry else []
    return list(dict.fromkeys(key for key in map(Key.of_login, filter(None, logins)) if key)) or [one.key]


def today() -> str:
    """The day, in UTC."""
    return datetime.now(timezone.utc).date().isoformat()
