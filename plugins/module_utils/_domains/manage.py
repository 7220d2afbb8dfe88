# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What domain and domain_info do at the server: read a domain, bring it to the wanted state, remove it."""

from __future__ import annotations

import time
from collections.abc import Container, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable, Optional, TypeVar

from .._api.client import ApiError, Client, ErrorKind
from .._users.current import is_without_list, read_lists
from .._users.methods import LIST, MethodError, Methods
from .._users.steps import removal_step
from .._users.user import OutgoingUser, first_three
from .domain import (
    GET_CONTACT,
    GET_PRODUCTS,
    GET_ROUTE,
    PRODUCTS,
    Domain,
    Step,
    absent_result,
    add_step,
    plan,
    read_contact,
    read_destinations,
    read_present,
    read_products,
)

#: How long to wait until the server shows what it has accepted, in seconds. Its caches may lag.
SETTLE_SECONDS = 10.0
_REMOVALS_AT_ONCE = 4
_NOT_HERE = (ErrorKind.NOT_YOURS, ErrorKind.NOT_FOUND)
_NOT_OFFERED = (ErrorKind.NO_PERMISSION, ErrorKind.UNSUPPORTED)
#: The call that shows what a call has set.
_SHOWN_BY = {"domain/setproducts": GET_PRODUCTS, "domain/edit": GET_ROUTE, "domainadmincontact/set": GET_CONTACT}
_PARTS = frozenset(_SHOWN_BY.values())

Result = TypeVar("Result")


class DomainError(Exception):
    """A domain cannot be brought to the wanted state; the message is one sentence."""


@dataclass
class Outcome:
    """What has become of the domain, or would in check mode. after: None when it is not there any more."""

    name: str
    before: Optional[Domain] = None
    after: Optional[Domain] = None
    changed: bool = False
    removed_users: list[str] = field(default_factory=list)

    def to_result(self) -> dict[str, Any]:
        """The result of the module."""
        shown = self.after.to_result() if self.after else absent_result(self.name)
        return {
            "changed": self.changed,
            "domain": shown,
            "added": self.before is None and self.after is not None,
            "removed_outgoing_users": sorted(self.removed_users),
        }

    def diff(self, wanted: Domain) -> dict[str, Any]:
        """Before and after; of a new domain only what is wanted, since the rest is up to the server."""
        before = self.before.to_result() if self.before else {}
        if self.removed_users:
            before["outgoing_users"] = sorted(self.removed_users)
        if self.before is None and self.after is not None:
            return {"before": before, "after": wanted.given()}
        return {"before": before, "after": self.after.to_result() if self.after else {}}


def read_domain(client: Client, wanted: Domain) -> Optional[Domain]:
    """The domain as it is; None where it is missing or somebody else's, which the server does not tell apart.

    A part that this server does not show is left out, unless it is given in `wanted`. Raises ApiError.
    """
    return _read_parts(client, wanted, _PARTS, Domain(wanted.name)) if _exists(client, wanted.name) else None


def _exists(client: Client, name: str) -> bool:
    try:
        return read_present(client.call("domain/exists", [("domain", name)], write=False).result)
    except ApiError as error:
        if error.kind not in _NOT_HERE:
            raise
        return False


def _read_parts(client: Client, wanted: Domain, calls: Container[str], known: Domain) -> Domain:
    """The domain as these calls show it; what none of them shows is as it is known."""

    def read(call: str, parse: Callable[[object], Any], otherwise: Any, unknown: Any) -> Any:
        if call not in calls:
            return otherwise
        try:
            return parse(client.call(call, [("domain", wanted.name)], write=False).result)
        except ApiError as error:
            if error.kind not in _NOT_OFFERED or wanted.needs(call):
                raise
            return unknown

    return Domain(
        wanted.name,
        read(GET_PRODUCTS, read_products, known.products, {}),
        read(GET_ROUTE, read_destinations, known.destinations, None),
        read(GET_CONTACT, read_contact, known.abuse_contact, None),
    )


