# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole of an audit: what is wrong, the worst first, what nobody has seen, and one sentence about both. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from .._users.user import counted
from . import account, dns, senders, servers, thunderbirds
from .accepted import Acceptance, apply
from .finding import RULES, Finding, Unseen
from .rule import QUEUE, SEVERITIES
from .seen import Seen

#: What `spamexperts_fail_on` may name -> what is counted for it.
DRIFT = "drift"
FAIL_ON = (DRIFT, *SEVERITIES, "queue", "unseen")
#: What a run of apply would mend, or asks a person to decide.
_DRIFT = {"stranger", "leaver", "missing", "other_method", "other_limits", "domain_missing", "product_off"}
_DRIFT |= {"undescribed_login", "declared_login_missing", "not_set_up", "unfinished", "other_next_hop", "weak_tls"}
_DRIFT |= {"lowered_tls", "undescribed_thunderbird", "thunderbird_login_missing"}
_DRIFT |= {"password_for_anybody", "header_lowers_tls", "description_lost", "domain_undescribed", "no_postfix"}
_WORST = 10


@dataclass(frozen=True)
class Report:
    """What is said at the end. notes: of what is accepted."""

    findings: Sequence[Finding]
    unseen: Sequence[Unseen]
    notes: Sequence[str] = ()
    totals: Mapping[str, int] = field(default_factory=dict)

    @property
    def open(self) -> list[Finding]:
        """What nobody has accepted."""
        return [one for one in self.findings if not one.accepted]

    @property
    def severities(self) -> dict[str, int]:
        """How many are open, by severity."""
        number = Counter(one.severity for one in self.open)
        return {severity: number[severity] for severity in SEVERITIES}

    @property
    def verdict(self) -> str:
        """The whole in one line."""
        counts = [f"{number} {severity}" for severity, number in self.severities.items() if number]
        wrong = f"{counted(len(self.open), 'finding')}: {', '.join(counts)}" if counts else "Nothing wrong was found"
        if self.unseen:
            return f"{wrong}; {counted(len(self.unseen), 'thing')} could not be looked at"
        return wrong if counts else f"{wrong}, and nothing was left out"

    def failing(self, fail_on: Sequence[str]) -> list[str]:
        """Which of these words are true of this report."""
        open_ = self.open
        true = {severity for severity, number in self.severities.items() if number}
        true |= {DRIFT} if any(one.code in _DRIFT for one in open_) else set()
        true |= {"queue"} if any(RULES[one.code].area == QUEUE for one in open_) else set()
        true |= {"unseen"} if self.unseen else set()
        return [word for word in FAIL_ON if word in fail_on and word in true]

    def lines(self) -> Iterator[str]:
        """What the terminal says: the verdict, the ten worst findings, what was not looked at, and totals."""
        yield f"{self.verdict}."
        for one in self.open[:_WORST]:
            yield f"{one.severity.upper()} {one.code}: {one.where}: {one.what}. To do: {one.to_do}."
        if len(self.open) > _WORST:
            yield f"and {len(self.open) - _WORST} more, which the page has"
        yield from (f"not looked at: {one.what}: {one.why}" for one in self.unseen[:_WORST])
        if len(self.unseen) > _WORST:
            yield f"not looked at: {len(self.unseen) - _WORST} more, which the page has"
        accepted = len(self.findings) - len(self.open)
        if accepted:
            yield f"accepted: {counted(accepted, 'finding')}"
        yield from self.notes
        yield ", ".join(counted(number, noun) for noun, number in self.totals.items()) + "."

    def to_result(self) -> dict[str, Any]:
        """Everything, for programs."""
        return {
            "verdict": self.verdict,
            "severities": self.severities,
            "findings": [one.to_result() for one in self.findings],
            "not_looked_at": [one.to_result() for one in self.unseen],
            "notes": list(self.notes),
            "totals": dict(self.totals),
        }


def report(seen: Seen, accepted: Sequence[Acceptance], today: date) -> Report:
    """Look at everything that was seen."""
    parts = (senders, servers, thunderbirds, dns, account)
    all_findings = [finding for part in parts for finding in part.findings(seen)]
    ordered = sorted(all_findings, key=lambda one: (SEVERITIES.index(one.severity), one.code, one.where, one.what))
    shown, notes = apply(ordered, accepted, today)
    totals = {
        "domain": len(seen.descriptions),
        "sender": len(seen.everybody()),
        "mail server": len(seen.hosts),
    }
    return Report(shown, [one for part in parts for one in part.unseen(seen)], notes, totals)
