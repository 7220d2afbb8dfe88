# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rotation that is killed at any moment, and on its way back, is finished by one more run. Nothing is lost."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.fleet import why_impossible
from tests.integration.test_rotation_kill import ALTERNATE, BACK, COMMIT, FIRST_ACTIVE, IN_PLACE, STRATEGIES, kill_at
from tests.support.rotation import RotationSite, check_mail, steady_mail

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(why_impossible()), reason=why_impossible())]

SEED = 20261123
_LABEL = itertools.count()


def moments(number: int) -> list[Any]:
    """So many points of a rotation, as fractions of its length; the first few are always the same."""
    chance = random.Random(SEED)  # noqa: S311 - a seed, no secret
    return [pytest.param(place, chance.random(), id=f"moment{place}") for place in range(number)]


@pytest.mark.parametrize(
    "points", [BACK[1:2], pytest.param([BACK[0], *BACK[2:]], marks=pytest.mark.slow)], ids=["middle", "others"]
)
def test_killed_while_it_rolls_back(site: RotationSite, points: list[str]) -> None:
    """In the middle of it; at night at the other points, which tests/unit/test_rotation_transitions.py has by day."""
    _killed_while_it_rolls_back(site, IN_PLACE, FIRST_ACTIVE, points)


@pytest.mark.slow
@pytest.mark.timeout(900)  # seven runs
@pytest.mark.parametrize("event", [FIRST_ACTIVE, COMMIT])
def test_killed_while_two_logins_are_rolled_back(site: RotationSite, event: str) -> None:
    _killed_while_it_rolls_back(site, ALTERNATE, event, BACK)


def _killed_while_it_rolls_back(
    site: RotationSite, rotation: Mapping[str, Any], event: str, points: Sequence[str]
) -> None:
    """Kill a rotation, then the way back at each of these points, and let a run finish it."""
    before = site.stored()
    with steady_mail(site, f"back{next(_LABEL)}x", 2) as senders:
        kill_at(site, event, **rotation)
        for back in points:
            kill_at(site, back, roll_back=True)
        run = site.rotate(roll_back=True)
        assert run.returncode == 0, run.output
    check_mail(site, senders)
    assert site.stored() == before
    assert {f"{user['username']}@example.com" for user in site.emulator.users()} == {
        entry["login"] for entry in before.values()
    }
    for name, entry in before.items():
        assert site.accepts(entry["login"], site.old[name])


@pytest.mark.slow  # every transition is killed in one process by day, in tests/unit/test_rotation_transitions.py
@pytest.mark.parametrize(("place", "fraction"), moments(50))
def test_killed_at_any_moment(site: RotationSite, place: int, fraction: float) -> None:
    """Kill the controller alone or with everything, in both strategies by turns."""
    rotation, alone = STRATEGIES[place % 2], place % 4 >= 2
    event, seconds = site.moment(fraction, rotation["strategy"])
    with steady_mail(site, f"moment{next(_LABEL)}x", 2) as senders:
        with site.interrupted(event, **rotation) as run:
            run.wait_for_stop()
            run.go_on(seconds)
            run.kill(alone=alone)
            site.check_secrets(run.output)
            site.check_known()
            again = site.rotate(**rotation)
        assert again.returncode == 0, again.output
    assert check_mail(site, senders) > 0
    site.check_rotated()
