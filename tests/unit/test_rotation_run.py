# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole rotations against a vendor in memory: one that lies, lags, cannot be reached, or has other users."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.rotation_vendor import HALF, HEARD, LIE, REFUSED, Site

MAIL = "a@example.com"
PERSON = "c@example.com"
EVERYTHING: dict[str, Any] = {"everything": True, "store_is_kept": True}
EMERGENCY = {**EVERYTHING, "emergency": True}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """One mail server, and a person whom no mail server knows."""
    return Site(tmp_path, {"h1": MAIL}, [PERSON])


def outcomes(data: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["outcome"] for entry in data["report"]["credentials"]}


def line_of(data: dict[str, Any], words: str) -> str:
    (line,) = [line for line in data["summary"] if words in line]
    return str(line)


# Nothing is forgotten that may work


def test_a_done_that_changes_nothing_is_not_believed(site: Site) -> None:
    site.vendor.behaviour = lambda _call: LIE
    data = site.rotate({**EVERYTHING, "settle_seconds": 0})
    assert outcomes(data) == {MAIL: "not_changed", PERSON: "not_changed"}
    assert data["open"] == [MAIL, PERSON]
    entry = site.stored()[PERSON]
    assert (entry["current"], entry["in_use"]) == (site.old[PERSON], "current")
    assert "535 No)" in line_of(data, f"{PERSON} was not changed")
    site.vendor.behaviour = lambda _call: HEARD
    assert site.rotate(EVERYTHING)["open"] == []
    assert site.vendor.accepts(PERSON, site.stored()[PERSON]["current"])


def test_a_leak_stays_open_in_words_where_a_done_changes_nothing(site: Site) -> None:
    site.vendor.behaviour = lambda _call: LIE
    data = site.rotate(EMERGENCY)
    assert outcomes(data) == {MAIL: "not_changed", PERSON: "unproven"}
    assert "(not tried, because the smarthost has refused 3 logins" in line_of(data, f"{PERSON} has a new password")
    assert f"  {PERSON} may still get in with the leaked password; lock it at the vendor" in data["summary"]
    assert site.stored()[PERSON]["leaked"] == "yes"


def test_what_nobody_can_prove_keeps_both_passwords_and_is_named(site: Site) -> None:
    site.vendor.reachable = False
    data = site.rotate(EVERYTHING)
    assert outcomes(data) == {MAIL: "committed", PERSON: "unproven"}
    assert data["open"] == [PERSON]
    assert "(it could not be reached on port 587)" in line_of(data, f"{PERSON} has a new password, as the vendor's API")
    entry = site.stored()[PERSON]
    assert (entry["current"], entry["in_use"]) == (site.old[PERSON], "next")
    assert site.vendor.accepts(PERSON, entry["next"])
    site.vendor.reachable = True
    assert site.rotate({**EVERYTHING, "everything": False, "logins": [PERSON]})["open"] == []
    assert site.stored()[PERSON]["current"] == entry["next"]


def test_a_mail_server_proves_what_the_controller_cannot(site: Site) -> None:
    site.vendor.reachable, site.prover_reaches = False, True
    data = site.rotate(EVERYTHING)
    assert outcomes(data) == {MAIL: "committed", PERSON: "committed"}
    assert site.proved == ["h1"]


@pytest.mark.parametrize(("rotation", "in_use"), [(EVERYTHING, "current"), (EMERGENCY, "next")])
def test_what_a_mail_server_is_refused_goes_back_unless_it_has_leaked(
    site: Site, rotation: dict[str, Any], in_use: str
) -> None:
    site.vendor.reachable, site.prover_reaches = False, True
    site.vendor.lies_about = {PERSON}
    data = site.rotate(rotation)
    assert outcomes(data) == {MAIL: "committed", PERSON: "not_changed"}
    assert site.stored()[PERSON]["in_use"] == in_use


def test_no_mail_server_is_asked_after_three_refusals_from_here(tmp_path: Path) -> None:
    """The vendor blocks an address whose logins fail often, and a mail server has to send."""
    site = Site(tmp_path, {"h1": MAIL}, [f"p{number}@example.com" for number in range(6)])
    site.vendor.behaviour, site.prover_reaches = lambda call: LIE if call == 0 else HEARD, True
    site.rotate({**EVERYTHING, "settle_seconds": 0})
    assert site.proved == []
    assert site.vendor.refusals <= 4
    for name, password in site.old.items():
        assert site.stored()[name]["current"] == password


