# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each phase of a rotation works with: the store, the modules of the collection, and what the smarthost bears."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Optional, TypedDict

from ..module_utils._rotation import description, requests
from ..module_utils._rotation.entry import NEXT
from ..module_utils._smarthost.login import MOST_REFUSALS
from ._credentials import Credentials
from ._owner import Call, Owner, StopError
from ._secrets import register_secret
from ._store import Store

Entry = Mapping[str, Any]
Proof = Mapping[str, Any]
LOGIN = "login"


class Run(TypedDict, total=False):
    """What one phase hands to the next; never a password. Names are those of credentials, times ISO 8601 texts."""

    # begin
    started: str
    works: dict[str, bool]  # as api_info gives it
    refusals: int  # how many logins from here the smarthost has refused
    # plan
    plan: dict[str, Any]  # as _rotation.plan.plan gives it; prepare notes in its credentials which are renewed
    # prepare
    not_looked_at: list[str]  # hosts
    present: list[dict[str, Any]]  # users, as outgoing_user_info gives them
    # switch
    changed: str
    window_opened: float
    accepted: list[str]  # whose next password the vendor takes
    sent: list[dict[str, Any]]  # users, as outgoing_users gives them, that it had to say something about
    tried: list[Proof]
    proven: list[str]
    made: list[str]
    lock_failed: list[str]
    unlock_failed: list[str]
    # decide
    decided: list[dict[str, Any]]  # the plan's credentials, each with its outcome
    returned: list[str]  # whose old password the vendor takes again
    in_use_again: list[str]  # whose old password is the one in use
    unlock_back_failed: list[str]
    prover: str  # the host that tries what the controller cannot
    to_prove: list[dict[str, str]]  # name and login of what it tries
    # finish
    report: dict[str, Any]
    summary: list[str]
    open: list[str]


class Means(Owner):
    """One phase of one run, without what makes it that phase."""

    data: Run

    def __init__(
        self,
        options: Mapping[str, Any],
        store: Store,
        call: Call,
        *,
        check_mode: bool,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """options: as the module `rotation` documents them."""
        super().__init__(options, store, call, check_mode=check_mode)
        self._sleep = sleep
        self.holds = not check_mode and options["phase"] != "begin"

    # What was asked for

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
        return dict(self._options["account"])

    # The modules

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
        self.data["refusals"] = int(result.get("refused_logins", self._refusals))
        return result

    # Logins from the controller

    def _log_in(
        self, entries: Sequence[Entry], which: str, why: str, budget: Optional[Mapping[str, int]] = None
    ) -> list[Proof]:
        """What the smarthost says of these logins."""
        if not entries or self._check_mode:
            return []
        logins = requests.logins(entries, self._passwords(entries, which), which)
        arguments = {**self._smarthost, **(budget or {}), "logins": logins, "fail_on_refusal": False}
        answer = self._ask("smtp_login_info", why, arguments)
        if answer.get("failed"):
            # Nothing is proven, and the vendor has changed already: what can be done without is done.
            return [{LOGIN: entry[which], "accepted": None, "reason": str(answer.get("msg"))} for entry in entries]
        found: list[Proof] = answer["logins"]
        self.data["refusals"] = self._refusals + sum(proof["accepted"] is False for proof in found)
        return found

    def _log_in_within_budget(self, entries: Sequence[Entry], which: str, why: str) -> list[Proof]:
        """As `_log_in`, for logins that the rotation can do without: no more than three are refused in a run."""
        if self._refusals < MOST_REFUSALS:
            return self._log_in(entries, which, why, {"refused_logins": self._refusals})
        reason = f"not tried, because the smarthost has refused {self._refusals} logins, and blocks who fails often"
        return [{"login": entry[which], "accepted": None, "reason": reason} for entry in entries]

    def _log_in_where_in_doubt(self, entries: Sequence[Entry], which: str, why: str) -> list[Proof]:
        """A second login has to be tried, others as far as the budget goes."""
        moving = [entry for entry in entries if entry["moves"]]
        staying = [entry for entry in entries if not entry["moves"]]
        within = self._log_in_within_budget(staying, which, why) if staying else []
        return [*self._log_in(moving, which, why), *within]

    def _pauses(self) -> tuple[float, ...]:
        """Before each of a few attempts, growing; all of them together take what the rotation allows."""
        seconds = description.settle_seconds(self._wanted)
        return (0, 0.2 * seconds, 0.8 * seconds) if seconds else (0,)

    # The store

    def _passwords(self, entries: Sequence[Entry], which: str) -> list[str]:
        found = self._store.find(entry["name"] for entry in entries) if entries else []
        register_secret(*(text for entry in found for text in (entry.current, entry.next)))
        if which == LOGIN:
            return [entry.current for entry in found]
        # In check mode nothing is staged, so there may be no next password.
        return [entry.in_use[1] if self._check_mode else entry.next for entry in found]

    def _stage(self) -> None:
        """Have a next password for each login in the store."""

        def staging(entry: Entry) -> Callable[[Credentials], str]:
            marks = {name: entry[name] for name in ("locked", "leaked")}
            make, renew = self._options["make_password"], entry["renewed"]
            return lambda credentials: credentials.stage(entry["name"], entry[NEXT], make, renew=renew, **marks)

        self._remember("staged", {entry["name"]: staging(entry) for entry in self._entries})

    def _note(self, change: str, names: Sequence[str], state: str) -> None:
        """Note of each of these credentials that it is in this state, by a method of Credentials."""

        def noting(name: str) -> Callable[[Credentials], str]:
            return lambda credentials: str(getattr(credentials, change)(name))

        self._remember(state, {name: noting(name) for name in names})

    def _remember(self, state: str, changes: Mapping[str, Callable[[Credentials], str]]) -> None:
        """Bring credentials into this state of the module credential_store: all of them, or none."""
        if changes:
            self._change(
                f"remember {state}",
                lambda credentials: {name: change(credentials) for name, change in changes.items()},
            )
