# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong, and one thing that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from . import rules_of_hosts, rules_of_senders

RULES = {**rules_of_senders.RULES, **rules_of_hosts.RULES}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. where: a login, domain or host. accepted: why somebody has taken it on."""

    code: str
    where: str
    what: str
    to_do: str
    accepted: str = ""

    @property
    def severity(self) -> str:
        """How bad it is."""
        return RULES[self.code].severity

    def to_result(self) -> dict[str, Any]:
        """For the JSON file, the page and the result."""
        rule = RULES[self.code]
        return {
            **{"severity": rule.severity, "code": self.code, "area": rule.area, "where": self.where},
            **{"what": self.what, "why": rule.why, "to_do": self.to_do, "accepted": self.accepted},
        }


class Unseen(NamedTuple):
    """What was not looked at. It is never said to be right."""

    area: str
    what: str
    why: str

    def to_result(self) -> dict[str, str]:
        """For the JSON file, the page and the result."""
        return self._asdict()


def found(code: str, where: str, **values: object) -> Finding:
    """A finding in the words of its rule."""
    rule = RULES[code]
    return Finding(code, where, rule.what.format(**values), rule.to_do.format(**values))
