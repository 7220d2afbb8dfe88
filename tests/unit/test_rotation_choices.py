# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choices of a rotation, and what stops one, against a vendor in memory; whole plays are in test_rotation_options."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests import ROOT
from tests.support.rotation_vendor import HEARD, REFUSED, Site, User

MAIL, SECOND = "web1@example.com", "web1-b@example.com"
EVERYTHING: dict[str, Any] = {"everything": True, "store_is_kept": True}
ALTERNATE = {**EVERYTHING, "strategy": "alternate", "alternates": {MAIL: [MAIL, SECOND]}}
EMERGENCY = {**EVERYTHING, "emergency": True}
LOCK = {**EMERGENCY, "emergency_action": "lock"}
BACK = {**EVERYTHING, "roll_back": True}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """One mail server."""
    return Site(tmp_path, {"mail1": MAIL})


def entry_of(data: dict[str, Any]) -> dict[str, Any]:
    """The one credential in the report."""
    (entry,) = data["report"]["credentials"]
    return dict(entry)


def as_before(site: Site) -> bool:
    """Whether the store, the vendor and the mail server are as if nobody had rotated anything."""
    return (
        site.stored() == {MAIL: {"login": MAIL, "current": site.old[MAIL]}}
        and {login: user.password for login, user in site.vendor.users.items()} == site.old
        and site.pairs == {"mail1": (MAIL, site.old[MAIL])}
        and not site.vendor.users[MAIL].locked
    )


def is_released(site: Site) -> bool:
    """Whether another run, on whatever machine, can have the store."""
    lock = site.path.with_name(f".{site.path.name}.lock")
    return lock.read_text(encoding="utf-8") == ""


# A second login


def test_nobody_moves_to_a_login_that_may_not_send(site: Site) -> None:
    site.vendor.silenced = {SECOND}
    entry = entry_of(site.rotate(ALTERNATE))
    assert (entry["outcome"], entry["reason"]) == ("not_changed", "it may not send")
    assert "switched" not in site.stored()[MAIL]
    assert site.pairs == {"mail1": (MAIL, site.old[MAIL])}, "the mail server has not moved"
    assert site.rotate(BACK)["open"] == []
    assert as_before(site)


@pytest.mark.parametrize("check", [False, True])
def test_a_second_login_that_is_locked_stops_the_start(site: Site, check: bool) -> None:
    site.vendor.users[SECOND] = User("", locked=True)
    before = site.path.read_bytes()
    with pytest.raises(RuntimeError, match=rf"^Nothing was changed\. {MAIL}: the second login {SECOND} is locked"):
        site.rotate(ALTERNATE, check=check)
    assert (site.vendor.sets, site.path.read_bytes()) == ([], before)


def test_check_mode_makes_no_second_login_and_tries_none(site: Site) -> None:
    summary = site.rotate(ALTERNATE, check=True)["summary"]
    assert f"{MAIL} would get a new password." in summary
    assert (as_before(site), site.vendor.tried) == (True, [])


def test_a_second_login_that_a_mail_server_cannot_use_is_removed(site: Site) -> None:
    site.broken = {"mail1"}
    assert entry_of(site.rotate(ALTERNATE))["outcome"] == "rolled_back"
    assert as_before(site)


def test_the_first_of_two_logins_is_locked_until_it_is_removed(site: Site) -> None:
    site.vendor.silenced = {SECOND}
    rotation = {**ALTERNATE, **LOCK}
    assert entry_of(site.rotate(rotation))["locked"] is True
    assert site.vendor.users[MAIL].locked
    with pytest.raises(RuntimeError, match=f"{MAIL}: its password from before has leaked"):
        site.rotate(BACK)
    assert site.vendor.users[MAIL].locked
    assert site.stored()[MAIL]["leaked"] == "yes"
    site.vendor.silenced = set()
    assert site.rotate(rotation)["open"] == []
    assert {login: user.locked for login, user in site.vendor.users.items()} == {SECOND: False}


def test_a_first_login_that_is_gone_is_made_again_with_its_limits(site: Site) -> None:
    site.vendor.behaviour = lambda call: REFUSED if call == 1 else HEARD  # the removal
    assert entry_of(site.rotate(ALTERNATE))["outcome"] == "pending"
    assert set(site.vendor.users) == {MAIL, SECOND}
    # As after a call whose answer was lost, in a run that was then killed.
    del site.vendor.users[MAIL]
    site.vendor.behaviour = lambda _call: HEARD
    assert site.rotate(BACK)["open"] == []
    assert as_before(site)
    assert site.vendor.users[MAIL].limits == {"per_hour": 7}


