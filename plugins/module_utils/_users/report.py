# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What outgoing_user and outgoing_users say of what was done: result, warnings, and a message about failures. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from .methods import SET_PASSWORD
from .plan import ACTIONS, FAILED, IGNORED, LOGIN_REFUSED, SKIPPED, UNCHANGED, UNKNOWN, Change, diff
from .user import IP, Wanted, counted, first_three

#: So many users a message names, and so many the result of a failed task shows.
_NAMED, SHOWN = 10, 20
#: The code of a failure where users have failed for different ones.
SEVERAL_REASONS = "several_reasons"


def warnings(wanted: Sequence[Wanted], changes: Sequence[Change], unproven: str) -> list[str]:
    """What is not wrong, but has to be known. unproven: where and why not every login could be tried, or ""."""
    said = []
    by_address = [entry for entry in wanted if entry.user.authentication == IP and entry.present]
    risky = [entry for entry in by_address if not entry.ip_risk_acknowledged]
    if risky:
        said.append(
            f"Authentication by IP address ({counted(len(risky), 'sender')}: {first_three(risky)}): whoever gets onto "
            "such a host sends as anyone. Use a user with a password of its own, or set acknowledge_ip_risk: true."
        )
    reached = [change for change in changes if change.action not in (FAILED, SKIPPED)]
    passwords = [change for change in reached if change.password == UNKNOWN]
    if unproven and passwords:
        said.append(f"Not every password could be proven by a login to {unproven}")
    unknown = [change for change in reached if change.action == UNKNOWN or change.unknown or change in passwords]
    if unknown:
        said.append(
            f"Not everything is known about {counted(len(unknown), 'outgoing user')} ({first_three(unknown)}), because "
            "this server does not show it; see unknown and reason in the result."
        )
    return said


def failure(changes: Sequence[Change], *, stopped: bool) -> tuple[str, str]:
    """One text about everybody who failed, with up to ten names and their reasons, and its code; "" where nobody has.

    stopped: whether refused logins have ended the proofs. Then those whose passwords nobody has looked at are a failure
    as well, where the refused ones have shown that there are old passwords.
    """
    failed = [change for change in changes if change.action == FAILED]
    texts = []
    codes = {change.code for change in failed}
    if failed:
        reasons = [(str(change.key), change.reason) for change in failed]
        texts.append(with_reasons(reasons, len(changes), "outgoing user"))
    others = [change for change in changes if change.password == UNKNOWN and _is_untouched(change)]
    shown = [change for change in changes if change.other_password]
    if stopped and shown and others:
        codes.add(LOGIN_REFUSED)
        names = named([str(change.key) for change in others])
        texts.append(
            f"The smarthost refused the wanted password of {first_three(shown)}, and after that "
            f"{counted(len(others), 'other user')} could not be tried, as it blocks an address that fails often. Their "
            f"old passwords may still be in force: {names}. Set update_password: always for them."
        )
    return " ".join(texts), common(codes)


def common(codes: Iterable[str]) -> str:
    """The code that all failures have, or the one that says that they have different ones; "" without any."""
    different = set(codes)
    return different.pop() if len(different) == 1 else SEVERAL_REASONS if different else ""


def _is_untouched(change: Change) -> bool:
    """Whether the password is the one that it was."""
    sets = change.added or any(step.operation == SET_PASSWORD for step in change.steps)
    return not sets and change.action not in (FAILED, SKIPPED)


def with_reasons(failed: Sequence[tuple[str, str]], total: int, noun: str) -> str:
    """What to say of those that failed, each a name and a reason: up to ten of them.

    total: how many things of this noun there were in all. A reason that names its thing gets no name besides.
    """
    if total == 1:
        name, reason = failed[0]
        return reason if name in reason else f"{name}: {reason}"
    reasons: dict[str, list[str]] = {}  # what several have in common is said once
    for name, reason in failed[:_NAMED]:
        reasons.setdefault(reason.rstrip("."), []).extend([] if name in reason else [name])
    said = "; ".join(f"{', '.join(names)}: {reason}" if names else reason for reason, names in reasons.items())
    more = f"; and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
    return f"{len(failed)} of {counted(total, noun)} failed: {said}{more}."


def named(names: Sequence[str]) -> str:
    """Up to ten of these names, and how many more there are."""
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"


def result(changes: Sequence[Change], *, failed: bool, everything: bool, with_diff: bool) -> dict[str, Any]:
    """The result: `changed`, `users`, `totals`, and with_diff `diff`.

    everything: unchanged users as well. Otherwise a failed task shows those that failed first, then those that were not
    attempted or are not known, and at most twenty, as ansible-core prints its whole result.
    """
    totals = Counter(change.action for change in changes)
    quiet = () if everything else (UNCHANGED, IGNORED)
    shown = [change for change in changes if change.action not in quiet or change.unknown or change.password == UNKNOWN]
    shown.sort(key=lambda change: change.key)
    if failed:
        order = {FAILED: 0, UNKNOWN: 1, SKIPPED: 3}
        shown.sort(key=lambda change: 1 if change.password == UNKNOWN else order.get(change.action, 2))
        shown = shown if everything else shown[:SHOWN]
    said: dict[str, Any] = {
        "changed": any(change.changed for change in changes),
        "users": [change.to_result() for change in shown],
        "totals": {action: totals[action] for action in ACTIONS},
    }
    if with_diff:
        said["diff"] = diff(changes)
    return said