def test_one_former_password_is_kept_until_the_next_rotation(site: Site) -> None:
    site.rotate(EVERYTHING)
    first = site.stored()[PERSON]
    assert (first["former_login"], first["former"]) == (PERSON, site.old[PERSON])
    site.rotate(EVERYTHING)
    assert site.stored()[PERSON]["former"] == first["current"]


# The password has leaked


def test_an_emergency_shows_that_the_old_password_is_refused(site: Site) -> None:
    data = site.rotate(EMERGENCY)
    assert data["open"] == []
    assert site.vendor.refusals == 2
    assert all("former" not in entry for entry in site.stored().values())


def test_an_emergency_asks_three_logins_at_most(tmp_path: Path) -> None:
    site = Site(tmp_path, {}, [f"p{number}@example.com" for number in range(6)])
    assert site.rotate(EMERGENCY)["open"] == []
    assert site.vendor.refusals == 3
    assert sum("former" in entry for entry in site.stored().values()) == 3


@pytest.mark.parametrize("half", [False, True])
def test_no_leaked_login_is_asked_after_three_refusals(tmp_path: Path, half: bool) -> None:
    """Every second login has to be tried, and half of them may not be there."""
    hosts = {f"h{place}": f"p{place}@example.com" for place in range(6)}
    pairs = {name: [name, name.replace("@", "-b@")] for name in hosts.values()}
    site = Site(tmp_path, hosts)
    site.vendor.behaviour = lambda call: HALF if half and call == 1 else HEARD  # after the locks
    data = site.rotate(
        {**EMERGENCY, "emergency_action": "lock", "strategy": "alternate", "alternates": pairs, "settle_seconds": 0}
    )
    assert list(outcomes(data).values()).count("committed") == (3 if half else 6)
    assert site.vendor.refusals == 3
    asked = [entry for entry in site.stored().values() if "former" not in entry and "next" not in entry]
    assert len(asked) == (0 if half else 3)


def test_an_old_password_that_still_works_is_said(site: Site) -> None:
    site.vendor.keeps_old = True
    data = site.rotate(EMERGENCY)
    assert data["open"] == [MAIL, PERSON]
    assert f"  {PERSON} still gets in with the leaked password; lock it at the vendor, or run again" in data["summary"]
    assert site.stored()[PERSON]["leaked"] == "yes"
    site.vendor.keeps_old = False
    assert site.rotate(EMERGENCY)["report"]["credentials"][0]["outcome"] == "committed"


@pytest.mark.parametrize(("settle", "until", "open_"), [(30, 6, 0), (30, 30, 0), (30, 31, 2), (0, 6, 2)])
def test_an_old_password_that_works_a_while_longer(site: Site, settle: int, until: int, open_: int) -> None:
    site.vendor.keeps_old_until = until
    assert len(site.rotate({**EMERGENCY, "settle_seconds": settle})["open"]) == open_
    assert site.vendor.clock == min(until, settle)


# A vendor that is slow


@pytest.mark.parametrize(("lag", "settle", "done"), [(5, None, True), (29, None, True), (5, 0, False), (60, 90, True)])
def test_a_new_password_that_works_in_a_while(site: Site, lag: float, settle: int | None, done: bool) -> None:
    site.vendor.lag = lag
    data = site.rotate({**EVERYTHING, **({} if settle is None else {"settle_seconds": settle})})
    assert (data["open"] == []) is done
    assert site.vendor.refusals <= 3
    if done:
        assert all(site.vendor.accepts(name, entry["current"]) for name, entry in site.stored().items())


def test_there_is_no_pause_where_the_password_works_at_once(site: Site) -> None:
    """Nor another login, as outgoing_users has logged in."""
    site.rotate(EVERYTHING)
    assert (site.vendor.clock, site.vendor.tried) == (0, [])


def test_what_an_earlier_run_has_set_is_not_tried_again(site: Site) -> None:
    site.away = {"h1"}
    assert outcomes(site.rotate(EVERYTHING)) == {MAIL: "pending", PERSON: "committed"}
    site.away, site.vendor.tried = set(), []
    assert site.rotate({**EVERYTHING, "everything": False, "logins": [MAIL]})["open"] == []
    assert site.vendor.tried == []