def test_a_list_that_cannot_be_read_stops_only_whoever_needs_its_limits(site: Site) -> None:
    site.vendor.list_trouble = "no permission"
    with pytest.raises(RuntimeError, match="no permission"):
        site.rotate(ALTERNATE)
    assert as_before(site)
    assert site.rotate(EVERYTHING)["open"] == []


# The password has leaked


def test_a_lock_that_cannot_be_undone_is_undone_by_the_next_run(site: Site) -> None:
    site.vendor.behaviour = lambda call: REFUSED if call == 2 else HEARD  # lock, set, unlock
    data = site.rotate(LOCK)
    assert (entry_of(data)["outcome"], entry_of(data)["locked"], data["open"]) == ("pending", True, [MAIL])
    assert (site.stored()[MAIL]["in_use"], site.stored()[MAIL]["locked"]) == ("next", "yes")
    site.vendor.behaviour = lambda _call: HEARD
    assert site.rotate(EVERYTHING)["open"] == [], "without the emergency"
    assert not site.vendor.users[MAIL].locked


def test_what_has_leaked_is_not_rolled_back_by_a_later_run_either(site: Site) -> None:
    site.turned_away = {"mail1"}  # from here it works, and the mail server is refused
    data = site.rotate(EMERGENCY)
    assert entry_of(data)["outcome"] == "pending"
    assert data["summary"].count("Not everything is done: run the same again.") == 1
    assert site.stored()[MAIL]["in_use"] == "next"
    assert entry_of(site.rotate(EVERYTHING))["outcome"] == "pending"
    assert site.vendor.users[MAIL].password == site.stored()[MAIL]["next"]


def test_an_emergency_that_only_finishes_a_rotation_says_so(site: Site) -> None:
    """The leaked password may be the new one, which every mail server has already."""
    site.turned_away, site.broken = {"mail1"}, {"mail1"}
    site.away = {"mail1"}
    assert entry_of(site.rotate(EVERYTHING))["outcome"] == "pending"
    site.turned_away, site.broken, site.away = set(), set(), set()
    following = site.stored()[MAIL]["next"]
    data = site.rotate(EMERGENCY)
    assert (data["open"], site.stored()[MAIL]["current"]) == ([MAIL], following)
    assert any("if that is the one that has leaked, rotate it once more" in line for line in data["summary"])


def test_a_false_alarm_is_taken_back_as_the_guide_says(site: Site) -> None:
    site.vendor.behaviour = lambda call: REFUSED if call == 1 else HEARD
    assert site.rotate(LOCK)["open"] == [MAIL]
    assert site.vendor.users[MAIL].locked
    guide = " ".join((ROOT / "docs" / "rotation.md").read_text(encoding="utf-8").split())
    (mark,) = re.findall(r'take `(, "leaked": .+?)` out of its line', guide)
    site.path.write_text(site.path.read_text(encoding="utf-8").replace(mark, ""), encoding="utf-8")
    assert "leaked" not in site.stored()[MAIL]
    site.vendor.behaviour = lambda _call: HEARD
    assert site.rotate(BACK)["open"] == []
    assert as_before(site)


# The way back


def test_nothing_is_forgotten_before_the_mail_server_is_back(site: Site) -> None:
    site.turned_away = {"mail1"}
    assert entry_of(site.rotate(EVERYTHING))["outcome"] == "rolling_back"
    stored = site.stored()[MAIL]
    assert (stored["current"], stored["in_use"], "next" in stored) == (site.old[MAIL], "current", True)
    site.turned_away = set()
    assert entry_of(site.rotate(BACK))["outcome"] == "rolled_back"
    assert as_before(site)


# Another store


def test_another_store_is_told_of_the_way_back(site: Site) -> None:
    site.broken = {"mail1"}
    assert site.rotate(EVERYTHING)["in_use_again"] == [MAIL]


def test_what_another_store_may_not_know_is_handed_over_by_the_next_run(site: Site) -> None:
    site.not_handed_over = [MAIL]
    data = site.rotate(EVERYTHING)
    assert (entry_of(data)["outcome"], entry_of(data)["handed_over"], data["open"]) == ("pending", False, [MAIL])
    following = site.stored()[MAIL]["next"]
    site.not_handed_over = []
    assert site.rotate(EVERYTHING)["open"] == []
    assert site.stored()[MAIL]["current"] == following


