# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `apply` asks of the vendor: domains and senders, in batches of whole domains."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..module_utils._declaration import identities
from ..module_utils._declaration.description import ABSENT, PRESENT, Description, Sender
from ..module_utils._declaration.hosts import is_stored
from ..module_utils._declaration.identities import account_of
from ..module_utils._declaration.only import login_of
from ..module_utils._names import normalise_domain
from ..module_utils._smarthost.login import MOST_REFUSALS
from ..module_utils._users.plan import ALWAYS, ON_CREATE
from ..module_utils._users.user import Key, counted
from ._apply_means import ApplyMeans, Declared, key_in_use, today
from ._credentials import OTHER_IN_FORCE, UNTRIED, Credentials
from ._owner import StopError

#: So many senders, in whole domains, are one call: whoever watches hears from each.
_BATCH = 400
#: Stands for a password that only the real run makes. It is never sent.
_PREDICTED = "made-by-the-real-run"
_DONE = ("created", "updated", "unchanged")
Users = Mapping[Key, Mapping[str, Any]]


class ApplyVendor(ApplyMeans):
    """The phase `vendor`."""

    def vendor(self) -> None:
        """Bring the domains and their senders to what is declared."""
        declared = self._declared()
        if declared.digest != self.data["digest"]:
            raise StopError(
                "The descriptions were changed while this run was under way. Nothing was changed; run again."
            )
        self.data.update(works={}, unreached={})
        only = declared.only
        chosen = [
            one
            for one in declared.descriptions
            if only.takes_domain(one.domain) or any(only.takes(sender.wanted.key) for sender in one.senders)
        ]
        done = 0
        for account in sorted({account_of(one) for one in chosen}):
            mine = [one for one in chosen if account_of(one) == account]
            why = f"see what the API offers with the account {account}"
            answer = self._ask("api_info", why, self._account(account))
            if answer.get("failed"):
                self.data["unreached"][account] = {"reason": str(answer.get("msg")), "domains": len(mine)}
                continue
            self.data["works"][account] = answer["works"]
            for batch in _batches(mine):
                self._bring(account, batch, declared)
                done += len(batch)
                self._say(f"{done} of {counted(len(chosen), 'domain')} looked at")

    def _bring(self, account: str, batch: Sequence[Description], declared: Declared) -> None:
        names = f"{batch[0].domain} to {batch[-1].domain}" if len(batch) > 1 else batch[0].domain
        whole = [one for one in batch if declared.only.takes_domain(one.domain)]
        new, failed = self._bring_domains(account, whole, names)
        usable = [one for one in batch if one.domain not in failed]
        senders = [sender for _one, sender in declared.senders(usable) if sender.state != ABSENT]
        listed = [one.domain for one in whole if one.domain not in {*new, *failed}]
        domains = {"new_domains": new, "others_in": listed if self.data["works"][account].get("read_users") else []}
        self._bring_senders(account, senders, domains, declared, names)

    def _bring_domains(self, account: str, batch: Sequence[Description], names: str) -> tuple[list[str], set[str]]:
        """Which domains are new, and which could not be had."""
        if not batch:
            return [], set()
        wanted = [
            {
                "domain": one.domain,
                "outgoing": True,
                **{name: one.options[name] for name in ("destinations", "abuse_contact") if name in one.options},
            }
            for one in batch
        ]
        arguments = {**self._account(account), "domains": wanted, "return_unchanged": self._options["details"]}
        answer = self._ask("domains", f"ensure {names}", arguments)
        self._heard(answer, "domain")
        shown = [(normalise_domain(one["domain"]), one["action"]) for one in answer.get("domains", ())]
        failed = {domain for domain, action in shown if action in ("failed", "not_attempted")}
        if answer.get("failed") and not shown:
            failed = {one.domain for one in batch}
        return [domain for domain, action in shown if action in ("created", "unknown")], failed

    def _bring_senders(
        self,
        account: str,
        senders: Sequence[Sender],
        domains: Mapping[str, Sequence[str]],
        declared: Declared,
        names: str,
    ) -> None:
        """domains: those that are new, and those whose strangers are looked for, as options of outgoing_users."""
        if not senders and not domains["others_in"]:
            return
        credentials = self._read(missing=True)
        other = {
            sender.login
            for sender in senders
            if sender.wanted.key in declared.before and declared.before[sender.wanted.key].has_other_password
        }
        users = {key_in_use(sender, credentials): self._user(account, sender, credentials, other) for sender in senders}
        unlocked = self._unlocking(account, senders, declared)
        for sender in senders:
            if sender.wanted.key in unlocked:
                users[key_in_use(sender, credentials)].setdefault("locked", False)
        answer = self._ask(
            "outgoing_users",
            f"ensure the senders of {names}",
            {
                **self._account(account),
                **self._smarthost,
                **domains,
                "users": list(users.values()),
                "refused_logins": self._refusals,
                "return_unchanged": True,
            },
        )
        self.data["refusals"] = max(self._refusals, int(answer.get("refused_logins") or 0))
        self._heard(answer, "sender")
        self.data["same"] += sum(1 for one in answer.get("users", ()) if one["action"] == "unchanged")
        by_key = {key_in_use(sender, credentials): sender.login for sender in senders if is_stored(sender)}
        self._learn(_answers(answer, by_key), users, credentials, other)
        failed = {Key.of_result(user) for user in answer.get("users", ()) if user["action"] not in _DONE}
        if answer.get("users") and unlocked - failed and not self._check_mode:
            self._forget_locks(unlocked - failed)
        self._find_strangers(account, answer.get("others", ()), domains["others_in"], declared)

    def _unlocking(self, account: str, senders: Sequence[Sender], declared: Declared) -> set[Key]:
        """Whom an earlier run has locked, as it was declared, and who may send again now. Others' locks are theirs."""
        if not self.data["works"][account].get("lock_users"):
            return set()
        return {
            sender.wanted.key
            for sender in senders
            if sender.state == PRESENT
            and sender.wanted.key in declared.before
            and declared.before[sender.wanted.key].locked
        }

    def _forget_locks(self, keys: Collection[Key]) -> None:
        def change(known: Credentials) -> dict[str, str]:
            remembered = identities.from_store(known.declared)
            remembered.update({key: replace(remembered[key], locked=False) for key in keys if key in remembered})
            known.declared = identities.to_store(remembered.values())
            return {}

        self._change("forget which locks were taken away", change)

    def _user(self, account: str, sender: Sender, credentials: Credentials, other: Collection[str]) -> dict[str, Any]:
        """The sender as outgoing_users takes it, with its password.

        other: those who are known to have a password that the store does not have.
        """
        user, works = dict(sender.user), self.data["works"][account]
        if not works.get("change_limits", True) and user.pop("limits", None):
            self._note("no_limits", sender.login or str(sender.wanted.key))
        if not is_stored(sender):
            return user
        entry = credentials.entries.get(sender.login)
        if entry is None and sender.login in other and user.get("update_password") != ALWAYS:
            self._note("other_in_force", sender.login)
            return user
        if entry is None:  # in check mode
            return {**user, "password": _PREDICTED, "update_password": ON_CREATE, "password_is_new": True}
        login, password = entry.in_use
        if sender.wanted.key.username:
            user["username"] = login.rpartition("@")[0]
        listed = works.get("read_users")
        if entry.made == OTHER_IN_FORCE and not listed and user.get("update_password") != ALWAYS:
            self._note("other_in_force", entry.name)
            return user
        user["password"] = password
        # Where there is no list, a login is how one knows that the user is there.
        if entry.made or (entry.proven and self._options["prove"] == "new" and listed):
            user.setdefault("update_password", ON_CREATE)
        # Whoever exists keeps its password then; for anybody else it is new, and is proven.
        user["password_is_new"] = user.get("update_password") == ON_CREATE and bool(entry.made or listed)
        return user

    def _learn(
        self, answers: Mapping[str, Mapping[str, Any]], users: Users, credentials: Credentials, other: set[str]
    ) -> None:
        """Remember which passwords are proven now, and which ones were never in force.

        answers: what outgoing_users says, by the name of the credential.
        """
        proven, kept, gone = set(), set(), set()
        for name, said in answers.items():
            sent = users[Key.of_result(said)]
            if said.get("password") == "set" or (said.get("password") == "kept" and not sent.get("password_is_new")):
                proven.add(name)
            elif said.get("password") == "kept" and name in credentials.entries and credentials.entries[name].made:
                kept.add(name)
            elif said["action"] == "failed" and name in other and "password" not in sent:
                gone.add(name)
        made = set(self.data["made"])
        dropped = kept & made
        doubted: set[str] = set()
        for name, accepted in self._try(sorted(kept - made), credentials).items():
            (proven if accepted else doubted).add(name)
        for name in sorted(dropped | doubted | {name for name in kept if credentials.entries[name].made != UNTRIED}):
            self._note("other_in_force", name)
        self.data["to_do"] += [f"{name} is not at the vendor any more: run again, which makes it anew" for name in gone]
        if not self._check_mode:
            self._remember(proven, doubted, dropped, gone)
        self._count(set(answers), proven, credentials)

    def _try(self, names: Sequence[str], credentials: Credentials) -> dict[str, bool]:
        """Try passwords that an earlier run has made for users that exist: it may have been killed after their add."""
        found = [credentials.entries[name] for name in names]
        asked = [entry for entry in found if entry.made == UNTRIED or self._options["prove"] == "all"]
        if not asked or self._check_mode or self._refusals >= MOST_REFUSALS:
            return {}
        logins = [{"login": entry.login, "password": entry.current} for entry in asked]
        answer = self._ask(
            "smtp_login_info",
            "try the passwords that an earlier run has made",
            {**self._smarthost, "logins": logins, "refused_logins": self._refusals, "fail_on_refusal": False},
        )
        proofs = answer.get("logins", ())
        self.data["refusals"] = max(self._refusals, int(answer.get("refused_logins") or 0))
        return {entry.name: proof["accepted"] for entry, proof in zip(asked, proofs) if proof["accepted"] is not None}

    def _remember(self, proven: set[str], doubted: set[str], dropped: set[str], gone: set[str]) -> None:
        """dropped: passwords that were never in force. gone: who was to have another one, and is not there any more."""

        def change(known: Credentials) -> dict[str, str]:
            actions = {name: known.prove(name, today()) for name in proven}
            actions.update({name: known.doubt(name) for name in doubted})
            if dropped | gone:
                remembered = identities.from_store(known.declared)
                for key, one in remembered.items():
                    if one.login in dropped | gone:
                        remembered[key] = replace(one, has_other_password=one.login in dropped)
                known.declared = identities.to_store(remembered.values())
            return {**actions, **{name: known.remove(name) for name in dropped}}

        self._change("remember which passwords work", change, only_notes=True)

    def _count(self, names: set[str], proven: set[str], credentials: Credentials) -> None:
        earlier = {name for name in names - proven if name in credentials.entries and credentials.entries[name].proven}
        for what, found in (("proven", proven & names), ("earlier", earlier), ("unproven", names - proven - earlier)):
            self.data["passwords"][what] = self.data["passwords"].get(what, 0) + len(found)

    def _find_strangers(
        self, account: str, others: Iterable[Mapping[str, Any]], domains: Collection[str], declared: Declared
    ) -> None:
        """Who of these is no sender of ours: neither declared, now or before, nor a second login of a rotation."""
        stored = self._read(missing=True).entries.values()
        logins = [login for entry in stored for login in (entry.login, entry.next_login)]
        ours = {Key.of_login(login) for login in logins if login.rpartition("@")[2] in domains}
        ours |= {sender.wanted.key for one in declared.descriptions for sender in one.senders if one.domain in domains}
        ours |= {key for key, one in declared.before.items() if not one.gone}
        for user in others:
            key = Key.of_result(user)
            if key not in ours:
                self.data["strangers"].append({**user, "account": account, "login": login_of(key)})

    def _note(self, what: str, name: str) -> None:
        """Note something that a person has to hear of, once for all senders that it is about."""
        self.data["notes"].setdefault(what, []).append(name)


def _answers(answer: Mapping[str, Any], by_key: Mapping[Key, str]) -> dict[str, Mapping[str, Any]]:
    """What became of each of these senders, by the name of its credential."""
    said = {Key.of_result(user): user for user in answer.get("users", ())}
    return {name: said[key] for key, name in by_key.items() if key in said}


def _batches(descriptions: Iterable[Description]) -> Iterator[list[Description]]:
    batch: list[Description] = []
    size = 0
    for one in descriptions:
        batch.append(one)
        size += len(one.senders) + 1
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
