# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of `apply`: what is declared, what the store knows, and what is asked of the vendor in which order.

A password is in the store on disk before the vendor hears of it. A run that was killed is finished by the next one, from
the descriptions and the store alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Optional

from ..module_utils._declaration import identities
from ..module_utils._declaration.description import ABSENT, Description, Sender
from ..module_utils._declaration.identities import Identity, Known
from ..module_utils._declaration.only import Only, login_of, read_only
from ..module_utils._declaration.relays import HostLogins
from ..module_utils._declaration.report import report
from ..module_utils._files import replace_file
from ..module_utils._names import normalise_domain
from ..module_utils._smarthost.login import MOST_REFUSALS
from ..module_utils._users.user import IP, Key, counted
from ._container import in_container
from ._credentials import OTHER_IN_FORCE, UNTRIED, Credential, Credentials
from ._declared import declared
from ._owner import Call, Owner, StopError
from ._store import Store

PHASES = ("begin", "vendor", "finish")
#: So many senders, in whole domains, are one call: whoever watches hears from each.
_BATCH = 400
#: Stands for a password that only the real run makes. It is never sent.
_PREDICTED = "made-by-the-real-run"
_GONE = ("removed", "unchanged")

_Declared = tuple[list[Description], dict[str, HostLogins], Only]


