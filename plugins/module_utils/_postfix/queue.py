# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What waits in the queue for the smarthost: how much, since when, why, and until when. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional

from .reasons import GROUPS, Way, code_of, group

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
#: How Postfix shows the empty sender, that of a bounce.
_NOBODY = ("MAILER-DAEMON", "")


class Mail(NamedTuple):
    """One mail of the queue. reasons: by recipient; empty where it was not tried."""

    queue: str
    sender: str
    arrival: int
    reasons: Mapping[str, str]


class Lifetimes(NamedTuple):
    """How many seconds Postfix keeps trying, and how many for a bounce; None where that is not known."""

    mail: Optional[int]
    bounce: Optional[int]


def parse(line: bytes) -> Optional[Mail]:
    """One line of `postqueue -j`; None for one that says of no mail what is needed, such as a part of one."""
    try:
        said = json.loads(line.decode("utf-8", "replace"))
        reasons = {str(each["address"]): str(each.get("delay_reason", "")) for each in said["recipients"]}
        return Mail(str(said["queue_name"]), str(said.get("sender", "")), int(said["arrival_time"]), reasons)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def seconds_of(value: str) -> Optional[int]:
    """A time of main.cf whose unit is the day unless it names one, such as `5d` or `12h`."""
    found = re.fullmatch(r"\s*(\d+)\s*([smhdw]?)\s*", value)
    return int(found[1]) * _SECONDS[found[2] or "d"] if found else None


def span(seconds: int) -> str:
    """A time for people: two units are exact enough."""
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    first = next((place for place, (number, _unit) in enumerate(parts) if number), 3)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number) or "0 s"


@dataclass
class Queue:
    """What was seen of a queue so far. However long it is, this stays small."""

    way: Way
    lifetimes: Lifetimes
    now: float
    waiting: int = 0
    held: int = 0
    elsewhere: int = 0
    unreadable: int = 0
    oldest: Optional[int] = None
    first_lost: Optional[int] = None
    mails: Counter[str] = field(default_factory=Counter)
    codes: dict[str, set[str]] = field(default_factory=dict)

    def add(self, line: bytes) -> None:
        """Count one line of `postqueue -j`."""
        mail = parse(line)
        if mail is None:
            self.unreadable += 1
            return
        ours = [reason for recipient, reason in mail.reasons.items() if self.way.leads(reason, recipient)]
        if mail.queue == "hold":
            self.held += 1
        elif not ours:
            self.elsewhere += 1
        else:
            self._add_waiting(mail, ours)

    def _add_waiting(self, mail: Mail, reasons: list[str]) -> None:
        self.waiting += 1
        self.oldest = mail.arrival if self.oldest is None else min(self.oldest, mail.arrival)
        lifetime = self.lifetimes.bounce if mail.sender in _NOBODY else self.lifetimes.mail
        if lifetime is not None:
            lost = mail.arrival + lifetime
            self.first_lost = lost if self.first_lost is None else min(self.first_lost, lost)
        self.mails.update({group(reason).name for reason in reasons})
        for reason in reasons:
            self.codes.setdefault(group(reason).name, set()).update({code_of(reason)} - {""})

    def to_result(self) -> dict[str, Any]:
        """Numbers, and words of ours: no address, and nothing that a server has said but codes."""
        remedies = {each.name: each.remedy for each in GROUPS}
        return {
            "waiting": self.waiting,
            "held": self.held,
            "elsewhere": self.elsewhere,
            "oldest_age": None if self.oldest is None else max(0, int(self.now - self.oldest)),
            "first_lost_in": None if self.first_lost is None else max(0, int(self.first_lost - self.now)),
            "reasons": [
                {
                    "group": name,
                    "mails": number,
                    "codes": [int(code) for code in sorted(self.codes.get(name, ()))],
                    "remedy": remedies[name],
                }
                for name, number in sorted(self.mails.items(), key=lambda pair: (-pair[1], pair[0]))
            ],
        }


def sentence(result: Mapping[str, Any], smarthost: str) -> str:
    """What waits, for people; result: of a queue in which something waits."""
    many = "1 mail waits" if result["waiting"] == 1 else f"{result['waiting']} mails wait"
    text = f"{many} for {smarthost}, the oldest one for {span(result['oldest_age'])}"
    reasons = "; ".join(f"{each['group']} ({each['mails']}): {each['remedy']}" for each in result["reasons"])
    lost = result["first_lost_in"]
    if lost is None:
        return f"{text}. {reasons}."
    when = f"in {span(lost)}" if lost else "at the next try"
    return f"{text}. {reasons}. Unless it leaves before, the first one is returned to its sender {when}."
