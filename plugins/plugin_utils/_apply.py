# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of `apply`: what is declared, what the store knows, and who is removed at the end.

A password is in the store on disk before the vendor hears of it. A run that was killed is finished by the next one,
from the descriptions and the store alone.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..module_utils._declaration import identities
from ..module_utils._declaration.description import ABSENT, Sender
from ..module_utils._declaration.hosts import hosts_left, is_stored, name_of, people_of_hosts, server_of, still_used
from ..module_utils._declaration.identities import Identity, account_of
from ..module_utils._declaration.onboarding_summary import details_of
from ..module_utils._declaration.only import Only, login_of
from ..module_utils._declaration.report import relay_lines, report
from ..module_utils._users.plan import ALWAYS
from ..module_utils._users.user import Key, options_of
from ._apply_means import Declared, keys_of, login_in_use, today
from ._apply_vendor import ApplyVendor
from ._container import in_container
from ._credentials import UNTRIED, Credentials
from ._owner import StopError, write_report

PHASES = ("begin", "vendor", "finish")
_GONE = ("removed", "unchanged")


class Apply(ApplyVendor):
    """The phases. Each raises StopError, InputError and StoreError; afterwards the store is to be released."""

    def left(self) -> dict[str, Any]:
        """What is wrong: what comes after it on hosts is left."""
        return {"problems": self.data.get("problems", [])}

    def begin(self) -> None:
        """Read and check what is declared, keep the store for this run, and have a password for each login in it."""
        self.hold()
        declared = self._declared()
        leavers = declared.leavers
        if self._removes:
            self._check_limit(leavers)
        new = self._make_passwords(declared)
        self.data.update(
            digest=declared.digest,
            made=new,
            handed_over=self._handed_over(declared, new) if self._options["hands_over"] else [],
            domains=len(declared.descriptions),
            senders=sum(1 for _one, sender in declared.senders() if sender.state != ABSENT),
            removes=self._removes,
            leavers=[_shown(one) for one in leavers],
            vanished={
                domain: [_shown(one) for one in gone]
                for domain, gone in identities.vanished(declared.descriptions, declared.before).items()
                if declared.only.takes_domain(domain)
            },
            works={},
            unreached={},
            passwords={},
            users={},
            domain_actions={},
            same=0,
            **{name: [] for name in ("changes", "problems", "strangers", "to_do")},
            notes={},
        )
        self._find_hosts(declared)
        if self._options["leaving"]:
            gone = [one for key, one in declared.before.items() if declared.only.takes(key) and one.gone]
            self.data["to_do"] += [f"nothing: {login_of(one.key)} was removed on {one.gone}" for one in gone]

    def _check_limit(self, leavers: Sequence[Identity]) -> None:
        limit = self._options["remove_limit"]
        if len(leavers) > limit:
            names = ", ".join(login_of(one.key) for one in leavers[:5])
            raise StopError(
                f"{len(leavers)} senders are declared no more ({names}{', ...' if len(leavers) > 5 else ''}), and "
                f"spamexperts_remove_limit lets a run remove {limit}. Nothing was changed. See whether a description "
                "has lost lines; if all of them are to go, raise the limit."
            )

    def _make_passwords(self, declared: Declared) -> list[str]:
        """Remember who is declared, and make the passwords that there are not yet; for which logins."""
        known = self._read(missing=True).entries
        remembered = identities.remembered(declared.descriptions, declared.before, declared.only.takes, known)
        new = [
            sender.login
            for _one, sender in declared.senders()
            if is_stored(sender)
            and sender.login not in known
            # Whose own password is in force gets no other one, unless somebody says so.
            and (not remembered[sender.wanted.key].has_other_password or sender.wanted.update_password == ALWAYS)
        ]
        options = self._options
        if new and in_container() and not (self._check_mode or options["store_is_kept"] or options["hands_over"]):
            raise StopError(
                "This run is in a container, whose disk may be thrown away after it, and with it the only copy of the "
                f"passwords that it would make. Mount the folder of {self._store.path} from outside, and say so with "
                "spamexperts_store_is_kept: true."
            )

        def change(credentials: Credentials) -> dict[str, str]:
            credentials.declared = identities.to_store(remembered.values())
            return {login: credentials.make(login, options["make_password"]) for login in new}

        if self._check_mode and not self._store.path.exists():
            self.changed = self.changed or bool(new)
        else:
            self._change("remember who is declared, with a password for each login", change)
        return new

    def _handed_over(self, declared: Declared, new: Sequence[str]) -> list[str]:
        """Whose passwords another store has to know: new ones, and those of a run that ended before they were used."""
        entries = self._read(missing=True).entries
        early = {name for name, entry in entries.items() if entry.made == UNTRIED}
        return [*new, *(sender.login for _one, sender in declared.senders() if sender.login in early - set(new))]

    def _find_hosts(self, declared: Declared) -> None:
        options, only = self._options, declared.only
        known = self._read(missing=True)

        def in_use(sender: Sender) -> str:
            return login_in_use(sender, known)

        leaving = [one for one in declared.leaving(remove=self._removes) if not one.gone]
        everywhere = only.hosts is None and bool(leaving)  # any mail server may have the login of who leaves
        visited = [
            host for host in options["mail_servers"] if everywhere or only.visits(host, declared.servers.get(host))
        ]
        silent = [host for host in visited if host not in declared.servers and not options["own_logins"].get(host)]
        # One of which only the inventory says as what it sends has nothing here.
        servers = {
            host: server_of(declared.servers[host], in_use) if host in declared.servers else {}
            for host in visited
            if host not in silent
        }
        # A host that is named is a part of the run with everybody who has something there.
        everybody = [sender for one in declared.descriptions for sender in one.senders]
        senders = [sender for _one, sender in declared.senders()] if only.hosts is None else everybody
        former = declared.former_people
        people = people_of_hosts(senders, leaving, former if self._removes else {}, in_use, options["groups"])
        self.data.update(
            mail_servers=servers,
            left_alone=silent,
            looked_at=silent if everywhere else [],
            clients={h: p for h, p in people.items() if _is_visited(only, h)},
            former_people=[_shown_person(key, person) for key, listed in former.items() for person in listed],
        )

    def finish(self) -> None:
        """Remove who has left, and who was never declared where that is told; let the store forget them; report."""
        declared = self._declared()
        if declared.digest == self.data["digest"]:
            self._remove_all(declared)
        else:
            # The mail servers know nothing of it yet.
            self.data["to_do"].append("the descriptions were changed while this run was under way: run again")
        made = report(self.data, self._options["hosts"], self._options["clients"], check=self._check_mode)
        self._write_result(made)
        details = self._details(declared) if self._options["details"] else {}
        self.data = {"report": made, "details": details}

    def _details(self, declared: Declared) -> dict[str, Any]:
        """Domain -> what the summary of an onboarding says of it."""
        entered = {
            person["login"]
            for host, people in self.data["clients"].items()
            if self._options["clients"].get(host, {}).get("done")
            for person in people
        }
        return {
            one.domain: details_of(
                one,
                self.data["users"].get(one.domain, ()),
                self.data["domain_actions"].get(one.domain, ["not looked at"])[0],
                limits_offered=self.data["works"].get(account_of(one), {}).get("change_limits", True),
                relays=relay_lines(self.data["mail_servers"], self._options["hosts"], one.domain),
                entered=entered,
                check=self._check_mode,
            )
            for one in declared.descriptions
            if declared.only.takes_domain(one.domain)
        }

    def _remove_all(self, declared: Declared) -> None:
        known, options = self._read(missing=True), self._options
        keys = {one.key: keys_of(one, known) for one in declared.leaving(remove=self._removes)}
        # One that was not looked at in this run may send as anybody.
        hosts = {host: options["hosts"].get(host, {}) for host in options["mail_servers"]}
        held = {
            one.key: reason
            for one in declared.leaving(remove=self._removes)
            if (reason := still_used(one, keys[one.key], hosts, declared.servers))
        }
        self.data["to_do"] += [f"{login_of(key)} is not removed: {reason}" for key, reason in held.items()]
        self._forget_people(declared)
        going = [one for one in declared.leaving(remove=self._removes) if one.key not in held]
        purged = [one for one in declared.descriptions if one.purge and declared.only.takes_domain(one.domain)]
        for account in sorted({one.account for one in going} | {account_of(one) for one in purged}):
            if account in self.data["unreached"]:
                continue
            self._forget(self._remove(account, [one for one in going if one.account == account], keys))
            self._purge(account, [one.domain for one in purged if account_of(one) == account], declared)

    def _remove(self, account: str, leaving: Sequence[Identity], keys: Mapping[Key, Sequence[Key]]) -> list[Identity]:
        """Who of them is gone. keys: whom each of them may be at the vendor."""
        if not self.data["works"].get(account, {}).get("read_users"):
            # Without a list, each removal is a call that writes.
            leaving = [one for one in leaving if not one.gone]
        users = [
            {**(options_of(key) if one.login else one.to_user()), "state": "absent"}
            for one in leaving
            for key in keys[one.key]
        ]
        actions = self._manage(account, "remove who has left", {"users": users}) if users else {}
        return [one for one in leaving if all(actions.get(key) in _GONE for key in keys[one.key])]

    def _purge(self, account: str, domains: Sequence[str], declared: Declared) -> None:
        """Remove who was never declared."""
        if not domains or not self.data["works"].get(account, {}).get("purge"):
            return
        known = self._read(missing=True)
        before = identities.from_store(known.declared)
        remembered = identities.remembered(declared.descriptions, before, declared.only.takes, known.entries)
        kept = [one for one in remembered.values() if one.key.domain in domains and not one.gone]
        users = {key: options_of(key) if one.login else one.to_user() for one in kept for key in keys_of(one, known)}
        ignored = [{**user, "ignore": True} for user in users.values()]
        arguments = {"users": ignored, "purge": True, "purge_domains": list(domains)}
        actions = self._manage(account, "remove who was never declared", arguments)
        self.data["strangers"] = [one for one in self.data["strangers"] if actions.get(Key.of_result(one)) != "removed"]

    def _manage(self, account: str, why: str, arguments: dict[str, Any]) -> dict[Key, str]:
        """What became of each user."""
        arguments = {**self._account(account), **arguments, "return_unchanged": True}
        answer = self._ask("outgoing_users", why, arguments)
        self._heard(answer, "sender")
        return {Key.of_result(user): user["action"] for user in answer.get("users", ())}

    def _forget(self, gone: Collection[Identity]) -> None:
        """Let the store forget the passwords of those who are gone, and remember that they are."""
        keys = {one.key for one in gone}
        self.data["leavers"] = [one for one in self.data["leavers"] if Key.of_result(one) not in keys]
        cleared = [one for one in gone if not (left := self._computers_left(one)) or self._note_left(one, left)]
        if self._check_mode or not cleared:
            return

        def change(credentials: Credentials) -> dict[str, str]:
            known = identities.from_store(credentials.declared)
            for one in cleared:
                before = known.get(one.key, one)
                known[one.key] = replace(before, gone=before.gone or today())
            credentials.declared = identities.to_store(known.values())
            return {one.login: credentials.remove(one.login) for one in cleared if one.login}

        self._change("forget who is gone", change)

    def _forget_people(self, declared: Declared) -> None:
        """Let the store forget whose Thunderbird sends as a sender no more."""
        former = declared.former_people
        if not self._removes or not former:
            return
        groups, clients = self._options["groups"], self._options["clients"]
        cleared: dict[Key, list[Mapping[str, str]]] = {
            sender.wanted.key: [
                person
                for person in former.get(sender.wanted.key, ())
                if all(clients.get(host, {}).get("done") for host in hosts_left(sender, person, groups))
            ]
            for _one, sender in declared.senders()
        }
        done = {
            (login_of(key), person["host"], name_of(person)) for key, listed in cleared.items() for person in listed
        }
        self.data["former_people"] = [
            one for one in self.data["former_people"] if (one["login"], one["host"], one["person"]) not in done
        ]

        def change(credentials: Credentials) -> dict[str, str]:
            known = identities.from_store(credentials.declared)
            for key, people in cleared.items():
                if key in known:
                    known[key] = replace(known[key], people=[one for one in known[key].people if one not in people])
            credentials.declared = identities.to_store(known.values())
            return {}

        if done and not self._check_mode:
            self._change("forget whose Thunderbird sends as somebody no more", change)

    def _computers_left(self, one: Identity) -> list[str]:
        """Where its Thunderbird still has it."""
        groups, clients = self._options["groups"], self._options["clients"]
        hosts = {host for person in one.people for host in groups.get(person["host"], ())}
        return sorted(host for host in hosts if not (one.gone or clients.get(host, {}).get("done")))

    def _note_left(self, one: Identity, hosts: Sequence[str]) -> bool:
        """Say where the next run has to go; nobody is forgotten before."""
        self.data["to_do"].append(f"{one.login} is still in a Thunderbird on {', '.join(hosts)}; run again")
        return False

    def _write_result(self, made: Mapping[str, Any]) -> None:
        target = self._options["result_file"]
        if not target:
            return
        shown = {**{name: value for name, value in made.items() if name != "summary"}, "check": self._check_mode}
        write_report("spamexperts_result_file", target, json.dumps(shown, indent=2) + "\n", made["summary"])


def _is_visited(only: Only, host: str) -> bool:
    return only.hosts is None or host in only.hosts


def _shown(one: Identity) -> dict[str, Any]:
    return {
        **{"domain": one.key.domain, "username": one.key.username, "login": login_of(one.key)},
        **{"account": one.account, "place": one.place},
    }


def _shown_person(key: Key, person: Mapping[str, str]) -> dict[str, str]:
    return {"login": login_of(key), "host": person["host"], "person": name_of(person)}
