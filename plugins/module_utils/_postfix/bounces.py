# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a mail log still shows of mail for the smarthost: how much was returned, and of which domains it was."""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from .delivery_counts import time_of
from .reasons import Way

#: More senders are not remembered.
MOST_SENDERS = 10_000
_BLOCK = 1 << 20
_LINE = 1 << 16
_ATTEMPT = re.compile(
    r"(?:^|\s)(?P<mail>\w+): to=<(?P<to>.*?)>,.*? relay=(?P<relay>[^,\[]+)\b.*?\bstatus=(?P<status>\w+) \((?P<reply>.*)"
)
_EXPIRED = re.compile(r"(?:^|\s)(?P<mail>\w+): from=<.*>, status=(?:force-)?expired\b")
_SENDER = re.compile(r"(?:^|\s)(?P<mail>\w+): from=<(?P<sender>[^>]*@[^>@]+)>, size=")
_REMOVED = re.compile(r"(?:^|\s)(?P<mail>\w+): removed$")
#: What programs that rotate call the log before this one. A compressed one stays unread.
_ROTATED = re.compile(r"(?:\.\d+|[.-]\d{8}(?:-?\d+)?)\Z")


class Bounces:
    """Counts mails that were returned, and by envelope sender all that the smarthost was to get.

    It remembers only those mails that are in the queue at this point of the log.
    """

    def __init__(self, way: Way) -> None:
        self._way = way
        self._ours: set[str] = set()
        self._returned: set[str] = set()
        self._gone = 0
        self._senders: dict[str, str] = {}
        self.senders: Counter[str] = Counter()

    @property
    def number(self) -> int:
        """How many there are so far."""
        return self._gone + len(self._returned)

    def add(self, line: str) -> None:
        """Read the next line of the log."""
        removed = _REMOVED.search(line)
        if removed:
            self._ours.discard(removed["mail"])
            self._gone += removed["mail"] in self._returned
            self._returned.discard(removed["mail"])
            self._senders.pop(removed["mail"], None)
            return
        sender = _SENDER.search(line)
        if sender:
            self._senders[sender["mail"]] = sender["sender"].lower()
            return
        attempt = _ATTEMPT.search(line)
        if attempt and self._leads(attempt):
            self._ours.add(attempt["mail"])
            self._count(self._senders.pop(attempt["mail"], ""))
            if attempt["status"] == "bounced":
                self._returned.add(attempt["mail"])
            return
        expired = _EXPIRED.search(line)
        if expired and expired["mail"] in self._ours:
            self._returned.add(expired["mail"])

    def _count(self, sender: str) -> None:
        # Whoever makes up a sender for each mail fills no memory.
        if sender and (sender in self.senders or len(self.senders) < MOST_SENDERS):
            self.senders[sender] += 1

    def _leads(self, attempt: re.Match[str]) -> bool:
        # While a server refuses, Postfix puts mail off without a connection.
        if attempt["relay"] == "none":
            return self._way.leads(attempt["reply"], attempt["to"])
        return attempt["relay"].lower() == self._way.smarthost.lower()


def count_bounces(
    lines: Iterable[str], since: datetime, now: datetime, way: Way, syslog_name: str
) -> tuple[Bounces, int]:
    """What was returned since then, and how many seconds before now the log begins; no more than are asked for.

    Of the instance with this name in the log. since and now: in the host's own time, without a zone.
    """
    bounces, begin = Bounces(way), None
    is_begun = False
    name = f" {syslog_name}/"
    for line in lines:
        if not is_begun:
            time = time_of(line[:64].encode(), since)
            if time is not None and time < since:
                begin = since
                continue
            begin = begin or time
            is_begun = time is not None
        if name in line and ("status=" in line or ": from=<" in line or line.endswith(": removed")):
            bounces.add(line)
    return bounces, max(0, int((now - (begin or now)).total_seconds()))


def lines_since(path: Path, since: datetime) -> Iterator[str]:
    """The lines of a log, and of those rotated away, from a little before this time on.

    One at a time: a day may be gigabytes. The log is opened first, so what is rotated away meanwhile is read once.
    """
    with ExitStack() as stack:
        log = stack.enter_context(path.open("rb"))
        streams = [*_rotated(path, log, since, stack), log]
        for stream in streams:
            stream.seek(_begin(stream, since))
            for line in stream:
                yield line.decode("utf-8", "replace").rstrip("\n")


def _rotated(path: Path, log: BinaryIO, since: datetime, stack: ExitStack) -> list[BinaryIO]:
    """The logs before this one that were written to since then, the oldest first."""
    own, found = _identity(log), []
    for each in path.parent.glob(f"{path.name}[.-]*"):
        if _ROTATED.fullmatch(each.name[len(path.name) :]):
            with contextlib.suppress(OSError):  # rotated further just now
                status = each.stat()
                if status.st_mtime >= since.timestamp() and (status.st_dev, status.st_ino) != own:
                    found.append((status.st_mtime_ns, stack.enter_context(each.open("rb"))))
    return [stream for _changed, stream in sorted(found, key=lambda pair: pair[0])]


def _identity(stream: BinaryIO) -> tuple[int, int]:
    status = os.fstat(stream.fileno())
    return status.st_dev, status.st_ino


def _begin(stream: BinaryIO, since: datetime) -> int:
    """Where the last line begins that is certainly older, or the log."""
    position = stream.seek(0, os.SEEK_END)
    while position:
        position = max(0, position - _BLOCK)
        stream.seek(position)
        if position:
            stream.readline(_LINE)  # the end of a line
        begin = stream.tell()
        time = time_of(stream.readline(_LINE), since)
        if time is not None and time < since:
            return begin
    return 0
