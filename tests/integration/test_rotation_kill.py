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
WRITES = ("smarthost.spamexperts.credential_store", "smarthost.spamexperts.outgoing_users")
KEEP = "Look at the store and at the vendor / Keep the store for this run"
READ = (
    "See who uses which login",
    "See whose Thunderbird uses which login",
    "Decide what to do",
    "See whether another mail server has these logins",
)
PREFLIGHT = "See whether every mail server is well"
VENDOR = "Change the passwords at the vendor"
STAGE = "Make everything ready / Have the next passwords in the store before anybody uses them"
BESIDE = "Put the next passwords beside those in use"
FIRST_BESIDE = f"{BESIDE} / Send through the smarthost / done"
LOCK = f"{VENDOR} / Lock the logins first"
SET = f"{VENDOR} / Set the next passwords"
KNOW = f"{VENDOR} / Let the store know it"
UNLOCK = f"{VENDOR} / Unlock the logins whose passwords are new"
USE = "Let the mail servers use the new passwords"
FIRST_ACTIVE = f"{USE} / Put the tables that lie beside in use / done"
FIRST_DONE = f"{USE} / Send through the smarthost / done"
PROVE = f"{USE} / Prove every login from this host"
DECIDE = "Decide about each login, and roll back what failed"
SET_BACK = f"{DECIDE} / Set the old passwords again"
UNLOCK_BACK = f"{DECIDE} / Unlock the logins that have their old passwords"
KNOW_BACK = f"{DECIDE} / Let the store know that they are in use again"
USE_OLD = "Let the mail servers use the old passwords again"
WAITING = "Let waiting mail go"
CLIENTS = "Let people's Thunderbird use the new passwords"
REMOVE = "Finish, and report / Remove the logins that nobody uses any more"
COMMIT = "Finish, and report / Let the next passwords be the current ones"
FORGET = "Finish, and report / Let the store forget the next passwords of logins that were rolled back"
RELEASE = "Finish, and report / Let other runs have the store"
IN_PLACE: dict[str, Any] = {"strategy": "in_place"}
ALTERNATE: dict[str, Any] = {"strategy": "alternate"}
STRATEGIES = (IN_PLACE, ALTERNATE)
#: The runs that are killed one after the other, each at a later point than the one before; then one more run ends it.
CHAINS = {
    "before": (IN_PLACE, [KEEP, *READ, PREFLIGHT, STAGE, BESIDE, SET, KNOW]),
    "between": (IN_PLACE, [USE, FIRST_ACTIVE, DECIDE]),
    "after": (IN_PLACE, [WAITING, CLIENTS, COMMIT, RELEASE]),
    "alternate": (ALTERNATE, [REMOVE]),
    "locked": ({"emergency": True, "emergency_action": "lock"}, [LOCK, SET, UNLOCK]),
}
#: As above, of a run that goes back.
BACK = [SET_BACK, UNLOCK_BACK, KNOW_BACK, USE_OLD, FORGET]
_LABEL = itertools.count()


def phases() -> list[str]:
    """Where a phase begins, out of the playbook itself: a play, or its tasks that write."""
    found = []

    def inner(tasks: list[Any]) -> list[Any]:
        blocks = (task["block"] + task.get("always", []) if "block" in task else None for task in tasks)
        return [each for task, block in zip(tasks, blocks) for each in ([task] if block is None else inner(block))]

    for play in PLAYBOOK:
        tasks = inner(play["tasks"])
        writing = [task["name"] for task in tasks if any(write in task for write in WRITES)]
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
