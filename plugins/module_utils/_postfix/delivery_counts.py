# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of the mail of the last seconds, as the mail log tells it."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Optional

_BLOCK = 1 << 20
#: `2026-01-31T09:08:07.123456+01:00`, or `Jan 31 09:08:07` in the host's own time.
_STAMP = re.compile(rb"(?P<full>\d{4}-\d\d-\d\dT\S+)|(?P<short>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)")
_ATTEMPT = re.compile(r"(?:^|\s)(?P<mail>\w+): to=<(?P<to>.*?)>, (?P<rest>.*?)\bstatus=(?P<status>\w+) (?P<reply>.*)$")
#: The queue manager says `removed` of a mail that is done, postsuper of one that somebody has taken out. The journal
#: has no program, but a mail of which something waits is not done.
_GONE = re.compile(
    r"(?:^|\s)(?P<mail>\w+): (?:from=<.*>, status=(?P<expired>[\w-]*expired)\b|(?P<how>removed|requeued)$)"
)


class DeliveryCounts(NamedTuple):
    """Numbers of mails. Of those deferred, each is delivered, returned, waiting or was removed by somebody."""

    sent: int
    deferred: int
    delivered: int
    returned: int
    waiting: int
    removed: int = 0


@dataclass
class _Mail:
    """One mail in the log: what happened last to each recipient, and how it left the queue."""

    recipients: dict[str, str] = field(default_factory=dict)
    was_deferred: bool = False
    expired: bool = False
    gone: bool = False
    requeued: bool = False

    @property
    def end(self) -> str:
        """What became of it: a field of DeliveryCounts."""
        statuses = set(self.recipients.values())
        if self.expired or ("deferred" not in statuses and statuses & {"bounced", "expired"}):
            return "returned"
        if "deferred" in statuses:
            return "removed" if self.gone else "waiting"
        return "delivered"


def count_deliveries(text: str, server: str) -> DeliveryCounts:
    """Count the attempts to deliver to this server, or that were not made because of it."""
    mails: list[_Mail] = []
    there: dict[str, _Mail] = {}  # queue id -> the mail that has it
    for line in text.splitlines():
        gone = _GONE.search(line)
        if gone and gone["mail"] in there:
            mail = there[gone["mail"]]
            if gone["expired"]:
                mail.expired = True
            else:
                # Its queue id may be given to another mail now; one that is requeued goes on under a new one.
                del there[gone["mail"]]
                mail.gone, mail.requeued = True, gone["how"] == "requeued"
        found = _ATTEMPT.search(line)
        if found is None:
            continue
        # While a server refuses, Postfix puts mail off without a connection; only the reason names the server.
        if server.lower() not in (found["rest"] + found["reply"]).lower() and found["mail"] not in there:
            continue
        if found["mail"] not in there:
            there[found["mail"]] = _Mail()
            mails.append(there[found["mail"]])
        mail = there[found["mail"]]
        mail.recipients[found["to"]] = found["status"]
        mail.was_deferred |= found["status"] == "deferred"
    counted = [mail for mail in mails if not mail.requeued]
    ends = Counter(mail.end for mail in counted if mail.was_deferred)
    sent = sum(set(mail.recipients.values()) == {"sent"} for mail in counted)
    deferred = sum(mail.was_deferred for mail in counted)
    return DeliveryCounts(sent, deferred, ends["delivered"], ends["returned"], ends["waiting"], ends["removed"])


def recent(path: Path, since: datetime) -> str:
    """The end of a log file, from the first line on that is not older.

    since: in the host's own time, without a zone.
    """
    with path.open("rb") as stream:
        position = stream.seek(0, os.SEEK_END)
        tail = b""
        while position and not _begins_before(tail, since):
            size = min(_BLOCK, position)
            position -= size
            stream.seek(position)
            tail = stream.read(size) + tail
    lines = tail.splitlines()
    begin = next((number for number, line in enumerate(lines) if _is_before(line, since) is False), len(lines))
    return b"\n".join(lines[begin:]).decode("utf-8", "replace")


def _begins_before(tail: bytes, since: datetime) -> bool:
    """Whether the first whole line is older."""
    lines = tail.split(b"\n", 2)
    return len(lines) > 2 and _is_before(lines[1], since) is True


def _is_before(line: bytes, since: datetime) -> Optional[bool]:
    """Whether the line is older; None for one without a time, such as a part of one."""
    time = time_of(line, since)
    return None if time is None else time < since.replace(microsecond=0)


def time_of(line: bytes, near: datetime) -> Optional[datetime]:
    """The time of a line, in the host's own time without a zone; None where it has none."""
    found = _STAMP.match(line)
    if found is None:
        return None
    try:
        if found["full"]:
            return (
                datetime.fromisoformat(found["full"].decode().replace("Z", "+00:00")).astimezone().replace(tzinfo=None)
            )
        # Without a year: the one that brings it next to the moment that is asked for.
        words = found["short"].decode()
        years = range(near.year - 1, near.year + 2)
        times = [datetime.strptime(f"{year} {words}", "%Y %b %d %H:%M:%S") for year in years]
    except ValueError:  # a stamp that is none, or the 29th of February
        return None
    return min(times, key=lambda time: abs(time - near))
