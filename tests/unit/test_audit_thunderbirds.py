# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As what people's Thunderbirds send, at the edges: what is just a finding, and what just none."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit import thunderbirds
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.seen import Computer, Passwords

from tests.support.audited import site


def profile(user: str, *logins: str, path: str = "", reason: str = "") -> dict[str, Any]:
    return {"user": user, "path": path, "reason": reason, "servers": [{"login": login} for login in logins]}


ALICES, SERVERS = "alice@example.com", "server1@example.com"
PERSON = {"user": "alice", "login": ALICES}


@pytest.mark.parametrize(
    ("profiles", "people", "found"),
    [
        ([profile("alice", ALICES)], [PERSON], []),
        ([profile("alice", "Alice@EXAMPLE.com")], [PERSON], []),
        ([profile("alice", ALICES, SERVERS)], [PERSON], ["undescribed_thunderbird"]),
        ([profile("alice"), profile("alice", ALICES)], [PERSON], []),
        ([profile("alice")], [PERSON], ["thunderbird_login_missing"]),
        ([profile("bob", ALICES)], [PERSON], ["undescribed_thunderbird", "thunderbird_login_missing"]),
        # A profile that cannot be read may have it.
        ([profile("alice", reason="locked")], [PERSON], []),
        ([profile("bob", reason="locked")], [PERSON], ["thunderbird_login_missing"]),
        ([profile("alice", ALICES, path="/x")], [{"profile": "/x", "login": ALICES}], []),
        (
            [profile("alice", ALICES, path="/x")],
            [{**PERSON, "profile": "/y"}],
            ["undescribed_thunderbird", "thunderbird_login_missing"],
        ),
        ([profile("alice", ALICES)], [{**PERSON, "profile": "/y"}], []),
        ([profile("alice", ALICES, path="/x")], [], []),
        ([profile("alice", "eve@example.com")], [], ["undescribed_thunderbird"]),
    ],
    ids=str,
)
def test_as_what_a_thunderbird_sends(
    profiles: list[dict[str, Any]], people: list[dict[str, str]], found: list[str]
) -> None:
    seen = site(computers={"desktop1": Computer(profiles)}, people={"desktop1": people} if people else {})
    assert [one.code for one in thunderbirds.findings(seen)] == found


def test_the_login_that_a_rotation_has_given_a_person() -> None:
    moved = Passwords({ALICES: "alice-b@example.com"})
    for login, number in (("alice-b@example.com", 0), (ALICES, 2)):
        there = {"desktop1": Computer([profile("alice", login)])}
        seen = site(passwords=moved, computers=there, people={"desktop1": [PERSON]})
        assert len(list(thunderbirds.findings(seen))) == number
    unnamed = site(passwords=moved, computers={"desktop1": Computer([profile("alice", "alice-b@example.com")])})
    assert list(thunderbirds.findings(unnamed)) == []


def test_who_is_missing_is_named_by_user_or_profile() -> None:
    for person, name in ((PERSON, "alice"), ({"profile": "/x", "login": ALICES}, "/x")):
        (one,) = thunderbirds.findings(site(computers={"desktop1": Computer([])}, people={"desktop1": [person]}))
        assert one.what == f"no Thunderbird of {name} sends as {ALICES}, which is described for them"


def test_computers_that_were_not_looked_at() -> None:
    computers = {
        "d1": Computer(None),
        "d2": Computer(None, "refused"),
        "d3": Computer([profile("alice", reason="locked"), profile("bob")]),
    }
    said = [(one.what, one.why) for one in thunderbirds.unseen(site(computers=computers))]
    assert said == [
        ("d1, as what its people send", "it could not be reached"),
        ("d2, as what its people send", "refused"),
        ("d3, as what alice sends", "locked"),
    ]
    assert list(thunderbirds.findings(site(computers=computers, people={"d1": [PERSON], "d2": [PERSON]}))) == []