# A password that the vendor does not want


def test_a_password_that_was_refused_is_made_anew(site: Site) -> None:
    site.vendor.behaviour = lambda _call: REFUSED
    data = site.rotate({**EVERYTHING, "password_length": 20})
    assert set(outcomes(data).values()) == {"not_changed"}
    assert "(the password is too short)" in line_of(data, MAIL)
    staged = {name: entry["next"] for name, entry in site.stored().items()}
    assert all(entry["refused"] == "yes" for entry in site.stored().values())
    site.vendor.behaviour = lambda _call: HEARD
    assert site.rotate(EVERYTHING)["open"] == []
    assert all(entry["current"] != staged[name] for name, entry in site.stored().items())


def test_a_password_whose_fate_is_not_known_is_kept(site: Site) -> None:
    """Neither the vendor nor the smarthost can be reached: the call may have arrived."""
    site.vendor.behaviour, site.vendor.reachable = lambda _call: REFUSED, False
    site.rotate(EVERYTHING)
    staged = {name: entry["next"] for name, entry in site.stored().items()}
    site.vendor.behaviour, site.vendor.reachable = lambda _call: HEARD, True
    assert site.rotate(EVERYTHING)["open"] == []
    assert {name: entry["current"] for name, entry in site.stored().items()} == staged


def test_a_password_that_was_refused_is_kept_where_the_old_one_is_not_in_force(site: Site) -> None:
    site.vendor.behaviour = lambda _call: REFUSED
    site.rotate(EVERYTHING)
    staged = {name: entry["next"] for name, entry in site.stored().items()}
    for name, password in staged.items():
        site.vendor.users[name].password = password  # it had arrived all the same
    site.vendor.behaviour = lambda _call: HEARD
    assert site.rotate(EVERYTHING)["open"] == []
    assert {name: entry["current"] for name, entry in site.stored().items()} == staged


# Users who are gone


@pytest.mark.parametrize("rotation", [EVERYTHING, EMERGENCY])
def test_a_user_whom_the_list_does_not_show_is_not_made_again(site: Site, rotation: dict[str, Any]) -> None:
    del site.vendor.users[PERSON]
    before = site.path.read_bytes()
    with pytest.raises(
        RuntimeError, match=f"{PERSON}: the vendor's list has no user {PERSON} any more.* state: absent"
    ):
        site.rotate(rotation)
    assert site.path.read_bytes() == before
    assert PERSON not in site.vendor.users


def test_a_user_who_is_made_again_without_a_list_is_named(site: Site) -> None:
    del site.vendor.users[PERSON]
    site.vendor.works["read_users"] = False
    data = site.rotate(EVERYTHING)
    assert line_of(data, "the vendor had no such user, so it was made")
    assert {entry["name"] for entry in data["report"]["credentials"] if entry.get("made")} == {PERSON}


# People's Thunderbird


def test_what_became_of_each_person_is_said_and_a_next_run_makes_no_new_password(site: Site) -> None:
    """Two people of one host, of whom one has Thunderbird open."""
    open_ = {"failed": True, "msg": "the profile is in use by Thunderbird"}
    client = {"logins": [PERSON, MAIL], "people": [PERSON, "", MAIL], "state": "failed", "reason": "One failed"}
    site.clients = {"desk": {**client, "results": [open_, {}, {"profiles": [{"path": "/p", "action": "updated"}]}]}}
    data = site.rotate(EVERYTHING)
    assert outcomes(data) == {MAIL: "committed", PERSON: "pending"}
    assert data["open"] == [PERSON]
    assert [line for line in data["summary"] if "Thunderbird" in line][:2] == [
        f"Thunderbird on desk, {PERSON}: failed, the profile is in use by Thunderbird",
        f"Thunderbird on desk, {MAIL}: updated",
    ]
    assert data["report"]["clients"]["desk"][1]["profiles"] == [{"path": "/p", "action": "updated"}]
    following = site.stored()[PERSON]["next"]
    site.clients = {"desk": {**client, "state": "updated", "results": [{}, {}, {}]}}
    assert site.rotate({**EVERYTHING, "everything": False, "logins": [PERSON]})["open"] == []
    assert site.stored()[PERSON]["current"] == following
