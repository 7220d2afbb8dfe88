# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No program of Postfix waits because of what we have just written, and whoever goes by dates sees each change."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix import dates, files
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.commands import (
    Answer,
    Instance,
    PostfixError,
)

from tests.support.kill import killed_relay
from tests.support.postfix import ScratchPostfix
from tests.support.relay import LOGIN, relay, snapshot

SMARTHOST: dict[str, Any] = {"smarthost": "localhost"}
KINDS = ("hash", "texthash")


def is_hot(path: Path) -> bool:
    """Whether a program that reads this file now pauses, as dict_load_file_xt of Postfix decides it."""
    now, changed = int(time.time()), int(path.stat().st_mtime)
    return now - 1 <= changed <= now


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The programs that met a file for which they wait."""
    found: list[str] = []
    ask = Instance.ask

    def watched(instance: Instance, program: str, *arguments: str, stdin: str = "") -> Answer:
        tables = [argument.partition(":")[2] for argument in arguments if argument.startswith("texthash:")]
        read = [Path(instance.config_directory, "main.cf"), *(Path(table) for table in tables)]
        found.extend(f"{program} {arguments}: {path}" for path in read if path.exists() and is_hot(path))
        return ask(instance, program, *arguments, stdin=stdin)

    monkeypatch.setattr(Instance, "ask", watched)
    return found


@pytest.mark.root
@pytest.mark.parametrize("kind", KINDS)
def test_no_program_waits(postfix: ScratchPostfix, waits: list[str], kind: str, no_check: None) -> None:
    for stage in ({**SMARTHOST, **LOGIN, "map_type": kind}, {"state": "absent"}):
        run = relay(postfix, **stage)
        assert run.changed, run.message
    assert waits == []


@pytest.mark.root
def test_no_program_waits_for_what_was_put_back(
    postfix: ScratchPostfix, waits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def check(instance: Instance) -> None:
        calls.append(instance)
        if len(calls) == 2:
            raise PostfixError("'postfix check' failed: bad.")

    before = snapshot(postfix.config_directory)
    monkeypatch.setattr(Instance, "check", check)
    assert "bad. main.cf and master.cf are as they were" in relay(postfix, **SMARTHOST, **LOGIN).message
    assert snapshot(postfix.config_directory) == before
    assert not is_hot(postfix.config_directory / "main.cf")
    assert waits == []


@pytest.mark.root
@pytest.mark.parametrize("step", [1, 2])
def test_a_kill_before_the_date_costs_a_pause_and_nothing_else(
    postfix: ScratchPostfix, no_check: None, step: int
) -> None:
    """First after the rules are written, then after the routes."""
    main = postfix.config_directory / "main.cf"
    before, old = postfix.parameters(), main.stat().st_mtime
    options = {**SMARTHOST, **LOGIN}
    assert killed_relay(postfix, step, at_dates=True, **options)
    assert postfix.parameters() != before
    assert main.stat().st_mtime > old + 3, "the date is that of the write"
    assert relay(postfix, **options).changed
    changed_at = main.stat().st_mtime_ns
    assert not relay(postfix, **options).changed
    assert main.stat().st_mtime_ns == changed_at
    assert relay(postfix, state="absent").changed
    assert postfix.parameters() == before


def test_a_date_never_goes_back_behind_that_of_the_file_before(tmp_path: Path) -> None:
    """The administrator's change of this moment, ours, and ours again: each differs from the one before."""
    path = tmp_path / "main.cf"
    path.write_text("by hand", encoding="utf-8")
    seen = [path.stat().st_mtime_ns]
    for content in (b"ours", b"ours again", b"and again"):
        with dates.dated_back(str(path)):
            files.replace(str(path), content, 0o644)
        seen.append(path.stat().st_mtime_ns)
    assert seen == sorted(set(seen))


def test_what_was_old_before_is_three_seconds_old(tmp_path: Path) -> None:
    path = tmp_path / "main.cf"
    path.write_text("by hand", encoding="utf-8")
    os.utime(path, (1000, 1000))
    with dates.dated_back(str(path)):
        pass
    assert path.stat().st_mtime == 1000, "nothing was written, so nothing is dated"
    with dates.dated_back(str(path)):
        files.replace(str(path), b"ours", 0o644)
    assert not is_hot(path)
    assert 1000 < path.stat().st_mtime <= time.time() - 3


def test_a_file_that_is_not_there_or_not_ours_is_no_error(tmp_path: Path) -> None:
    with dates.dated_back(str(tmp_path / "main.cf")):
        pass
    dates.date_back(str(tmp_path / "folder" / "main.cf"))