# What stops the start


@pytest.mark.parametrize(
    ("rotation", "uses", "message"),
    [
        ({"logins": ["nobody@example.com"], "everything": False}, {}, "is not in the credential store"),
        ({}, {"mail2": False}, "mail2: its logins could not be read"),
        ({"strategy": "alternate"}, {}, "needs alternates"),
        ({"account": "office"}, {}, "names the account office, but spamexperts_accounts does not have it"),
        ({"report": "/nowhere/report.json"}, {}, "The folder of the report /nowhere/report.json is not there"),
    ],
)
def test_a_run_that_cannot_begin_changes_nothing(
    site: Site, rotation: dict[str, Any], uses: dict[str, Any], message: str
) -> None:
    site.uses = uses
    with pytest.raises(RuntimeError, match=message):
        site.rotate({**EVERYTHING, **rotation})
    assert as_before(site)


def test_the_report_is_written_by_whom_the_run_is(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    data = site.rotate({**EVERYTHING, "report": str(target)})
    assert target.read_text() == json.dumps(data["report"], indent=4, sort_keys=True) + "\n"
    assert target.stat().st_mode & 0o777 == 0o644
    target.unlink()
    site.rotate({**EVERYTHING, "report": str(target)}, check=True)
    assert not target.exists()
    target.mkdir()
    sentence = (
        rf"spamexperts_rotation.report {target} cannot be written: .*\. The run itself ended with: .*new password"
    )
    with pytest.raises(RuntimeError, match=sentence):
        site.rotate({**EVERYTHING, "report": str(target)})
    assert is_released(site)


@pytest.mark.parametrize("trouble", ["the API", "a mail server", "the plan"])
def test_a_run_that_stops_lets_other_machines_have_the_store(site: Site, trouble: str) -> None:
    """Each job of AWX has another host name, and cannot see whether the run that kept the store is gone."""
    rotation = dict(EVERYTHING)
    if trouble == "the API":
        site.vendor.trouble = "nobody gets in"
    elif trouble == "a mail server":
        site.troubles = {"mail1": "The login web1@example.com was refused"}
    else:
        rotation.update(everything=False, hosts=["mail9"])
    with pytest.raises(RuntimeError) as stopped:
        site.rotate(rotation)
    assert ("docs/recovery.md" in str(stopped.value)) is (trouble == "a mail server")
    assert is_released(site)
    assert as_before(site)


def test_a_mail_server_that_would_keep_the_old_password(site: Site) -> None:
    """As after an onboarding: its own tables have the login, and its variables do not."""
    site.others = {"mail2": {"installed": True, "logins": [{"login": MAIL}]}}
    with pytest.raises(RuntimeError, match=rf"^No password was changed\. mail2 sends with {MAIL}, which its variables"):
        site.rotate(EVERYTHING)
    assert as_before(site)


def test_a_mail_server_that_nobody_could_look_at_is_named(site: Site) -> None:
    site.others = {"away": {}}
    assert any(line.endswith("password: away") for line in site.rotate(EVERYTHING, check=True)["summary"])
    assert as_before(site)
    assert [path.name for path in site.path.parent.iterdir()] == ["store"], "in check mode the store is not locked"
    assert site.vendor.tried == []


@pytest.mark.parametrize("more", [{"emergency": True}, {"leave_out_broken_hosts": True}])
def test_a_mail_server_that_is_not_ready_is_left_for_later_where_that_was_asked_for(
    site: Site, more: dict[str, bool]
) -> None:
    site.troubles, site.away = {"mail1": "its disk is full"}, {"mail1"}
    with pytest.raises(RuntimeError, match=r"mail1 \(its disk is full\)"):
        site.rotate(EVERYTHING)
    assert as_before(site)
    assert entry_of(site.rotate({**EVERYTHING, **more}))["outcome"] == "pending"


def test_nothing_is_rotated_where_the_store_would_be_lost(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWX_PRIVATE_DATA_DIR", "/runner")
    rotation = {**EVERYTHING, "store_is_kept": False}
    with pytest.raises(RuntimeError, match=r"This run is in a container, .* say so with store_is_kept: true\."):
        site.rotate(rotation)
    assert as_before(site)
    # What would be done can be seen there.
    assert any(
        line.startswith(f"{MAIL} would get a new password") for line in site.rotate(rotation, check=True)["summary"]
    )
    assert as_before(site)
