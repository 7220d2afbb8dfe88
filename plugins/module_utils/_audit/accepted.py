# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings that somebody has taken on, with a reason and until a day. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase

from .._names import InputError
from .finding import RULES, Finding

_KEYS = {"code", "where", "reason", "until"}


@dataclass(frozen=True)
class Acceptance:
    """One entry of spamexperts_audit_accepted. where: a shell pattern."""

    code: str
    where: str
    reason: str
    until: date

    def takes(self, finding: Finding) -> bool:
        """Whether the finding is of this kind and there."""
        return self.code == finding.code and fnmatchcase(finding.where.lower(), self.where.lower())


def parse(entries: object) -> list[Acceptance]:
    """Check the option. Raises InputError that names everything that is wrong."""
    if not isinstance(entries, list):
        raise InputError("spamexperts_audit_accepted has to be a list; see the guide.")
    accepted, problems = [], []
    for position, entry in enumerate(entries):
        place = f"spamexperts_audit_accepted[{position}]"
        if not isinstance(entry, Mapping) or set(entry) != _KEYS:
            problems.append(f"{place} has to have code, where, reason and until, and nothing else")
            continue
        if entry["code"] not in RULES:
            problems.append(f"{place}: there is no finding {entry['code']!r}")
        if not str(entry["reason"] or "").strip():
            problems.append(f"{place}: reason is empty; say why somebody has taken it on")
        try:
            until = date.fromisoformat(str(entry["until"]))
        except ValueError:
            problems.append(f"{place}: until is {str(entry['until'])!r}, which is no day such as 2027-01-31")
            continue
        accepted.append(Acceptance(str(entry["code"]), str(entry["where"]), str(entry["reason"]).strip(), until))
    if problems:
        raise InputError("; ".join(problems) + ".")
    return accepted


def apply(findings: Iterable[Finding], accepted: Sequence[Acceptance], today: date) -> tuple[list[Finding], list[str]]:
    """The findings, of which some are accepted, and what is to be said of entries that have ended or take nothing."""
    now = [one for one in accepted if one.until >= today]
    used: set[Acceptance] = set()
    shown = []
    for finding in findings:
        takes = next((one for one in now if one.takes(finding)), None)
        used |= {takes} if takes else set()
        shown.append(replace(finding, accepted=f"{takes.reason} (until {takes.until})") if takes else finding)
    notes = []
    for one in accepted:
        if one.until < today:
            notes.append(
                f"{one.code} of {one.where} was accepted until {one.until}, and counts again; take the entry out"
            )
        elif one not in used:
            notes.append(f"{one.code} of {one.where} is accepted, and there is none; take the entry out")
    return shown, notes
