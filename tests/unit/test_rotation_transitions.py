# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of a rotation, killed at every one of its transitions: before and after each call and write."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support import killed
from tests.support.rotation_vendor import HALF, HEARD, LOST, Site

HOSTS = {"h1": "a@example.com", "h2": "b@example.com"}
#: A login that no mail server uses can only be rotated in place.
PERSON = "c@example.com"
PAIRS = {name: [name, name.replace("@", "-2@")] for name in HOSTS.values()}
IN_PLACE: dict[str, Any] = {"everything": True, "store_is_kept": True}
ALTERNATE = {**IN_PLACE, "strategy": "alternate", "alternates": PAIRS}
EMERGENCY = {**IN_PLACE, "emergency": True}
LOCK = {**EMERGENCY, "emergency_action": "lock"}
LOCKED_PAIR = {**ALTERNATE, "emergency": True, "emergency_action": "lock"}
FORWARD = {
    "in_place": IN_PLACE,
    "alternate": ALTERNATE,
    "emergency": EMERGENCY,
    "lock": LOCK,
    "lock and alternate": LOCKED_PAIR,
}


def site_for(folder: Path, rotation: Mapping[str, Any]) -> Site:
    """A site with two mail servers."""
    folder.mkdir()
    site = Site(folder, HOSTS, () if "alternates" in rotation else (PERSON,))
    site.is_measured = False  # what lines there are, test_rotation_run has run
    return site


def check_arrived(site: Site, rotation: Mapping[str, Any]) -> None:
    """Every login has a new password, which is the only one in force; each mail server uses it; nothing is locked."""
    stored = site.stored()
    assert len(stored) == len(site.old)
    for name, entry in stored.items():
        assert "next" not in entry, name
        assert entry["current"] != site.old[name]
        assert site.vendor.accepts(entry["login"], entry["current"])
        assert ("alternates" in rotation) == (entry["login"] != name)
    assert set(site.vendor.users) == {entry["login"] for entry in stored.values()}
    assert not any(user.locked for user in site.vendor.users.values())
    assert all(user.limits == {"per_hour": 7} for user in site.vendor.users.values())
    for host, name in site.hosts.items():
        assert site.pairs[host] == (stored[name]["login"], stored[name]["current"])


def check_not_repeated(site: Site) -> None:
    """No login was given two new passwords, and none was made twice."""
    assert len(site.vendor.sets) == len(set(site.vendor.sets)) == len({login for login, _password in site.vendor.sets})
    assert len(site.vendor.made) == len(set(site.vendor.made))


def is_over(site: Site) -> bool:
    """Whether a run that was killed has done everything before."""
    return bool(site.vendor.sets) and not any("next" in entry for entry in site.stored().values())


def state_of(site: Site) -> str:
    """What the next run finds. A login has one new password at most, so its digits make no difference."""
    users = sorted((login, user.password, user.locked) for login, user in site.vendor.users.items())
    return re.sub("new password [0-9a-f]+", "new password", repr((users, site.stored(), sorted(site.pairs.items()))))


def kill_everywhere(rotation: Mapping[str, Any], make: Callable[[int], Site]) -> Iterator[Site]:
    """Give the site for each transition, after a run that was killed there."""
    return killed.kill_everywhere(make, lambda site, number: site.rotate(rotation, number))


def check_finished(site: Site, rotation: Mapping[str, Any]) -> None:
    """One more run, where something is left, and all is well."""
    left = [name for name, entry in site.stored().items() if "next" in entry]
    if left or not site.vendor.sets:
        # What the first run has finished is not begun anew.
        chosen = {"everything": False, "logins": left} if left and len(left) < len(site.old) else {}
        data = site.rotate({**rotation, **chosen})
        assert data["open"] == []
        assert {entry["outcome"] for entry in data["report"]["credentials"]} == {"committed"}
    check_arrived(site, rotation)
    check_not_repeated(site)


@pytest.mark.parametrize("rotation", FORWARD.values(), ids=FORWARD)
def test_killed_at_every_transition(tmp_path: Path, rotation: dict[str, Any]) -> None:
    for site in kill_everywhere(rotation, lambda number: site_for(tmp_path / str(number), rotation)):
        check_finished(site, rotation)


@pytest.mark.parametrize("rotation", [IN_PLACE, LOCKED_PAIR], ids=["in_place", "lock and alternate"])
def test_the_run_that_finishes_it_is_killed_as_well(tmp_path: Path, rotation: dict[str, Any]) -> None:
    """At every transition, from each state in which the first one can leave the store and the vendor."""
    first = {
        state_of(site): site
        for site in kill_everywhere(rotation, lambda number: site_for(tmp_path / str(number), rotation))
        if not is_over(site)
    }
    assert len(first) > 4
    for left in first.values():
        for site in kill_everywhere(rotation, left.copy):
            check_finished(site, rotation)


@pytest.mark.parametrize("rotation", [IN_PLACE, ALTERNATE], ids=["in_place", "alternate"])
def test_a_rotation_that_goes_back_is_killed_at_every_transition(tmp_path: Path, rotation: dict[str, Any]) -> None:
    """From each state in which a run forward can be killed."""
    back = {**IN_PLACE, "roll_back": True}
    first = {
        state_of(site): site
        for site in kill_everywhere(rotation, lambda number: site_for(tmp_path / str(number), rotation))
        if any("next" in entry for entry in site.stored().values())
    }
    assert len(first) > 2
    for left in first.values():
        for site in kill_everywhere(back, left.copy):
            if any("next" in entry for entry in site.stored().values()):
                assert site.rotate(back)["open"] == []
            assert site.stored() == {name: {"login": name, "current": old} for name, old in site.old.items()}
            assert {login: user.password for login, user in site.vendor.users.items()} == site.old
            assert {host: site.pairs[host] for host in HOSTS} == {
                host: (name, site.old[name]) for host, name in HOSTS.items()
            }


@pytest.mark.parametrize("rotation", FORWARD.values(), ids=FORWARD)
@pytest.mark.parametrize("trouble", [LOST, HALF])
def test_the_reply_of_every_call_is_lost(tmp_path: Path, rotation: dict[str, Any], trouble: str) -> None:
    """Whatever the first run makes of it, the second arrives."""
    for number in range(4):
        site = site_for(tmp_path / str(number), rotation)
        site.vendor.behaviour = lambda call, number=number: trouble if call == number else HEARD  # type: ignore[misc]  # mypy knows no defaults of a lambda
        site.rotate(rotation)
        site.vendor.behaviour = lambda _call: HEARD
        check_finished(site, rotation)
        assert site.vendor.sets


@pytest.mark.parametrize("rotation", [IN_PLACE, ALTERNATE], ids=["in_place", "alternate"])
def test_a_mail_server_that_cannot_is_rolled_back_and_killed_at_every_transition(
    tmp_path: Path, rotation: dict[str, Any]
) -> None:
    def make(number: int) -> Site:
        site = site_for(tmp_path / str(number), rotation)
        site.broken = {"h2"}
        return site

    for site in kill_everywhere(rotation, make):
        site.broken = set()
        if any("next" in entry for entry in site.stored().values()) or not site.vendor.sets:
            assert site.rotate(rotation)["open"] == []
        # b may have gone back to the end before the kill.
        for entry in site.stored().values():
            assert "next" not in entry
            assert site.vendor.accepts(entry["login"], entry["current"])
        for host, name in HOSTS.items():
            assert site.vendor.accepts(*site.pairs[host])
            assert site.pairs[host][1] == site.stored()[name]["current"]
