# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rotation that is killed, wherever, is finished by one more run, and neither a mail nor a password is lost."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from tests import ROOT
from tests.fleet import why_impossible
from tests.support.rotation import RotationSite, check_mail, steady_mail

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(why_impossible()), reason=why_impossible())]

PLAYBOOK = yaml.safe_load((ROOT / "playbooks/rotate_credentials.yml").read_text(encoding="utf-8"))
ACTION = "smarthost.spamexperts.rotation"
KEEP = "Look at the store and at the vendor / Lock the credential store, and see what the API offers"
READ = (
    "See who uses which login",
    "Decide what to do / Make the plan",
    "See whether another mail server has these logins",
)
PREFLIGHT = "See whether every mail server is well"
STAGE = "Make everything ready / Ensure that the store has the next passwords before anybody uses them"
BESIDE = "Put the next passwords beside those in use"
FIRST_BESIDE = f"{BESIDE} / Configure Postfix for the smarthost / done"
SET = "Change the passwords at the vendor / Set the next passwords"
IS_SET = f"{SET} / done"
USE = "Let the mail servers use the new passwords"
FIRST_ACTIVE = f"{USE} / Put the tables that lie beside in use / done"
FIRST_DONE = f"{USE} / Configure Postfix for the smarthost / done"
PROVE = f"{USE} / Prove from this host each login that it has not proven yet"
DECIDE = "Decide about each login, and roll back what failed / Decide, and set old passwords again"
USE_OLD = "Let the mail servers use the old passwords again"
WAITING = "Let waiting mail go"
ELSEWHERE = "Prove what the controller cannot"
CLIENTS = "Let people's Thunderbird use the new passwords"
COMMIT = "Finish, and report / Let the next passwords be the current ones"
IN_PLACE: dict[str, Any] = {"strategy": "in_place"}
ALTERNATE: dict[str, Any] = {"strategy": "alternate"}
STRATEGIES = (IN_PLACE, ALTERNATE)
#: The runs that are killed one after the other, each at a later point than the one before; then one more run ends it.
CHAINS = {
    "before": (IN_PLACE, [KEEP, *READ, PREFLIGHT, STAGE, BESIDE, SET, IS_SET]),
    "between": (IN_PLACE, [USE, FIRST_ACTIVE, DECIDE]),
    "after": (IN_PLACE, [WAITING, ELSEWHERE, CLIENTS, COMMIT]),
    "alternate": (ALTERNATE, [COMMIT]),
    "locked": ({"emergency": True, "emergency_action": "lock"}, [SET, IS_SET]),
}
#: As above, of a run that goes back.
BACK = [DECIDE, f"{DECIDE} / done", USE_OLD, COMMIT]
_LABEL = itertools.count()


def phases() -> list[str]:
    """Where a phase begins, out of the playbook itself: a play, or its task that is the controller's.

    What happens inside of one of these is killed call by call in tests/unit/test_rotation_transitions.py.
    """
    found = []

    for play in PLAYBOOK:
        writing = [task["name"] for task in play["tasks"] if ACTION in task]
        found += [f"{play['name']} / {task}" for task in writing] or [play["name"]]
    return found


def kill_at(site: RotationSite, event: str, **rotation: Any) -> None:
    """Start a rotation and SIGKILL it, with all its processes, at this event."""
    with site.interrupted(event, **rotation) as run:
        run.wait_for_stop()
        assert run.kill()
        site.check_secrets(run.output)
    site.check_known()


def check_killed(site: RotationSite, rotation: Mapping[str, Any], events: list[str]) -> None:
    """Kill one rotation after the other while mail flows, run it once more, and see that all is well."""
    with steady_mail(site, f"killed{next(_LABEL)}x", 2) as senders:
        for event in events:
            kill_at(site, event, **rotation)
        run = site.rotate(**rotation)
        assert run.returncode == 0, run.output
    assert check_mail(site, senders) > 0
    site.check_rotated()
    assert {user["locked"] for user in site.emulator.users()} == {0}


@pytest.mark.slow  # by day each transition is killed in one process, and real programs in test_rotation_moments.py
@pytest.mark.parametrize(("rotation", "events"), CHAINS.values(), ids=CHAINS)
def test_killed_at_one_phase_after_the_other(
    site: RotationSite, rotation: Mapping[str, Any], events: list[str]
) -> None:
    check_killed(site, rotation, events)


@pytest.mark.slow
@pytest.mark.parametrize("rotation", STRATEGIES, ids=["in_place", "alternate"])
@pytest.mark.parametrize("event", [*phases(), FIRST_BESIDE, FIRST_ACTIVE, FIRST_DONE, PROVE])
def test_killed_at_each_phase(site: RotationSite, rotation: Mapping[str, Any], event: str) -> None:
    check_killed(site, rotation, [event])


def test_every_phase_is_among_those_that_are_killed() -> None:
    killed = {event for _rotation, events in CHAINS.values() for event in events} | set(BACK)
    assert set(phases()) <= killed