class Apply(Owner):
    """The phases. Each raises StopError, InputError and StoreError; afterwards the store is to be released."""

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

    def begin(self) -> None:
        """Read and check what is declared, keep the store for this run, and have a password for each login in it."""
        run = self._store.this_run()
        if self._check_mode:
            self._store.check_lock(run)
            self._begin()
            return
        with self._store.locked(run):
            self._store.hold(run)
            self.holds = True
        self._begin()

    def _begin(self) -> None:
        credentials = self._read(missing=True)
        before = identities.from_store(credentials.declared)
        descriptions, servers, only = self._declared(before)
        leavers = [one for one in identities.leavers(descriptions, before) if only.takes(one.key)]
        self._check_leavers(leavers)
        needed = [sender.login for _one, sender in _senders(descriptions, only) if _is_stored(sender)]
        new = [login for login in needed if login not in credentials.entries]
        if new:
            self._stop_where_passwords_are_lost()
        now = identities.declared(descriptions)
        remembered = {**before, **{key: one for key, one in now.items() if only.takes(key)}}

        def change(credentials: Credentials) -> dict[str, str]:
            credentials.declared = identities.to_store(remembered.values())
            return {login: credentials.make(login, self._options["make_password"]) for login in new}

        self._change("have a password for each login", change)
        known = self._read(missing=True)
        self.data.update(
            digest=_digest(descriptions),
            made=new,
            domains=len(descriptions),
            senders=sum(1 for _one in _senders(descriptions, only)),
            leavers=[_shown(one) for one in leavers],
            vanished={domain: [_shown(one) for one in gone] for domain, gone in _vanished(descriptions, before, only)},
            changes=[],
            problems=[],
            to_do=[],
            strangers=[],
            unreached={},
            with_password=0,
            unproven=0,
            mail_servers=self._mail_servers(servers, known, only),
            clients=self._clients(descriptions, known, only),
        )

    def _declared(self, before: Known) -> _Declared:
        """All that is declared. Raises StopError with everything that is wrong."""
        options = self._options
        descriptions, servers, problems, warnings = declared(
            {**options, "accounts": sorted({"default", *options["accounts"]})},
            options["groups"],
            options["mail_servers"],
        )
        problems += [
            f"{host} has {name} in the inventory, and {logins.default.place()} names it as well; a mail server gets its "
            "logins from one of the two, so take one away."
            for host, logins in servers.items()
            for name in options["own_logins"].get(host, ())
        ]
        only = Only()
        if not problems:
            only, problems = read_only(options["only"], descriptions, before, options["groups"])
        if problems:
            self.data["problems"] = problems
            more = f" {len(problems) - 1} more below." if len(problems) > 1 else ""
            raise StopError(f"{problems[0]}{more}")
        self.warnings = warnings
        return descriptions, servers, only

    def _check_leavers(self, leavers: Sequence[Identity]) -> None:
        limit = self._options["remove_limit"]
        if self._options["remove"] and len(leavers) > limit:
            names = ", ".join(login_of(one.key) for one in leavers[:5])
            raise StopError(
                f"{len(leavers)} senders are declared no more ({names}{', ...' if len(leavers) > 5 else ''}), and "
                f"spamexperts_remove_limit lets a run remove {limit}. Nothing was changed. See whether a description has "
                "lost lines; if all of them are to go, raise the limit."
            )

    def _stop_where_passwords_are_lost(self) -> None:
        options = self._options
        if in_container() and not self._check_mode and not options["store_is_kept"] and not options["hands_over"]:
            raise StopError(
                "This run is in a container, whose disk may be thrown away after it, and with it the only copy of the "
                f"passwords that it would make. Mount the folder of {options['path']} from outside, and say so with "
                "spamexperts_store_is_kept: true."
            )

    def _mail_servers(self, servers: Mapping[str, HostLogins], known: Credentials, only: Only) -> dict[str, Any]:
        """Each mail server of this run with the variables of the role, where its passwords are, and no password."""
        found = {}
        for host in self._options["mail_servers"]:
            logins = servers.get(host)
            own = self._options["own_logins"].get(host)
            if not only.visits(host, logins) and not (only.everybody or self._goes_through_all):
                continue
            if logins is None:
                found[host] = {"declared": False, "left_alone": not own}
                continue
            others: dict[str, list[str]] = {}
            for domain, sender in sorted(logins.by_domain.items()):
                others.setdefault(sender.login, []).append(f"@{domain}")
            by_login = {sender.login: sender for sender in logins.by_domain.values()}
            found[host] = {
                "declared": True,
                "left_alone": False,
                "authentication": "login" if logins.default.login else "ip",
                "login": _login_in_use(logins.default, known),
                "secret": _secret(logins.default),
                "logins": [
                    {
                        "login": _login_in_use(by_login[login], known),
                        "senders": domains,
                        "secret": _secret(by_login[login]),
                    }
                    for login, domains in sorted(others.items())
                ],
            }
        return found

    @property
    def _goes_through_all(self) -> bool:
        """Whether any mail server may have a login that is to go."""
        return bool(self._options["remove"])

    def _clients(self, descriptions: Sequence[Description], known: Credentials, only: Only) -> dict[str, Any]:
        """Each computer with the people whose Thunderbird is to be set up there, or set back."""
        found: dict[str, list[dict[str, Any]]] = {}
        for _one, sender in _senders(descriptions, only):
            login = _login_in_use(sender, known)
            for number, person in enumerate(sender.people):
                rest = {name: value for name, value in person.items() if name not in ("host", "primary_password")}
                entry = {"identities": [login], **rest, "login": login, "secret": _secret(sender)}
                if "primary_password" in person:
                    entry["primary"] = {**_place(sender), "person": number}
                for host in self._options["groups"].get(person["host"], ()):
                    if only.hosts is None or host in only.hosts:
                        found.setdefault(host, []).append(entry)
        for one in self.data.get("leavers", ()) if self._options["remove"] else ():
            for person in one["people"]:
                rest = {name: value for name, value in person.items() if name != "host"}
                for host in self._options["groups"].get(person["host"], ()):
                    found.setdefault(host, []).append({**rest, "login": one["login"], "state": "absent"})
        return found

    # The vendor

    def vendor(self) -> None:
        """Bring the domains and their senders to what is declared, batch by batch."""
        credentials = self._read(missing=True)
        before = identities.from_store(credentials.declared)
        descriptions, _servers, only = self._declared(before)
        if _digest(descriptions) != self.data["digest"]:
            raise StopError(
                "The descriptions were changed while this run was under way. Nothing was changed; run again."
            )
        self.data.update(works={}, unreached={}, others={})
        done = 0
        chosen = [
            one
            for one in descriptions
            if any(only.takes(s.wanted.key) for s in one.senders) or only.takes_domain(one.domain)
        ]
        for account, mine in _by_account(chosen).items():
            answer = self._ask(
                "api_info", f"see what the API offers with the account {account}", self._account(account)
            )
            if answer.get("failed"):
                self.data["unreached"][account] = {"reason": str(answer.get("msg")), "domains": len(mine)}
                continue
            self.data["works"][account] = answer["works"]
            for batch in _batches(mine):
                self._bring(account, batch, only, {*before, *identities.declared(descriptions)})
                done += len(batch)
                self._say(f"{done} of {counted(len(chosen), 'domain')} brought to what is declared")

    def _account(self, name: str) -> dict[str, Any]:
        return dict(self._options["accounts"].get(name) or {})

    def _bring(self, account: str, batch: Sequence[Description], only: Only, known: Iterable[Key]) -> None:
        names = f"{batch[0].domain} to {batch[-1].domain}" if len(batch) > 1 else batch[0].domain
        new = self._bring_domains(account, [one for one in batch if only.takes_domain(one.domain)], names)
        failed = {
            one["domain"] for one in self.data["changes"] if one["kind"] == "domain" and one["action"] == "failed"
        }
        senders = [
            sender for one, sender in _senders(batch, only) if one.domain not in failed and sender.state != ABSENT
        ]
        self._bring_senders(account, senders, new, names)
        self._find_strangers(account, [one.domain for one in batch if one.domain not in failed], set(known), names)

    def _bring_domains(self, account: str, batch: Sequence[Description], names: str) -> list[str]:
        """Which domains are new."""
        if not batch:
            return []
        wanted = [
            {"domain": one.domain, "outgoing": True, **_given(one.options, "destinations", "abuse_contact")}
            for one in batch
        ]
        answer = self._ask("domains", f"the domains {names}", {**self._account(account), "domains": wanted})
        self._heard(answer, "domain")
        return [normalise_domain(one["domain"]) for one in answer.get("domains", ()) if one["action"] == "created"]

    def _bring_senders(self, account: str, senders: Sequence[Sender], new: Sequence[str], names: str) -> None:
        if not senders:
            return
        credentials = self._read(missing=True)
        doubtful = self._try_untried(senders, credentials)
        users = {_key_in_use(sender, credentials): self._user(account, sender, credentials) for sender in senders}
        answer = self._ask(
            "outgoing_users",
            f"the senders of {names}",
            {
                **self._account(account),
                **self._smarthost,
                "users": list(users.values()),
                "new_domains": list(new),
                "refused_logins": self._refusals,
                "return_unchanged": True,
            },
        )
        self.data["refusals"] = max(self._refusals, int(answer.get("refused_logins") or 0))
        self._heard(answer, "sender")
        self._learn(answer, senders, users, credentials, doubtful)

    def _try_untried(self, senders: Sequence[Sender], credentials: Credentials) -> set[str]:
        """Try the passwords that an earlier run has made, as the vendor may have them; whose were refused."""
        made = set(self.data["made"])
        asked = [
            credentials.entries[sender.login]
            for sender in senders
            if _is_stored(sender)
            and sender.login not in made
            and sender.login in credentials.entries
            and credentials.entries[sender.login].made == UNTRIED
        ]
        if not asked or self._check_mode or self._refusals >= MOST_REFUSALS:
            return set()
        logins = [{"login": entry.login, "password": entry.current} for entry in asked]
        answer = self._ask(
            "smtp_login_info",
            "try the passwords that an earlier run has made",
            {**self._smarthost, "logins": logins, "refused_logins": self._refusals, "fail_on_refusal": False},
        )
        found = answer.get("logins", ())
        self.data["refusals"] = self._refusals + sum(proof["accepted"] is False for proof in found)
        accepted = [entry.name for entry, proof in zip(asked, found) if proof["accepted"]]
        self._change(
            "remember which passwords work", lambda known: {name: known.prove(name, _day()) for name in accepted}
        )
        for name in accepted:
            credentials.prove(name, _day())
        return {entry.name for entry, proof in zip(asked, found) if proof["accepted"] is False}

    def _user(self, account: str, sender: Sender, credentials: Credentials) -> dict[str, Any]:
        """The sender as outgoing_users takes it, with its password."""
        user = dict(sender.user)
        if not self.data["works"][account].get("change_limits", True) and user.pop("limits", None):
            self.data["to_do"].append(f"{sender.login}: this server has no call that changes limits; see api_methods")
        if not _is_stored(sender):
            return user
        entry = credentials.entries.get(sender.login)
        if entry is None:  # in check mode
            return {**user, "password": _PREDICTED, "update_password": "on_create", "password_is_new": True}
        login, password = entry.in_use
        user["username" if sender.wanted.key.username else "domain"] = login.rpartition("@")[0] or login
        if entry.made == OTHER_IN_FORCE and user.get("update_password") != "always":
            return user
        user["password"] = password
        if entry.made == UNTRIED:
            user.update(update_password=user.get("update_password", "on_create"), password_is_new=True)
        elif entry.proven and self._options["prove"] == "new":
            user.setdefault("update_password", "on_create")
        return user

    def _learn(
        self,
        answer: Mapping[str, Any],
        senders: Sequence[Sender],
        users: Mapping[Key, Mapping[str, Any]],
        credentials: Credentials,
        doubtful: set[str],
    ) -> None:
        """Remember which passwords are proven now, and which ones were never in force."""
        by_key = {_key_in_use(sender, credentials): sender for sender in senders}
        proven, dropped, doubted = [], [], []
        for user in answer.get("users", ()):
            key = Key.of_result(user)
            sender, sent = by_key.get(key), users.get(key, {})
            if sender is None or not _is_stored(sender):
                continue
            name, word = sender.login, user.get("password")
            self.data["with_password"] += 1
            if word == "set" or (word == "kept" and sent.get("update_password") != "on_create"):
                proven.append(name)
            elif word == "kept" and sent.get("password_is_new"):
                (dropped if name in self.data["made"] else doubted if name in doubtful else []).append(name)
            self.data["unproven"] += name not in proven
        self.data["to_do"] += [
            f"{name} was at the vendor before, with a password that the store does not have: put that one into the store "
            "(credential_store), or say update_password: always in its description once, which sets a new one"
            for name in [*dropped, *doubted, *(n for n in self._not_in_force(senders, credentials) if n not in doubted)]
        ]

        def change(known: Credentials) -> dict[str, str]:
            actions = {name: known.prove(name, _day()) for name in proven}
            actions.update({name: known.doubt(name) for name in doubted})
            return {**actions, **{name: known.remove(name) for name in dropped}}

        if not self._check_mode:
            self._change("remember which passwords work", change)

    @staticmethod
    def _not_in_force(senders: Sequence[Sender], credentials: Credentials) -> list[str]:
        return [
            sender.login
            for sender in senders
            if _is_stored(sender)
            and sender.login in credentials.entries
            and credentials.entries[sender.login].made == OTHER_IN_FORCE
        ]

    def _find_strangers(self, account: str, domains: Sequence[str], known: set[Key], names: str) -> None:
        """Who is at the vendor and was never declared, where the server shows it."""
        if not domains or not self.data["works"][account].get("read_users"):
            return
        answer = self._ask(
            "outgoing_user_info",
            f"see who else may send for {names}",
            {**self._account(account), "domains": [*domains]},
        )
        in_use = {Key.of_login(entry.in_use[0]) for entry in self._read(missing=True).entries.values()}
        for user in answer.get("users", ()):
            key = Key.of_result(user)
            if key not in known and key not in in_use:
                self.data["strangers"].append({**_named(user), "account": account, "login": login_of(key)})

    def _heard(self, answer: Mapping[str, Any], kind: str) -> None:
        """Note what was changed, and what was not to be done."""
        plural = "domains" if kind == "domain" else "users"
        for one in answer.get(plural, ()):
            if one["action"] not in ("unchanged", "ignored") or one.get("unknown"):
                shown = {name: one[name] for name in ("action", "reason", "unknown", "login") if one.get(name)}
                named = {"domain": one["domain"], "username": one.get("username", "")}
                self.data["changes"].append({"kind": kind, **named, **shown})
        if answer.get("failed") and not answer.get(plural):
            self.data["problems"].append(str(answer.get("msg")))

    # The end

    def finish(self) -> None:
        """Remove who has left, and who was never declared where that is told; let the store forget them; report."""
        options = self._options
        credentials = self._read(missing=True)
        before = identities.from_store(credentials.declared)
        descriptions, _servers, only = self._declared(before)
        absent = [
            identities.identity(one, sender) for one, sender in _senders(descriptions, only) if sender.state == ABSENT
        ]
        leavers = identities.leavers(descriptions, before) if options["remove"] else []
        going = [one for one in [*leavers, *absent] if only.takes(one.key)]
        if _digest(descriptions) != self.data["digest"]:
            # The mail servers know nothing of it yet.
            self.data["to_do"].append("The descriptions were changed while this run was under way: run again.")
            going = []
        held = {one.key: reason for one in going for reason in [self._still_used(one)] if reason}
        self.data["to_do"] += [f"{login_of(key)} is not removed: {reason}" for key, reason in held.items()]
        gone: list[Key] = []
        purged = [one for one in descriptions if one.purge and only.takes_domain(one.domain)]
        kept = {*identities.declared(descriptions), *before, *held}
        for account in sorted({one.account for one in going} | set(_by_account(purged))):
            if account not in self.data["works"] and account in self.data["unreached"]:
                continue
            leaving = [one for one in going if one.account == account and one.key not in held]
            mine = [one.domain for one in purged if one.options.get("account", "default") == account]
            gone += self._remove(account, leaving, mine, kept)
        self._forget(gone)
        self.data["leavers"] = [one for one in self.data["leavers"] if Key(one["domain"], one["username"]) not in gone]

    def _still_used(self, one: Identity) -> str:
        """Why it cannot be removed yet, or "": a mail server sends as it, or may do so."""
        if not one.login:
            return ""
        for host, state in self._options["hosts"].items():
            if one.login in state.get("logins", ()):
                return f"{host} still sends as it; mend what {host} has met, and run again"
            if one.relay and not state.get("seen"):
                return f"{host} could not be looked at, and may send as it; run again when it can be reached"
        return ""

    def _remove(
        self, account: str, leaving: Sequence[Identity], purged: Sequence[str], kept: Iterable[Key]
    ) -> list[Key]:
        """Who is gone."""
        users: list[dict[str, Any]] = [{**one.to_user(), "state": "absent"} for one in leaving]
        arguments: dict[str, Any] = {}
        if purged:
            named = {one.key for one in leaving}
            users += [_ignored(key) for key in sorted(kept) if key.domain in purged and key not in named]
            arguments = {"purge": True, "purge_domains": sorted({*purged, *(one.key.domain for one in leaving)})}
        if not users and not purged:
            return []
        answer = self._ask(
            "outgoing_users",
            "remove who has left",
            {**self._account(account), **arguments, "users": users, "return_unchanged": True},
        )
        self._heard(answer, "sender")
        shown = [(Key.of_result(user), user["action"]) for user in answer.get("users", ())]
        removed = {key for key, action in shown if action == "removed"}
        self.data["strangers"] = [one for one in self.data["strangers"] if Key.of_result(one) not in removed]
        wanted = {one.key for one in leaving}
        return [key for key, action in shown if key in wanted and action in _GONE]

    def _forget(self, gone: Sequence[Key]) -> None:
        """Let the store forget who is gone, with the password; and whose domain has nobody left."""

        def change(credentials: Credentials) -> dict[str, str]:
            known = identities.from_store(credentials.declared)
            credentials.declared = identities.to_store(one for key, one in known.items() if key not in gone)
            names = [name for name, entry in credentials.entries.items() if Key.of_login(entry.in_use[0]) in gone]
            return {name: credentials.remove(name) for name in names}

        if gone and not self._check_mode:
            self._change("forget who is gone", change)


