# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send a plan: several users at a time, each user's calls in order, and no write repeated blindly."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Optional

from .._api.client import ApiError, Client, ErrorKind
from .._api.session import HOPELESS
from .._names import is_network, unicode_domain
from .._smarthost.connection import Smarthost
from .._smarthost.login import Refusals, Verdict, prove_login
from .current import KEPT_FOR_PROOF, Current, attribute_name, read_lists
from .methods import ADD, ADD_IP, ADDRESS, LIST, LOCK, REMOVE, SET_PASSWORD, UNLOCK, MethodError, Methods
from .plan import (
    ALWAYS,
    CREATED,
    ON_CREATE,
    PASSWORD_KEPT,
    PASSWORD_SET,
    REMOVED,
    SKIPPED,
    UNCHANGED,
    UNKNOWN,
    UPDATED,
    Change,
    password_unknown,
)
from .steps import Step
from .user import IP

_ADDS = (ADD, ADD_IP)

#: A domain in an error text.
_QUOTED_DOMAIN = re.compile(r"['\"]([^\s'\"/@]+\.[^\s'\"/@]+)['\"]")


class StepError(Exception):
    """A user's calls cannot go on; the message is one sentence. kind: of the error behind it."""

    def __init__(self, sentence: str, kind: ErrorKind) -> None:
        super().__init__(sentence)
        self.kind = kind
        self.code = kind.value


