# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One kind of finding: how bad it is, and its words. A code is the same in the report and in what is accepted."""

from __future__ import annotations

from typing import NamedTuple

HIGH, MEDIUM, LOW = "high", "medium", "low"
#: The worst first.
SEVERITIES = (HIGH, MEDIUM, LOW)


class Rule(NamedTuple):
    """One kind of finding. what: with places for what was seen."""

    area: str
    severity: str
    what: str
    why: str
    to_do: str


SENDERS, SERVERS, THUNDERBIRDS, QUEUE, DNS, ACCOUNT = (
    *("senders", "mail servers", "Thunderbirds"),
    *("queue", "DNS", "account"),
)
