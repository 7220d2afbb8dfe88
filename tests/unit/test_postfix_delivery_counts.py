# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the mail log tells of the last seconds."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix import delivery_counts as module
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.delivery_counts import (
    DeliveryCounts,
    count_deliveries,
    recent,
)

SERVER = "4489.smtp.example"
RELAY = f"{SERVER}[192.0.2.1]:587"
REFUSED = f"SASL authentication failed; server {RELAY} said: 535 Incorrect authentication data"


def attempt(mail: str, status: str, reply: str = "250 OK", relay: str = RELAY, to: str = "a@example.org") -> str:
    result = f"delay=1, dsn=1, status={status} ({reply})"
    return f"Jan  1 10:00:00 h postfix/smtp[7]: {mail}: to=<{to}>, relay={relay}, {result}"


HEAD = "Jan  1 10:00:00 h postfix/"


def gone(mail: str, program: str = "postsuper") -> str:
    return f"{HEAD}{program}[7]: {mail}: removed"


@pytest.mark.parametrize(
    ("lines", "numbers"),
    [
        ([], DeliveryCounts(0, 0, 0, 0, 0)),
        ([attempt("A", "sent"), attempt("B", "sent")], DeliveryCounts(2, 0, 0, 0, 0)),
        ([attempt("A", "deferred", REFUSED), attempt("A", "sent")], DeliveryCounts(1, 1, 1, 0, 0)),
        ([attempt("A", "deferred", REFUSED), attempt("A", "deferred", REFUSED)], DeliveryCounts(0, 1, 0, 0, 1)),
        ([attempt("A", "deferred", REFUSED), attempt("A", "bounced", "550 No")], DeliveryCounts(0, 1, 0, 1, 0)),
        # Put off without a connection, and then delivered.
        (
            [attempt("A", "deferred", f"delivery temporarily suspended: {REFUSED}", "none"), attempt("A", "sent")],
            DeliveryCounts(1, 1, 1, 0, 0),
        ),
        # Another server, or a local mailbox.
        (
            [
                attempt("A", "deferred", "timed out", "mx.example.net[192.0.2.9]:25"),
                attempt("B", "sent", "ok", "local"),
            ],
            DeliveryCounts(0, 0, 0, 0, 0),
        ),
        # A mail with two recipients is one mail; it waits until both are done.
        (
            [
                attempt("A", "deferred", REFUSED),
                attempt("A", "deferred", REFUSED, to="b@example.org"),
                attempt("A", "sent"),
            ],
            DeliveryCounts(0, 1, 0, 0, 1),
        ),
        # Somebody has taken it out of the queue.
        ([attempt("A", "deferred", REFUSED), gone("A")], DeliveryCounts(0, 1, 0, 0, 0, 1)),
        ([attempt("A", "deferred", REFUSED), "A: removed"], DeliveryCounts(0, 1, 0, 0, 0, 1)),
        # It was done, and its queue id is another mail's now.
        ([attempt("A", "sent"), gone("A", "qmgr"), attempt("A", "deferred", REFUSED)], DeliveryCounts(1, 1, 0, 0, 1)),
        (
            [attempt("A", "deferred", REFUSED), attempt("A", "sent"), gone("A", "qmgr"), attempt("A", "sent")],
            DeliveryCounts(2, 1, 1, 0, 0),
        ),
        # It was too old.
        (
            [attempt("A", "deferred", REFUSED), f"{HEAD}qmgr[7]: A: from=<b@x>, status=expired, returned to sender"],
            DeliveryCounts(0, 1, 0, 1, 0),
        ),
        (
            [
                attempt("A", "deferred", REFUSED),
                f"{HEAD}qmgr[7]: A: from=<b@x>, status=force-expired, returned to sender",
                gone("A", "qmgr"),
            ],
            DeliveryCounts(0, 1, 0, 1, 0),
        ),
        # It has another queue id now, under which it waits or leaves.
        (
            [attempt("A", "deferred", REFUSED), f"{HEAD}postsuper[7]: A: requeued", attempt("B", "sent")],
            DeliveryCounts(1, 0, 0, 0, 0),
        ),
        # A mail of somebody else.
        ([gone("A"), gone("B", "qmgr"), f"{HEAD}postsuper[7]: Deleted: 1 message"], DeliveryCounts(0, 0, 0, 0, 0)),
        # The journal has no time and no program.
        ([attempt("A", "sent").partition("]: ")[2], "status=sent (x)"], DeliveryCounts(1, 0, 0, 0, 0)),
    ],
)
def test_deliveries_are_counted(lines: list[str], numbers: DeliveryCounts) -> None:
    assert count_deliveries("\n".join(lines), SERVER.upper()) == numbers


@pytest.fixture
def _in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_in_new_york")
@pytest.mark.parametrize("block", [7, 1 << 20])
@pytest.mark.parametrize(
    ("since", "stamps", "kept"),
    [
        (
            datetime(2026, 1, 1, 0, 0, 5),
            ["Dec 31 23:59:59", "Jan  1 00:00:04", "Jan  1 00:00:05", "Jan  1 00:00:09"],
            2,
        ),
        (datetime(2026, 12, 31, 23, 59, 58), ["Dec 31 23:59:57", "Dec 31 23:59:59", "Jan  1 00:00:01"], 2),
        (
            datetime(2026, 1, 1, 5, 0, 0, 999),
            ["2026-01-01T04:59:59.999999-05:00", "2026-01-01T05:00:00.000001-05:00", "2026-01-01T10:00:02.123456Z"],
            2,
        ),
        (datetime(2026, 1, 1, 5), ["Jan  1 04:00:00"], 0),
        (datetime(2026, 1, 1, 5), [], 0),
        # What has no time belongs to the line before, or is no reason to leave anything out.
        (datetime(2026, 1, 1, 5), ["Jan  1 04:00:00", "Jan  1 05:00:00", "no time", "2026-99-99T00:00:00"], 3),
    ],
)
def test_the_end_of_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, since: datetime, stamps: list[str], kept: int
) -> None:
    monkeypatch.setattr(module, "_BLOCK", block)
    lines = [f"{stamp} line {number}" for number, stamp in enumerate(stamps)]
    path = tmp_path / "log"
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    assert recent(path, since).splitlines() == lines[len(lines) - kept :]


def test_a_time_without_a_year_that_no_year_has(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("Feb 30 05:00:00 x\n")
    assert recent(tmp_path / "log", datetime(2026, 1, 1, 5)) == ""


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)  # a hole: whoever read all of it would take hours
        stream.seek(0, os.SEEK_END)
        stream.write(
            b"\n" + 20000 * b"Jan  1 04:00:00 an old line that is longer than it has to be\n" + b"Jan  1 05:00:00 x\n"
        )
    assert recent(path, datetime(2026, 1, 1, 5)) == "Jan  1 05:00:00 x"