def _senders(descriptions: Iterable[Description], only: Only) -> Iterator[tuple[Description, Sender]]:
    for one in descriptions:
        for sender in one.senders:
            if only.takes(sender.wanted.key):
                yield one, sender


def _is_stored(sender: Sender) -> bool:
    """Whether its password is in the store: it logs in, and no description names a password."""
    given = sender.wanted.password is not None or sender.wanted.password_file
    return bool(sender.login) and not given and sender.state != ABSENT


def _login_in_use(sender: Sender, known: Credentials) -> str:
    """What it logs in as now: a rotation may have given it a second login in place of its own."""
    entry: Optional[Credential] = known.entries.get(sender.login) if _is_stored(sender) else None
    return entry.in_use[0] if entry else sender.login


def _key_in_use(sender: Sender, known: Credentials) -> Key:
    login = _login_in_use(sender, known)
    return sender.wanted.key if sender.wanted.user.authentication == IP else Key.of_login(login) or sender.wanted.key


def _place(sender: Sender) -> dict[str, Any]:
    return {"place": sender.source, "sender": sender.wanted.position}


def _secret(sender: Sender) -> dict[str, Any]:
    """Where its password is: the name of a credential, or a place in a description; {} for one that has none."""
    if not sender.login:
        return {}
    return {"credential": sender.login} if _is_stored(sender) else _place(sender)


