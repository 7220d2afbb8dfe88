# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send a plan: several domains at a time, each domain's calls in order, and no write repeated blindly."""

from __future__ import annotations

import threading
import time
from collections.abc import Container, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Callable, Optional, TypeVar

from .._api.client import ApiError, Client, ErrorKind
from .._api.session import HOPELESS, NOT_HERE, has_domain
from .._users.methods import MethodError, Methods
from .._users.plan import CREATED, REMOVED, SKIPPED, UNCHANGED, UPDATED
from .._users.steps import removal_step
from .._users.user import OutgoingUser
from .current import PARTS, read_parts, read_users
from .domain import GET_CONTACT, GET_PRODUCTS, GET_ROUTE, PRODUCTS, Domain, Step, add_step, plan
from .report import Change, foreign, has_users

#: How long to wait until the server shows what it has accepted, in seconds. Its caches may lag.
SETTLE_SECONDS = 10.0
#: The call that shows what a call has set.
_SHOWN_BY = {"domain/setproducts": GET_PRODUCTS, "domain/edit": GET_ROUTE, "domainadmincontact/set": GET_CONTACT}

Result = TypeVar("Result")


class DomainError(Exception):
    """A domain cannot be brought to the wanted state; the message is one sentence. kind: of the error behind it."""

    def __init__(self, sentence: str, kind: ErrorKind) -> None:
        super().__init__(sentence)
        self.kind = kind
        self.code = kind.value