class DomainManager:
    """Brings one domain to the wanted state. `outcome` is true to what was done, also after an error."""

    def __init__(self, client: Client, wanted: Domain, *, check_mode: bool) -> None:
        self._client = client
        self._wanted = wanted
        self._check_mode = check_mode
        self.outcome = Outcome(wanted.name)

    def ensure_present(self) -> None:
        """Add the domain where it is missing, then set what differs. Raises DomainError, ApiError, MethodError."""
        current = self.outcome.before = read_domain(self._client, self._wanted)
        if self._check_mode:
            if current is None:
                self._refuse_foreign()
                current = Domain(self._wanted.name)
            self.outcome.after = current.merged(self._wanted)
            self.outcome.changed = self.outcome.before is None or bool(plan(current, self._wanted))
            return
        unread: frozenset[str] = frozenset()
        if current is None:
            self._add()
            current = Domain(self._wanted.name, destinations=self._wanted.destinations)  # as it was added
            unread = _PARTS
        self.outcome.after = current
        if 0 < len(self._wanted.products) < len(PRODUCTS) and GET_PRODUCTS in unread:
            # Those that are not given are sent as they are; adding may have switched one off.
            self._look({GET_PRODUCTS})
            unread -= {GET_PRODUCTS}
        missing = self._bring(unread)
        if missing:
            parts = " and ".join(step.call for step in missing)
            raise DomainError(
                f"The server accepted everything for the domain {self._wanted}, but does not show it after "
                f"{SETTLE_SECONDS:.0f} seconds ({parts}); check whether your account has this product, and run again."
            )

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
        return plan(self.outcome.after or Domain(self._wanted.name), self._wanted)

    def _look(self, calls: Container[str]) -> None:
        """Read these parts, and keep the others as they were read."""
        known = self.outcome.after or Domain(self._wanted.name)
        self.outcome.after = self._once_shown(partial(_read_parts, self._client, self._wanted, calls, known))

    def _once_shown(self, action: Callable[[], Result]) -> Result:
        """Do it; where the server does not know its new domain yet, wait until it does and do it again."""
        try:
            return action()
        except ApiError as error:
            if self.outcome.before is not None or error.kind not in _NOT_HERE:
                raise
        self._wait_until_shown()
        return action()

    def ensure_absent(self, methods: Methods, remove_users: bool, warn: Callable[[str], None]) -> None:
        """Remove the domain, with its outgoing users where told to. Raises DomainError, ApiError, MethodError."""
        before = self.outcome.before = read_domain(self._client, Domain(self._wanted.name))
        if before is None:
            return
        users = self._users(methods) if remove_users or self._check_mode else None
        if self._check_mode:
            if users and not remove_users:
                raise DomainError(self._refusal(users, methods))
            if users is None:
                warn(f"Whether {self._wanted} has outgoing users, which keep it from being removed, is not known here.")
            self.outcome.removed_users = [str(user.key) for user in users or ()]
            self.outcome.changed = True
        else:
            self._remove_users(users or (), methods)
            self._remove(methods, remove_users)

    def _holds(self, step: Step) -> bool:
        self._look({_SHOWN_BY[step.call]})
        return step.call not in {missing.call for missing in self._differences()}

    def _settled(self) -> bool:
        self._look({_SHOWN_BY[step.call] for step in self._differences()})
        return not self._differences()

    def _call(self, step: Step) -> None:
        self._client.call(step.call, step.parameters, write=True)
        self.outcome.changed = True

    def _send(self, step: Step, done: Callable[[], bool], accept: Optional[ErrorKind] = None) -> bool:
        """Send a call. A lost reply is settled by a look, then by one repetition, which may answer `accept`.

        Whether the server has answered at once.
        """
        try:
            self._call(step)
        except ApiError as error:
            if error.kind is not ErrorKind.LOST_REPLY:
                raise
            self.outcome.changed = True  # as far as anybody knows
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
                add_step(self._wanted), lambda: _exists(self._client, name), accept=ErrorKind.ALREADY_EXISTS
            )
        except ApiError as error:
            if error.kind is not ErrorKind.ALREADY_EXISTS:
                raise
            raise DomainError(self._foreign()) from None
        if not answered:
            self._wait_until_shown()

    def _wait_until_shown(self) -> None:
        if not _wait_until(lambda: _exists(self._client, self._wanted.name)):
            raise DomainError(
                f"The domain {self._wanted} was added, but the server does not show it in this account after "
                f"{SETTLE_SECONDS:.0f} seconds; see whether it belongs to somebody else, or run again later."
            )

    def _refuse_foreign(self) -> None:
        """In check mode, what domain/add would answer: this call tells a missing domain from somebody else's.

        https://github.com/SpamExperts/aps2-addon ("You are not allowed to manage the domain")
        """
        try:
            self._client.call(GET_PRODUCTS, [("domain", self._wanted.name)], write=False)
        except ApiError as error:
            if error.kind is ErrorKind.NOT_YOURS:
                raise DomainError(self._foreign()) from None
            if error.kind not in (ErrorKind.NOT_FOUND, *_NOT_OFFERED):
                raise

    def _foreign(self) -> str:
        return (
            f"The domain {self._wanted} was to be added, but it exists on this server and belongs to somebody else; it "
            "is not taken over. Use the admin that it belongs to, or ask the provider."
        )

    # Removing

    def _users(self, methods: Methods) -> Optional[list[OutgoingUser]]:
        """The outgoing users of the domain, the domain user last; None where the server does not list them."""
        if methods.find(LIST) is None:
            return None
        try:
            users = read_lists(self._client, methods, [self._wanted.name], 1).users
        except (ApiError, MethodError) as problem:
            if not is_without_list(methods, problem):
                raise
            return None
        return [users[key] for key in sorted(users, key=lambda key: (not key.username, key.username))]

    def _remove_users(self, users: Sequence[OutgoingUser], methods: Methods) -> None:
        """Remove the users; the domain user comes last, as nothing public says that its removal spares the others."""
        named = [user for user in users if user.key.username]

        def remove(user: OutgoingUser) -> None:
            removal = removal_step(user, methods)
            step = Step(removal.method.call, removal.method.encode(removal.arguments))
            try:
                self._send(step, lambda: False, accept=ErrorKind.NOT_FOUND)
            except ApiError as error:
                if error.kind is ErrorKind.NOT_FOUND:  # the list lags
                    return
                raise DomainError(self._stuck(user, error)) from None
            self.outcome.removed_users.append(str(user.key))

        with ThreadPoolExecutor(max_workers=_REMOVALS_AT_ONCE) as pool:
            list(pool.map(remove, named))
        for user in users[len(named) :]:
            remove(user)

    def _stuck(self, user: OutgoingUser, error: ApiError) -> str:
        before = self.outcome.before
        product = before is not None and before.products.get("outgoing") is False
        hint = " The domain's outgoing product is off; the server may want it on for this." if product else ""
        return f"The domain {self._wanted} stays, because the {user.key} could not be removed: {error}{hint}"

    def _remove(self, methods: Methods, remove_users: bool) -> None:
        name = self._wanted.name
        step = Step("domain/remove", [("domain", name)])
        try:
            self._send(step, lambda: not _exists(self._client, name))
        except ApiError as error:
            if error.kind is ErrorKind.HAS_OUTGOING_USERS:
                raise DomainError(self._refusal(self._users(methods), methods, remove_users)) from None
            if error.kind is not ErrorKind.NOT_FOUND:
                raise

    def _refusal(self, users: Optional[Sequence[OutgoingUser]], methods: Methods, told: bool = False) -> str:
        """Why a domain with outgoing users stays, and what to do about it."""
        asked = f"The domain {self._wanted} was to be removed, but it has outgoing users"
        if users is None:
            return f"{asked}. {methods.missing(LIST, 'list them')}"
        if told:
            return f"{asked} although all that it listed were removed; its lists may lag, so run again."
        return (
            f"{asked} ({first_three(users)}); set remove_outgoing_users: true to remove them with it, "
            "or remove them first."
        )


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
