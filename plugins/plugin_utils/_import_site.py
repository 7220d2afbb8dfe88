# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of `import_site`: which logins there are, which of them work, and what is written down.

Nothing is changed but the credential store and, after it, descriptions that are not there yet. The vendor is only read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ..module_utils._declaration import identities
from ..module_utils._declaration.description import Description
from ..module_utils._declaration.hosts import is_stored
from ..module_utils._smarthost.login import MOST_REFUSALS
from ..module_utils._users.user import Key
from ._apply_means import today
from ._credentials import CREATED, UNCHANGED, Credential, Credentials
from ._import_account import Account, look_at_account
from ._import_files import Files
from ._import_found import (
    Found,
    FoundError,
    Login,
    Site,
    Verdict,
    after_trial,
    before_trial,
    by_key,
    csv_logins,
    gathered,
)
from ._import_report import report
from ._owner import Owner, StopError
from ._secrets import register_secret
from ._vault import VaultError

PHASES = ("begin", "finish")


class State(NamedTuple):
    """All that is known of the logins. networks: senders of the CSV that are known by their address."""

    logins: dict[Key, Login]
    networks: list[Key]
    strange: list[str]
    accounts: list[Account]
    site: Site


class ImportSite(Owner):
    """The phases. Each raises StopError and StoreError; afterwards the store is to be released."""

    def __init__(self, *arguments: Any, vault: Any, **options: Any) -> None:
        """vault: the vault passwords of this run."""
        super().__init__(*arguments, **options)
        self._vault = vault

    def left(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def begin(self) -> None:
        """Keep the store for this run, ask the accounts what they have, and try each login once."""
        self.hold()
        logins, networks, strange = self._found()
        accounts = self._look_at_accounts(logins) if self._options["describe"] else []
        self.data.update(accounts=[account.to_run() for account in accounts], proofs={}, elsewhere={}, refusals=0)
        state = State(logins, networks, strange, accounts, self._site(accounts))
        self._try(state)

    def finish(self) -> None:
        """Write the store, then the descriptions that are not there yet; report."""
        accounts = [Account.from_run(given) for given in self.data["accounts"]]
        logins, networks, strange = self._found()
        state = State(logins, networks, strange, accounts, self._site(accounts))
        credentials = self._read(missing=True)
        verdicts = self._verdicts(state, credentials)
        stored = {*credentials.entries, *(logins[key].name for key, one in verdicts.items() if one.action == CREATED)}
        files = Files(self._options, accounts)
        if self._options["describe"]:
            files.plan(logins, verdicts, self._senders_without_list(verdicts, credentials), networks, stored)
        self._keep(logins, verdicts, files.new, stored)
        if not self._check_mode:
            files.write()
        self.diffs += files.diffs
        self.changed = self.changed or bool(files.diffs)
        self.data = {
            "report": report(
                {key: (logins[key], verdict) for key, verdict in verdicts.items()},
                files.result,
                self._unread() + strange,
                [why for account in accounts for why in account.unknown],
                self._not_read(),
                check=self._check_mode,
            )
        }

    # What there is

    def _found(self) -> tuple[dict[Key, Login], list[Key], list[str]]:
        found: list[Found] = []
        for looks in (self._options["hosts"], self._options["clients"]):
            for look in looks.values():
                if look.get("found"):
                    found += self._opened(look["found"])
        networks: list[Key] = []
        if self._options["csv"]:
            listed, networks = self._csv(self._options["csv"])
            found += listed
        register_secret(*{one.password for one in found})
        logins, strange = gathered(found)
        return logins, networks, strange

    def _opened(self, sealed: str) -> list[Found]:
        try:
            plain, _key = self._vault.decrypt(sealed.encode())
        except VaultError as problem:
            raise StopError(f"What a host has cannot be opened: {problem}") from None
        return [Found(*fields) for fields in json.loads(plain)]

    def _csv(self, path: str) -> tuple[list[Found], list[Key]]:
        try:
            return csv_logins(Path(path).expanduser().read_text(encoding="utf-8-sig"), "the CSV")
        except (OSError, UnicodeDecodeError) as problem:
            reason = getattr(problem, "strerror", None) or "it is not UTF-8"
            raise StopError(f"{path} cannot be read: {reason}. Nothing was changed.") from None
        except FoundError as problem:
            raise StopError(f"{path}: {problem}. Nothing was changed.") from None

    def _look_at_accounts(self, logins: Iterable[Key]) -> list[Account]:
        named = sorted({key.domain for key in logins})
        options = self._options["accounts"] or {"default": {}}

        def ask(module: str, why: str, arguments: dict[str, Any]) -> dict[str, Any]:
            return self._ask(module, why, arguments)

        return [look_at_account(name, dict(given or {}), named, ask) for name, given in sorted(options.items())]

    def _site(self, accounts: Sequence[Account]) -> Site:
        if not self._options["describe"]:
            return Site(None)
        owners = {domain: account for account in reversed(accounts) for domain in account.domains}
        users = frozenset(key for account in accounts for key in account.users)
        return Site(owners, lambda domain: domain in owners and owners[domain].listed, users)

    # What works

    def _try(self, state: State) -> None:
        """Log in with each login of which nothing else is known, from here; note who has to do it from elsewhere."""
        stored = by_key(self._read(missing=True).entries)
        wanted = [one for key, one in sorted(state.logins.items()) if before_trial(one, stored, state.site) is None]
        if not wanted:
            return
        logins = [{"login": one.name, "password": one.password} for one in wanted]
        arguments = {**self._smarthost, "logins": logins, "fail_on_refusal": False}
        answer = self._ask("smtp_login_info", "try the logins that were found", arguments)
        if "logins" not in answer:
            raise StopError(f"The logins could not be tried: {answer.get('msg')} Nothing was changed.")
        self.data["refusals"] = int(answer["refused_logins"])
        for one, proof in zip(wanted, answer["logins"]):
            self.data["proofs"][one.name] = {name: proof[name] for name in ("accepted", "reason")}
            hosts = [place for place in one.places[one.password] if place in self._options["hosts"]]
            if proof["accepted"] is None and hosts and self._refusals < MOST_REFUSALS:
                self.data["elsewhere"].setdefault(hosts[0], []).append(one.name)

    def _verdicts(self, state: State, credentials: Credentials) -> dict[Key, Verdict]:
        stored = by_key(credentials.entries)
        proofs = {**self.data["proofs"]}
        for tried in self._options["proofs"].values():
            proofs.update(tried.get("proofs") or {})
        verdicts = {}
        for key, one in sorted(state.logins.items()):
            verdict = before_trial(one, stored, state.site)
            if verdict is None:
                unknown = {"accepted": None, "reason": "it was not tried, as it was found only now; run again"}
                verdict = after_trial(one, proofs.get(one.name, unknown), stored.get(key))
            verdicts[key] = verdict
        return verdicts

    @staticmethod
    def _senders_without_list(verdicts: Mapping[Key, Verdict], credentials: Credentials) -> set[Key]:
        """Whose login works, or is in the store, which is how one knows who is there where nothing lists the users."""
        works = {key for key, verdict in verdicts.items() if verdict.action in (CREATED, UNCHANGED)}
        return works | {key for key, entry in by_key(credentials.entries).items() if entry.proven}

    # What is written

    def _keep(
        self,
        logins: Mapping[Key, Login],
        verdicts: Mapping[Key, Verdict],
        new: Sequence[Description],
        stored: set[str],
    ) -> None:
        """Have the logins that work in the store, with who is there and has another password."""
        works = [logins[key] for key, verdict in verdicts.items() if verdict.action == CREATED]

        def change(credentials: Credentials) -> dict[str, str]:
            actions = {}
            for one in works:
                credentials.entries[one.name] = Credential(one.name, one.name, one.password, proven=today())
                actions[one.name] = CREATED
            before = identities.from_store(credentials.declared)
            known = identities.remembered(new, before, lambda _key: True, stored)
            for description in new:
                for sender in description.senders:
                    key = sender.wanted.key
                    if is_stored(sender) and sender.login not in stored:
                        known[key] = replace(known[key], has_other_password=True)
            if new:
                credentials.declared = identities.to_store(known.values())
            return actions

        self._change("keep the logins that work", change)

    # What could not be read

    def _unread(self) -> list[str]:
        kinds = (self._options["hosts"], self._options["clients"])
        both = [one for looks in kinds for one in looks.items()]
        return [f"{host}: {what}" for host, look in both for what in look.get("unread") or ()]

    def _not_read(self) -> list[str]:
        """One sentence for each host of which nothing is known."""
        kinds = (("mail server", self._options["hosts"]), ("computer", self._options["clients"]))
        return [
            f"{kind} {host}: {look.get('problem') or 'not reached'}; its logins are missing, so the proof is open"
            for kind, looks in kinds
            for host, look in looks.items()
            if "found" not in look
        ]