def _by_account(descriptions: Iterable[Description]) -> dict[str, list[Description]]:
    found: dict[str, list[Description]] = {}
    for one in descriptions:
        found.setdefault(str(one.options.get("account", "default")), []).append(one)
    return found


def _batches(descriptions: Sequence[Description]) -> Iterator[list[Description]]:
    batch: list[Description] = []
    for one in descriptions:
        batch.append(one)
        if sum(len(other.senders) + 1 for other in batch) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _vanished(descriptions: Sequence[Description], before: Known, only: Only) -> list[tuple[str, list[Identity]]]:
    found = identities.vanished(descriptions, before)
    return [(domain, gone) for domain, gone in found.items() if only.takes_domain(domain)]


def _digest(descriptions: Iterable[Description]) -> str:
    """Whether they are the same still. It tells nothing of a password."""
    shown = [
        [one.domain, dict(one.options), one.purge, [{**sender.user, "password": ""} for sender in one.senders]]
        for one in descriptions
    ]
    return hashlib.sha256(json.dumps(shown, default=str, sort_keys=True).encode()).hexdigest()


def _shown(one: Identity) -> dict[str, Any]:
    return {
        **{"domain": one.key.domain, "username": one.key.username, "login": login_of(one.key)},
        **{"account": one.account, "place": one.place, "people": [dict(person) for person in one.people]},
    }


def _named(user: Mapping[str, Any]) -> dict[str, Any]:
    return {name: user[name] for name in ("domain", "username", "authentication_method")}


def _ignored(key: Key) -> dict[str, Any]:
    method = "ip" if "." in key.username and key.username.replace(".", "").replace("/", "").isdigit() else "user"
    return {"domain": key.domain, "username": key.username, "authentication_method": method, "ignore": True}


def _given(options: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: options[name] for name in names if name in options}


def _day() -> str:
    return datetime.now(timezone.utc).date().isoformat()
