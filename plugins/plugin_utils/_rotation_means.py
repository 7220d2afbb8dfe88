# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each phase of a rotation works with: the store, the modules of the collection, and what the smarthost bears."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Callable, Optional

from ..module_utils._rotation import description, objections, requests
from ..module_utils._rotation.entry import NEXT
from ..module_utils._smarthost.login import MOST_REFUSALS
from ._credentials import UNCHANGED, Credentials
from ._secrets import register_secret
from ._store import Store

Entry = Mapping[str, Any]
#: Runs a module of the collection on the controller: its name and its options; the result, which may say `failed`.
Call = Callable[[str, dict[str, Any]], dict[str, Any]]

LOGIN = "login"
#: What `calls` shows of a module's result.
_SHOWN = ("changed", "failed", "msg", "works", "users", "logins")


class StopError(ValueError):
    """The rotation stops here; the message is for people and holds no secret."""


class Means:
    """One phase of one run, without what makes it that phase.

    data: what is handed to the next phase. calls: what was asked and answered. Neither ever holds a password.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        store: Store,
        call: Call,
        *,
        check_mode: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """options: as the module `rotation` documents them."""
        self._sleep = sleep
        self._options = options
        self._store = store
        self._call = call
        self._check_mode = check_mode
        self.data: dict[str, Any] = dict(options["run"] or {})
        self.calls: list[dict[str, Any]] = []
        self.changed = False
        self.holds = not check_mode and options["phase"] != "begin"

    def release(self) -> None:
        """Let other runs have the store."""
        if self.holds:
            with self._store.locked(self._store.this_run()):
                self._store.release()
            self.holds = False

    @property
    def _refusals(self) -> int:
        """How many logins from here the smarthost has refused in this run; it blocks an address that fails often."""
        return int(self.data.get("refusals", 0))

    def _pauses(self) -> tuple[float, ...]:
        """Before each of a few attempts, growing; all of them together take what the rotation allows."""
        seconds = description.settle_seconds(self._wanted)
        return (0, 0.2 * seconds, 0.8 * seconds) if seconds else (0,)

    def _within_budget(self, entries: Sequence[Entry], which: str, why: str) -> list[dict[str, Any]]:
        """As `_try`, for logins that the rotation can do without: no more than three are refused in a run."""
        if self._refusals < MOST_REFUSALS:
            return self._try(entries, which, why, {"refused_logins": self._refusals})
        reason = f"not tried, because the smarthost has refused {self._refusals} logins, and blocks who fails often"
        return [{"login": entry[which], "accepted": None, "reason": reason} for entry in entries]

    def _tried(self, entries: Sequence[Entry], which: str, why: str) -> list[dict[str, Any]]:
        """The proofs of logins that are in doubt: a second login has to be tried, others as far as the budget goes."""
        moving = [entry for entry in entries if entry["moves"]]
        staying = [entry for entry in entries if not entry["moves"]]
        return [*self._try(moving, which, why), *(self._within_budget(staying, which, why) if staying else [])]

    @property
    def _wanted(self) -> Mapping[str, Any]:
        wanted: Mapping[str, Any] = self._options["rotation"]
        return wanted

    @property
    def _goes_back(self) -> bool:
        return bool(self._wanted.get("roll_back"))

    @property
    def _entries(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.data["plan"]["credentials"]
        return entries

    @property
    def _account(self) -> dict[str, Any]:
        return dict(self._options["account"] or {})

    @property
    def _smarthost(self) -> dict[str, Any]:
        names = ("smarthost", "smarthost_port", "smarthost_ca_path")
        return {name: self._options[name] for name in names if self._options[name] is not None}

    def _staging(self, entry: Entry) -> Callable[[Credentials], str]:
        make, marks = self._options["make_password"], {name: entry[name] for name in ("locked", "leaked")}
        renew = entry["renewed"]
        return lambda credentials: credentials.stage(entry["name"], entry[NEXT], make, renew=renew, **marks)

    @staticmethod
    def _stop_for(problems: Sequence[str], before: str = "") -> None:
        if problems:
            raise StopError(" ".join(filter(None, (before, *problems))))

    def _stop_unless_well(self) -> None:
        if self._wanted.get("emergency") or self._wanted.get("leave_out_broken_hosts"):
            return
        states = {host: self._options["hosts"].get(host) or {} for host in self.data["plan"]["hosts"]}
        unwell = objections.unwell(states)
        if unwell:
            raise StopError(unwell)

    def _ask(self, module: str, why: str, arguments: dict[str, Any]) -> dict[str, Any]:
        result = self._call(module, arguments)
        self.changed = self.changed or bool(result.get("changed"))
        shown = {name: result[name] for name in _SHOWN if name in result}
        self.calls.append({"module": module, "why": why, **shown})
        return result

    @staticmethod
    def _succeeded(result: dict[str, Any]) -> dict[str, Any]:
        if result.get("failed"):
            raise StopError(str(result.get("msg") or "A module failed, and did not say why."))
        return result

    def _manage(self, users: Sequence[Mapping[str, Any]], why: str, **options: int) -> dict[str, Any]:
        """What outgoing_users makes of these users; nothing where there are none. A failure is in the result."""
        if not users:
            return {}
        arguments = {**self._account, **self._smarthost, "users": list(users), "return_unchanged": True, **options}
        return self._ask("outgoing_users", why, arguments)

    def _lock(self, entries: Sequence[Entry], locked: bool, why: str) -> dict[str, Any]:
        return self._manage(requests.locks(entries, locked), why)

    def _set(self, entries: Sequence[Entry], which: str, why: str) -> dict[str, Any]:
        users = requests.users(
            entries, self._passwords(entries, which), which, self.data["present"], self.data["works"]
        )
        # It logs in with what it has set: what the API says now may hold at the smarthost in a while.
        seconds = description.settle_seconds(self._wanted)
        result = self._manage(users, why, wait_timeout=seconds, refused_logins=self._refusals)
        self.data["refusals"] = max(self._refusals, int(result.get("refused_logins") or 0))
        return result

    def _try(
        self, entries: Sequence[Entry], which: str, why: str, budget: Optional[Mapping[str, int]] = None
    ) -> list[dict[str, Any]]:
        """What the smarthost says of these logins, from the controller."""
        if not entries or self._check_mode:
            return []
        logins = requests.logins(entries, self._passwords(entries, which), which)
        arguments = {**self._smarthost, **(budget or {}), "logins": logins, "fail_on_refusal": False}
        answer = self._ask("smtp_login_info", why, arguments)
        if answer.get("failed"):
            # Nothing is proven, and the vendor has changed already: what can be done without is done.
            return [{LOGIN: entry[which], "accepted": None, "reason": str(answer.get("msg"))} for entry in entries]
        found: list[dict[str, Any]] = answer["logins"]
        self.data["refusals"] = self._refusals + sum(proof["accepted"] is False for proof in found)
        return found

    def _passwords(self, entries: Sequence[Entry], which: str) -> list[str]:
        found = self._store.find(entry["name"] for entry in entries) if entries else []
        register_secret(*(text for entry in found for text in (entry.current, entry.next)))
        if which == LOGIN:
            return [entry.current for entry in found]
        # In check mode nothing is staged, so there may be no next password.
        return [entry.in_use[1] if self._check_mode else entry.next for entry in found]

    def _read(self) -> Credentials:
        credentials = self._store.read()
        for entry in credentials.entries.values():
            register_secret(entry.current, entry.next, entry.former)
        return credentials

    def _remember(self, state: str, changes: Mapping[str, Callable[[Credentials], str]]) -> None:
        """Bring credentials into this state of the module credential_store: all of them, or none.

        In check mode, only find out whether the store could be written.
        """
        if not changes:
            return
        with nullcontext() if self._check_mode else self._store.locked(self._store.this_run()):
            credentials = self._read()
            actions = {name: change(credentials) for name, change in changes.items()}
            changed = any(action != UNCHANGED for action in actions.values())
            if changed:
                self._store.write(credentials, check=self._check_mode)
        self.changed = self.changed or changed
        self.calls.append({"module": "credential_store", "why": f"remember {state}", "credentials": actions})