class Applier:
    """Sends the calls of a plan and notes in each change what has become of it."""

    def __init__(
        self, client: Client, methods: Methods, server: Smarthost, warn: Callable[[str], None], refusals: Refusals
    ) -> None:
        """refusals: the run's budget; the smarthost blocks an address whose logins fail often."""
        self._client = client
        self._methods = methods
        self._server = server
        self._warn = warn
        self._stop = threading.Event()
        self._prober = threading.Lock()
        self._refusals = refusals
        self._answers = True  # whether the smarthost can still be asked

    def apply(self, changes: Sequence[Change], concurrency: int, continue_on_error: bool) -> None:
        """Send all steps: first the removals, since an address may move to another domain, then the rest."""
        removals = [change for change in changes if change.steps and change.steps[0].operation == REMOVE]
        rest = [change for change in changes if change.steps and change.steps[0].operation != REMOVE]
        with ThreadPoolExecutor(max_workers=max(1, concurrency)) as pool:
            for phase in (removals, rest):
                list(pool.map(lambda change: self._apply_one(change, continue_on_error), phase))

    def _apply_one(self, change: Change, continue_on_error: bool) -> None:
        if self._stop.is_set():
            change.action, change.reason = SKIPPED, "another user failed before"
            return
        try:
            self._send_steps(change)
        except (ApiError, StepError, MethodError) as problem:
            change.fail(str(problem), problem.code)
            if not continue_on_error or getattr(problem, "kind", None) in HOPELESS:
                self._stop.set()

    def _send_steps(self, change: Change) -> None:
        steps = list(change.steps)
        if steps[0].operation in _ADDS:
            if self._add(change, steps.pop(0)):
                change.action, change.password = CREATED, PASSWORD_SET if change.password else ""
            else:
                steps = self._settle_existing(change)
            change.unknown = []
        elif steps[0].operation == REMOVE and change.after is None:
            self._remove(change, steps.pop(0))
        elif change.action == UNKNOWN:
            change.action, change.unknown, change.reason = UPDATED, [], ""
        refusal: Optional[StepError] = None
        anew = False
        while steps:
            step = steps[0]
            if step.operation in _ADDS:
                refusal, anew = self._add_anew(change, step), True
            elif step.operation == REMOVE:
                self._remove_for_anew(change, step)
            else:
                try:
                    self._send(change, step)
                except (ApiError, StepError) as problem:
                    if not anew:
                        raise
                    done = refusal or f"{change.key.title} was removed and added anew with its new password."
                    missing = ", ".join(step.operation for step in steps)
                    raise StepError(
                        f"{done} What it had besides is not all set again (missing: {missing}): {problem} Give it in "
                        "the task, and run again.",
                        problem.kind,
                    ) from None
            steps.pop(0)
        if refusal:
            raise refusal

    def _settle_existing(self, change: Change) -> list[Step]:
        """What is left to do for a user that exists already, and what that makes of it."""
        steps = list(change.steps_if_exists)
        if change.password and change.wanted and change.wanted.update_password == ON_CREATE:
            # It keeps its own, unless a lost add has made it, which the smarthost may not have taken over yet.
            works = self._login_works(change) if change.written else None
            change.password = PASSWORD_SET if works else UNKNOWN if change.written else PASSWORD_KEPT
        elif change.password and not any(step.operation == SET_PASSWORD for step in steps):
            other = self._has_other_password(change)
            if other:
                change.other_password = True
                steps = self._steps_if_other(change)
            change.password = {None: UNKNOWN, True: PASSWORD_SET, False: PASSWORD_KEPT}[other]
            if other is None:
                change.reason = password_unknown("the reply to its add was lost" if change.written else "")
        elif change.password:
            change.password = PASSWORD_SET
        if steps:
            change.action = UPDATED
        elif change.password == UNKNOWN:
            change.action = UNKNOWN
            change.steps = change.steps if change.written else []  # nothing has changed
        else:
            # After a lost reply nobody may know whether it was there before, or was added just now.
            change.action = UPDATED if change.written else UNCHANGED
        return steps

    def _has_other_password(self, change: Change) -> Optional[bool]:
        """Whether a user that exists already has another password than the wanted one; None where nobody knows."""
        wanted = change.wanted
        if not change.written and (change.refused or (wanted and wanted.update_password == ALWAYS)):
            return True
        # What a lost add may have made has the wanted password, whatever was refused before.
        works = change.works if change.works is not None else self._login_works(change)
        return None if works is None else not works

    def _steps_if_other(self, change: Change) -> list[Step]:
        if not change.error_if_other:
            return list(change.steps_if_other)
        if change.written:
            raise StepError(
                f"The reply to the add of {change.key.name} was lost. It exists now, and the smarthost refuses its "
                "login: it was there before, with another password, or the smarthost has not taken it over yet; run "
                "again.",
                ErrorKind.LOST_REPLY,
            )
        raise change.error_if_other

    def _add(self, change: Change, step: Step) -> bool:
        """Create the user; False where it exists already. A lost reply is settled by a look, then by one repetition."""
        known = not change.removed
        try:
            self._call(change, step)
        except ApiError as error:
            if error.kind is ErrorKind.ALREADY_EXISTS:
                self._check_owner(change, error)
                return False
            if error.kind is not ErrorKind.LOST_REPLY:
                raise
            if not self._looks_done(change, step, known):
                added = self._add_again(change, step)
                change.added = change.added or added
                return added
        change.added = True
        return True

    def _add_again(self, change: Change, step: Step) -> bool:
        """Repeat an add whose reply was lost: "already exists" then mostly means that it had arrived."""
        try:
            self._call(change, step)
        except ApiError as error:
            if error.kind is not ErrorKind.ALREADY_EXISTS:
                raise
            self._check_owner(change, error)
            if change.action != UNKNOWN:
                return True
            # Where nobody knew whether it existed, it may be an older one, with another password and other attributes.
            change.works = None if change.secret is None else self._login_works(change)
            return change.works is True
        return True

    def _remove_for_anew(self, change: Change, step: Step) -> None:
        try:
            self._send(change, step, accept=ErrorKind.NOT_FOUND)
        except ApiError as error:
            if error.kind is not ErrorKind.LOST_REPLY:
                raise
            raise StepError(
                f"{change.key.title} was to be removed and added anew with its new password, and no reply to its "
                f"removal came: {error} It may be gone, and cannot send; run again.",
                error.kind,
            ) from None

    def _add_anew(self, change: Change, step: Step) -> Optional[StepError]:
        """Add a user that was removed for its new password; where that is refused, with its former one.

        Gives the refusal, where the user is there again; the other steps are then still to be sent.
        """
        name = change.key
        try:
            if self._add(change, step):
                return None
        except (ApiError, StepError) as problem:
            lost = problem.kind is ErrorKind.LOST_REPLY
            former = change.wanted.former_password if change.wanted and not lost else None
            if former is None:
                raise StepError(
                    f"{name.title} was removed to be added anew with its new password, and adding it failed: {problem} "
                    f"It {'may be' if lost else 'is'} gone, and cannot send; run again, with another password if the "
                    "server refuses this one.",
                    problem.kind,
                ) from None
            refusal = (
                f"{name.title} was removed to be added anew with its new password, and adding it failed: {problem}"
            )
            try:
                self._call(change, Step(step.method, {**step.arguments, "password": former}))
            except ApiError as error:
                gone = "may be" if error.kind is ErrorKind.LOST_REPLY else "is"
                raise StepError(
                    f"{refusal} Adding it with its former password failed as well: {error} It {gone} gone, and cannot "
                    "send; run again.",
                    error.kind,
                ) from None
            return StepError(f"{refusal} It has its former password again.", problem.kind)
        raise StepError(
            f"{name.title} was removed to be added anew, but it still exists; run again.", ErrorKind.ALREADY_EXISTS
        )

    def _check_owner(self, change: Change, error: ApiError) -> None:
        """An address that another domain has is refused in the same words as one that this domain has."""
        if change.authentication != IP:
            return
        domain = change.key.domain
        named = {name for line in error.lines for name in _QUOTED_DOMAIN.findall(line.lower()) if not is_network(name)}
        own = {domain, unicode_domain(domain)}
        if (named and not named & own) or (not named and self._read(change).exists(change.key) is False):
            # A list lags, so it may not show what a lost add has just made.
            lost = change.written and not named
            raise StepError(
                f"{change.key.username} was asked for {unicode_domain(domain)}, but another domain has it"
                f"{', or the list does not show yet what was added here; run again' if lost else ''}: {error}",
                ErrorKind.FOREIGN,
            )

    def _remove(self, change: Change, step: Step) -> None:
        found = self._send(change, step, accept=ErrorKind.NOT_FOUND)
        if found:
            change.action, change.unknown = REMOVED, []
        elif change.authentication == IP and self._methods.find(LIST) is None:
            # Nothing public says how an IP user is named here, so "not found" may mean "named otherwise".
            change.action, change.steps = UNKNOWN, []  # nothing has changed
            change.reason = "the server found no such user; how it wants IP users to be named is not documented"
        else:
            change.action, change.unknown = UNCHANGED, []

    def _send(self, change: Change, step: Step, accept: Optional[ErrorKind] = None) -> bool:
        """Send a call; False where the server answered with the error that is accepted."""
        known = not change.removed
        change.removed = change.removed or step.operation == REMOVE
        try:
            self._call(change, step)
        except ApiError as error:
            if error.kind is accept:
                return False
            if error.kind is not ErrorKind.LOST_REPLY:
                raise
            if not self._looks_done(change, step, known):
                return self._repeat(change, step, accept)
        return True

    def _repeat(self, change: Change, step: Step, accept: Optional[ErrorKind]) -> bool:
        try:
            self._call(change, step)
        except ApiError as error:
            if error.kind is not accept:
                raise
        return True  # what is accepted now was done by the call whose reply was lost

    def _looks_done(self, change: Change, step: Step, known: bool) -> bool:
        """After a lost reply: look whether the call has done its work. Raises StepError where nobody can look.

        known: whether no earlier call has removed the user. Otherwise a list that lags shows what was there before, so
        that it proves nothing, and the call is repeated.
        """
        if step.operation in (ADD, SET_PASSWORD) and change.secret is not None:
            works = self._login_works(change)
            change.works = works or change.works
            if works or (works is False and step.operation == SET_PASSWORD):
                return works
        existence = step.operation in _ADDS or step.operation == REMOVE
        if self._methods.find(LIST):
            if not known or step.operation == SET_PASSWORD:
                return False
            current = self._read(change)
            if existence:
                return current.exists(change.key) is (step.operation != REMOVE)
            return _step_holds(change, step, current)
        if existence:
            return False  # a second one answers for itself: it already exists, or there is no such user
        raise StepError(
            f"The connection broke while {step.method.call} was sent for {change.key.name}, and nothing shows whether "
            "it was done; run again.",
            ErrorKind.LOST_REPLY,
        )

    def _login_works(self, change: Change) -> Optional[bool]:
        """Whether the wanted login works; None when the smarthost cannot be asked, or is not asked any more."""
        with self._prober:
            if not self._answers or self._refusals.spent(KEPT_FOR_PROOF):
                return None
            verdict = prove_login(self._server, change.login, change.secret or "", refusals=self._refusals).verdict
            self._answers = verdict is not Verdict.UNKNOWN
        return {Verdict.ACCEPTED: True, Verdict.REFUSED: False}.get(verdict)

    def _read(self, change: Change) -> Current:
        return read_lists(self._client, self._methods, [change.key.domain], 1)

    def _call(self, change: Change, step: Step) -> None:
        secret = step.arguments.get("password")
        secrets = [secret] if isinstance(secret, str) else []
        try:
            self._client.call(step.method.call, step.method.encode(step.arguments), write=True, secrets=secrets)
        except ApiError as error:
            change.written = change.written or error.kind is ErrorKind.LOST_REPLY
            raise
        change.written = True

    def settle(self, changes: Sequence[Change], timeout: float, concurrency: int) -> list[Change]:
        """Wait, at most `timeout` seconds, until the list shows what was written: the vendor's caches lag.

        Gives the changes that it does not show then.
        """
        written = [change for change in changes if change.action in (CREATED, UPDATED, REMOVED)]
        if not written or timeout <= 0 or self._methods.find(LIST) is None:
            return []
        deadline = time.monotonic() + timeout
        pause = 0.25
        while True:
            domains = {change.key.domain for change in written}
            try:
                current = read_lists(self._client, self._methods, domains, concurrency)
            except (ApiError, MethodError) as problem:
                self._warn(f"Everything was sent, but the server's list cannot be read to see it there: {problem}")
                return []
            written = [change for change in written if not holds(change, current)]
            if not written:
                return []
            if time.monotonic() + pause > deadline:
                break
            time.sleep(pause)
            pause = min(pause * 2, 5)
        return written


def _step_holds(change: Change, step: Step, current: Current) -> bool:
    listed = current.users.get(change.key)
    if listed is None:
        return False
    if step.operation in (LOCK, UNLOCK):
        return listed.state.get("locked") is (step.operation == LOCK)
    attributes = {attribute_name(name): value for name, value in step.arguments.items() if name not in ADDRESS}
    return all(listed.state.get(name) == value for name, value in attributes.items())


def holds(change: Change, current: Current) -> bool:
    """Whether the listed state is the one that this change wants, in all that the list shows."""
    if change.after is None:
        return current.exists(change.key) is False
    listed = current.users.get(change.key)
    return listed is not None and all(
        listed.state.get(name, value) == value for name, value in change.after.state.items()
    )
