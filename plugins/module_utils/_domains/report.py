# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What domain and domains say of what was done: result, warnings, and a message about failures. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from .._names import unicode_domain
from .._users.known import MOST_NAMES, nearest
from .._users.methods import LIST, Methods
from .._users.plan import CREATED, FAILED, REMOVED, SKIPPED, UNCHANGED, UNKNOWN, UPDATED
from .._users.report import SEVERAL_REASONS, SHOWN, named, with_reasons
from .._users.user import OutgoingUser, first_three
from .domain import Domain

ACTIONS = (CREATED, UPDATED, REMOVED, UNCHANGED, UNKNOWN, FAILED, SKIPPED)


@dataclass
class Change:
    """What becomes of one domain, or would in check mode. before and after: None where it is not there."""

    wanted: Domain
    present: bool = True
    remove_users: bool = False
    action: str = UNCHANGED
    before: Optional[Domain] = None
    after: Optional[Domain] = None
    removed_users: list[str] = field(default_factory=list)
    users: Optional[list[OutgoingUser]] = None  # None: not read, or not shown
    reason: str = ""
    code: str = ""  # why it failed, in a word for programs
    written: bool = False  # whether a call has been carried out, as far as anybody knows

    def __str__(self) -> str:
        return str(self.wanted)

    @property
    def changed(self) -> bool:
        """Whether this changes something, or may change something that nobody can know before."""
        return self.written or self.action in (CREATED, UPDATED, REMOVED, UNKNOWN)

    @property
    def is_absent(self) -> bool:
        """Whether nothing was there to be removed."""
        return not self.present and self.before is None and self.action == UNCHANGED

    def fail(self, reason: object, code: str) -> None:
        """Note why it cannot be brought to the wanted state. code: for programs."""
        self.action, self.reason, self.code = FAILED, str(reason), code

    def to_result(self) -> dict[str, Any]:
        """The change as results show it."""
        shown: dict[str, Any] = {"domain": str(self), "action": self.action}
        if self.action not in (FAILED, SKIPPED):
            shown |= self.after.given() if self.after else {"exists": False}
        if self.removed_users:
            shown["removed_outgoing_users"] = sorted(self.removed_users)
        shown.update({name: text for name, text in (("reason", self.reason), ("code", self.code)) if text})
        return shown

    def before_shown(self) -> dict[str, Any]:
        """What was known before, with the outgoing users that went with it."""
        users = {"outgoing_users": sorted(self.removed_users)} if self.removed_users else {}
        return {**(self.before.given() if self.before else {}), **users}

    def after_shown(self) -> dict[str, Any]:
        """What is known afterwards; of a new domain only what is wanted, since the rest is up to the server."""
        shown = self.after if self.before else self.wanted
        return shown.given() if shown else {}


def foreign(wanted: Domain) -> str:
    """Why a domain cannot be added."""
    return (
        f"The domain {wanted} was to be added, but it exists on this server and belongs to somebody else; it is not "
        "taken over. Use the admin that it belongs to, or ask the provider."
    )


def has_users(change: Change, methods: Methods) -> str:
    """Why a domain with outgoing users stays, and what to do about it."""
    asked = f"The domain {change} was to be removed, but it has outgoing users"
    if change.users is None:
        return f"{asked}. {methods.missing(LIST, 'list them')}"
    if change.remove_users:
        return f"{asked} although all that it listed were removed; its lists may lag, so run again."
    return (
        f"{asked} ({first_three(change.users)}); set remove_outgoing_users: true to remove them with it, or remove "
        "them first."
    )


def result(changes: Sequence[Change], *, failed: bool, everything: bool, with_diff: bool) -> dict[str, Any]:
    """The result: `changed`, `domains`, `totals`, and with_diff `diff`.

    everything: unchanged domains as well. Otherwise a failed task shows those that failed first, and at most twenty.
    """
    totals = Counter(change.action for change in changes)
    shown = [change for change in changes if everything or change.action != UNCHANGED]
    if failed and not everything:
        order = {FAILED: 0, UNKNOWN: 1, SKIPPED: 3}
        shown = sorted(shown, key=lambda change: order.get(change.action, 2))[:SHOWN]
    said: dict[str, Any] = {
        "changed": any(change.changed for change in changes),
        "domains": [change.to_result() for change in shown],
        "totals": {action: totals[action] for action in ACTIONS},
    }
    if with_diff:
        said["diff"] = _diff(changes)
    return said


def _diff(changes: Sequence[Change]) -> dict[str, Any]:
    sides: dict[str, Any] = {"before": {}, "after": {}}
    for change in changes:
        if not change.changed or change.action == FAILED:  # what a failure has left behind is not known
            continue
        if change.before:
            sides["before"][str(change)] = change.before_shown()
        if change.present:
            sides["after"][str(change)] = change.after_shown()
    return sides


def failure(changes: Sequence[Change]) -> tuple[str, str]:
    """One text about every domain that failed, with up to ten names and their reasons, and its code; "" without any."""
    failed = [change for change in changes if change.action == FAILED]
    if not failed:
        return "", ""
    codes = {change.code for change in failed}
    reasons = [(str(change), change.reason) for change in failed]
    return with_reasons(reasons, len(changes), "domain"), codes.pop() if len(codes) == 1 else SEVERAL_REASONS


def warnings(changes: Sequence[Change], account: Collection[str]) -> list[str]:
    """What is not wrong, but has to be known. account: the domains that the account lists, as far as it does."""
    said = []
    reasons: dict[str, list[str]] = {}
    for change in changes:
        if change.action == UNKNOWN:
            reasons.setdefault(change.reason, []).append(str(change))
    for reason, names in reasons.items():
        said.append(f"Check mode cannot know what becomes of {named(names)}: {reason}.")
    absent = [str(change) for change in changes if change.is_absent]
    if absent:
        others = [unicode_domain(name) for name in account]
        names = [f"{name}{nearest(name, others)}" for name in absent[:MOST_NAMES]] + absent[MOST_NAMES:]
        said.append(
            f"No domain was there to be removed for {named(names)}; see whether the name is right, and the account, as "
            "the server does not tell a missing domain from one of somebody else."
        )
    return said
