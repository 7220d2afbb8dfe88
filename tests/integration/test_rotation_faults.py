# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rotation that is killed, or whose API fails, is finished by the next run, and no mail is lost on the way."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fleet import SMARTHOST_NAME, Fleet, why_impossible
from tests.support.emulator import Emulator
from tests.support.rotation import RotationSite, check_mail, steady_mail

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(why_impossible()), reason=why_impossible())]

#: The first task of each phase, and how often its name is printed before the phase begins.
PHASES = [
    ("Keep the store for this run", 1),
    ("See whether every mail server is well", 1),
    ("Have the next passwords in the store before anybody uses them", 1),
    ("Set the next passwords", 1),
    ("Let the store know it", 1),
    ("Forget what was before", 1),
    ("Send through the smarthost", 2),
    ("See what waits", 1),
    ("Note what became of each login", 1),
    ("Let the next passwords be the current ones", 1),
    ("Write the report", 1),
]
#: Those in which a kill leaves most behind; the others take part in the slow run.
USUAL = {
    "Have the next passwords in the store before anybody uses them",
    "Let the store know it",
    "Send through the smarthost",
}
SEED = 20261123
#: A rotation of this fleet takes about so long, in seconds; later moments are after its end.
LENGTH = 20
MOMENTS = [round(random.Random(SEED).uniform(0.5, LENGTH), 1) for _one in range(1)]  # noqa: S311 - a seed, no secret
SLOW_MOMENTS = [round(random.Random(SEED + number).uniform(0.5, LENGTH), 1) for number in range(50)]  # noqa: S311


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet(2) as running:
        yield running


@pytest.fixture(scope="module")
def site(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RotationSite]:
    with Emulator(hosts=[fleet.emulator_address], names=[SMARTHOST_NAME], namespace=fleet.emulator_namespace) as vendor:
        made = RotationSite(fleet, vendor, tmp_path_factory.mktemp("site"))
        made.set_up()
        yield made


def rotate_killed(site: RotationSite, log: Path, phase: str = "", times: int = 1, seconds: float = 0) -> bool:
    """Start a rotation and SIGKILL it when a phase begins, or after some seconds; whether it was still running."""
    process = site.start_rotation(log)
    try:
        deadline = time.monotonic() + (seconds or 120)
        while process.poll() is None and time.monotonic() < deadline:
            if (
                phase
                and log.read_text(encoding="utf-8").count(f"[{phase}]")
                + log.read_text(encoding="utf-8").count(f": {phase}]")
                >= times
            ):
                break
            time.sleep(0.02)
        return process.poll() is None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def check_killed(site: RotationSite, log: Path, label: str, **moment: Any) -> None:
    """Kill a rotation while mail flows, run it again, and see that all is well."""
    site.remember()
    log.touch()
    with steady_mail(site, label, 3) as senders:
        rotate_killed(site, log, **moment)
        site.check_secrets(log.read_text(encoding="utf-8"))
        run = site.rotate()
        assert run.returncode == 0, run.output
    assert check_mail(site, senders) > 0
    site.check_rotated()
    assert set(site.outcomes().values()) == {"committed"}


@pytest.mark.parametrize(
    ("phase", "times"),
    [pytest.param(*phase, id=phase[0], marks=() if phase[0] in USUAL else pytest.mark.slow) for phase in PHASES],
)
def test_killed_at_a_phase(site: RotationSite, tmp_path: Path, phase: str, times: int) -> None:
    check_killed(site, tmp_path / "log", f"phase{PHASES.index((phase, times))}", phase=phase, times=times)


@pytest.mark.parametrize(
    "seconds", [*MOMENTS, *(pytest.param(moment, marks=pytest.mark.slow) for moment in SLOW_MOMENTS)]
)
def test_killed_at_any_moment(site: RotationSite, tmp_path: Path, seconds: float) -> None:
    check_killed(site, tmp_path / "log", f"moment{int(seconds * 10)}x{random.getrandbits(32)}", seconds=seconds)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "code": 429, "retry_after": 1},
        pytest.param({"kind": "status", "code": 503}, marks=pytest.mark.slow),
        {"kind": "reset_after"},
    ],
    ids=lambda fault: str(fault.get("code", fault["kind"])),
)
def test_the_api_fails_at_each_write(site: RotationSite, fault: dict[str, Any]) -> None:
    site.remember()
    site.emulator.faults({"match": "outgoingusers/setpassword", "times": len(site.names), **fault})
    try:
        with steady_mail(site, f"fault{fault.get('code', fault['kind'])}".replace("_", ""), 3) as senders:
            site.rotate()
            site.emulator.faults()
            run = site.rotate() if any("next" in entry for entry in site.stored().values()) else None
            assert run is None or run.returncode == 0, run.output
    finally:
        site.emulator.faults()
    check_mail(site, senders)
    site.check_rotated()


def test_an_api_that_takes_no_write_leaves_everything_as_it_was(site: RotationSite) -> None:
    site.remember()
    site.emulator.faults({"match": "outgoingusers/setpassword", "times": None, "kind": "status", "code": 503})
    try:
        run = site.rotate()
    finally:
        site.emulator.faults()
    assert run.returncode == 2, run.output
    assert set(site.outcomes().values()) == {"not_changed"}
    assert {name: entry["current"] for name, entry in site.stored().items()} == site.old
    for name, password in site.old.items():
        assert site.accepts(name, password)
    # The way back instead of the way on.
    assert site.rotate(roll_back=True).returncode == 0
    assert site.stored() == {name: {"login": name, "current": password} for name, password in site.old.items()}