def apply(
    changes: Sequence[Change], client: Client, methods: Methods, concurrency: int, *, continue_on_error: bool
) -> None:
    """Carry out all changes: first the removals, since an account may have a limit of domains, then the rest."""
    leaving = [change for change in changes if not change.present]
    stop = threading.Event()
    # A domain that leaves alone may have its users removed at once; of several, each goes one by one.
    at_once = max(1, concurrency // max(1, len(leaving)))

    def bring(change: Change) -> None:
        if stop.is_set():
            change.action, change.reason = SKIPPED, "another domain failed before"
            return
        writer = _Writer(client, methods, change, at_once)
        try:
            writer.ensure_present() if change.present else writer.ensure_absent()
        except (ApiError, DomainError, MethodError) as problem:
            change.fail(problem, problem.code)
            if not continue_on_error or getattr(problem, "kind", None) in HOPELESS:
                stop.set()

    with ThreadPoolExecutor(max_workers=concurrency) as pool:
        for phase in (leaving, [change for change in changes if change.present]):
            list(pool.map(bring, phase))


class _Writer:
    """Brings one domain to the wanted state. Its change is true to what was done, also after an error."""

    def __init__(self, client: Client, methods: Methods, change: Change, removals_at_once: int) -> None:
        self._client = client
        self._methods = methods
        self._change = change
        self._wanted = change.wanted
        self._removals_at_once = removals_at_once

    def ensure_present(self) -> None:
        """Add the domain where it is missing, then set what differs. Raises DomainError, ApiError."""
        unread: frozenset[str] = frozenset()
        self._change.after = self._change.before
        if self._change.before is None:
            self._add()
            self._change.after = Domain(self._wanted.name, destinations=self._wanted.destinations)  # as it was added
            unread = PARTS
        if 0 < len(self._wanted.products) < len(PRODUCTS) and GET_PRODUCTS in unread:
            # Those that are not given are sent as they are; adding may have switched one off.
            self._look({GET_PRODUCTS})
            unread -= {GET_PRODUCTS}
        missing = self._bring(unread)
        if missing:
            parts = " and ".join(step.call for step in missing)
            raise DomainError(
                f"The server accepted everything for the domain {self._wanted}, but does not show it after "
                f"{SETTLE_SECONDS:.0f} seconds ({parts}); check whether your account has this product, and run again.",
                ErrorKind.BAD_REPLY,
            )
        changed = UPDATED if self._change.written else UNCHANGED
        self._change.action = CREATED if self._change.before is None else changed

    def _bring(self, unread: Set[str]) -> list[Step]:
        """Set what differs; what the server then does not show, though it was sent.

        Each part is read when it has been set, or if nobody has read it yet. What a new domain is then found not to
        have, as adding has not done it, is set once more.
        """
        sent: set[str] = set()
        steps = self._differences()
        while steps or unread:
            for step in steps:
                self._once_shown(partial(self._send, step, partial(self._holds, step)))
            sent |= {step.call for step in steps}
            self._look({*unread, *(_SHOWN_BY[step.call] for step in steps)})
            unread = frozenset()
            steps = [step for step in self._differences() if step.call not in sent]
        if self._differences():
            _wait_until(self._settled)
        return self._differences()

    def _differences(self) -> list[Step]:
        return plan(self._known(), self._wanted)

    def _known(self) -> Domain:
        return self._change.after or Domain(self._wanted.name)

    def _look(self, calls: Container[str]) -> None:
        """Read these parts, and keep the others as they were read."""
        known = self._known()
        self._change.after = self._once_shown(partial(read_parts, self._client, self._wanted, calls, known))

    def _once_shown(self, action: Callable[[], Result]) -> Result:
        """Do it; where the server does not know its new domain yet, wait until it does and do it again."""
        try:
            return action()
        except ApiError as error:
            if self._change.before is not None or error.kind not in NOT_HERE:
                raise
        self._wait_until_shown()
        return action()

    def ensure_absent(self) -> None:
        """Remove the domain, with its outgoing users where told to. Raises DomainError, ApiError, MethodError."""
        if self._change.remove_users:
            self._remove_users(self._change.users or ())
        self._remove()
        self._change.action = REMOVED if self._change.written else UNCHANGED

    def _holds(self, step: Step) -> bool:
        self._look({_SHOWN_BY[step.call]})
        return step.call not in {missing.call for missing in self._differences()}

    def _settled(self) -> bool:
        self._look({_SHOWN_BY[step.call] for step in self._differences()})
        return not self._differences()

    def _call(self, step: Step) -> None:
        self._client.call(step.call, step.parameters, write=True)
        self._change.written = True

    def _send(self, step: Step, done: Callable[[], bool], accept: Optional[ErrorKind] = None) -> bool:
        """Send a call. A lost reply is settled by a look, then by one repetition, which may answer `accept`.

        Whether the server has answered at once.
        """
        try:
            self._call(step)
        except ApiError as error:
            if error.kind is not ErrorKind.LOST_REPLY:
                raise
            self._change.written = True  # as far as anybody knows
            if not done():
                self._repeat(step, accept)
            return False
        return True

    def _repeat(self, step: Step, accept: Optional[ErrorKind]) -> None:
        try:
            self._call(step)
        except ApiError as error:
            if error.kind is not accept:
                raise

    # Adding

    def _add(self) -> None:
        name = self._wanted.name
        try:
            # After a lost reply, "already exists" may be our own doing: then the domain shows up as ours.
            answered = self._send(
                add_step(self._wanted), lambda: has_domain(self._client, name), accept=ErrorKind.ALREADY_EXISTS
            )
        except ApiError as error:
            if error.kind is not ErrorKind.ALREADY_EXISTS:
                raise
            raise DomainError(foreign(self._wanted), ErrorKind.FOREIGN) from None
        if not answered:
            self._wait_until_shown()

    def _wait_until_shown(self) -> None:
        if not _wait_until(lambda: has_domain(self._client, self._wanted.name)):
            raise DomainError(
                f"The domain {self._wanted} was added, but the server does not show it in this account after "
                f"{SETTLE_SECONDS:.0f} seconds; see whether it belongs to somebody else, or run again later.",
                ErrorKind.BAD_REPLY,
            )

    # Removing

    def _remove_users(self, users: Sequence[OutgoingUser]) -> None:
        """Remove the users; the domain user comes last, as nothing public says that its removal spares the others."""
        named = [user for user in users if user.key.username]

        def remove(user: OutgoingUser) -> None:
            removal = removal_step(user, self._methods)
            step = Step(removal.method.call, removal.method.encode(removal.arguments))
            try:
                self._send(step, lambda: False, accept=ErrorKind.NOT_FOUND)
            except ApiError as error:
                if error.kind is ErrorKind.NOT_FOUND:  # the list lags
                    return
                raise DomainError(self._stuck(user, error), error.kind) from None
            self._change.removed_users.append(str(user.key))

        with ThreadPoolExecutor(max_workers=self._removals_at_once) as pool:
            list(pool.map(remove, named))
        for user in users[len(named) :]:
            remove(user)

    def _stuck(self, user: OutgoingUser, error: ApiError) -> str:
        before = self._change.before
        product = before is not None and before.products.get("outgoing") is False
        hint = " The domain's outgoing product is off; the server may want it on for this." if product else ""
        return f"The domain {self._wanted} stays, because the {user.key} could not be removed: {error}{hint}"

    def _remove(self) -> None:
        name = self._wanted.name
        step = Step("domain/remove", [("domain", name)])
        try:
            self._send(step, lambda: not has_domain(self._client, name))
        except ApiError as error:
            if error.kind is ErrorKind.HAS_OUTGOING_USERS:
                self._change.users = read_users(self._client, self._methods, [name], 1).get(name)
                raise DomainError(has_users(self._change, self._methods), error.kind) from None
            if error.kind is not ErrorKind.NOT_FOUND:
                raise


def _wait_until(condition: Callable[[], bool]) -> bool:
    """Ask until it is true, at most SETTLE_SECONDS."""
    deadline = time.monotonic() + SETTLE_SECONDS
    pause = 0.25
    while not condition():
        if time.monotonic() + pause > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 2, 2)
    return True
