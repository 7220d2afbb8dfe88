# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook offboard_user, and who leaves in apply: out of the mail servers first, then out of the filter."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.apply import DeclaredSite
from tests.support.emulator import Emulator
from tests.support.playbook import OUT_OF_REACH
from tests.support.postfix import ScratchPostfix
from tests.support.relay import relay, snapshot
from tests.support.thunderbird import PROGRAM_DIRECTORY
from tests.support.thunderbird_profile import make_profile, passwords
from tests.support.wire import PASSWORD

pytestmark = pytest.mark.root


SERVER = {"username": "server", "relay": True, "default_for": ["mail_relays"]}


@pytest.fixture
def other() -> Iterator[ScratchPostfix]:
    """A second mail server."""
    with ScratchPostfix() as running:
        yield running


def logins(site: DeclaredSite) -> set[str]:
    """Who is at the vendor."""
    return {f"{user['username']}@{user['domain']}" for user in site.emulator.users()}


def test_who_leaves_is_taken_out_of_the_mail_servers_first(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix, other: ScratchPostfix
) -> None:
    site = DeclaredSite(tmp_path, emulator, postfix, other)
    site.declare("example.com", SERVER, {"username": "bob", "state": "locked"})
    site.declare("example.net", {"username": "shop", "relay": ["mail1"]}, {"username": "office"})
    run = site.apply()
    assert run.returncode == 0, run.output
    assert {user["username"]: user["locked"] for user in emulator.users()} == {
        **{"server": 0, "shop": 0, "office": 0},
        "bob": 1,
    }
    site.declare("example.net", {"username": "office"})
    leave: dict[str, Any] = {"playbook": "offboard_user", "spamexperts_leaving": "Shop@example.net"}
    before, everybody = snapshot(postfix.config_directory), logins(site)
    elsewhere = snapshot(other.config_directory)
    emulator.reset_counters()
    checked = site.apply("--check", "--diff", **leave)
    assert checked.returncode == 0, checked.output
    assert {
        "shop@example.net: would be removed",
        "mail server mail1: would be changed, sends as server@example.com",
    } == (set(site.result()["changes"]))
    assert snapshot(postfix.config_directory) == before
    assert emulator.counters()["writes"] == 0

    # The vendor fails when the mail server has let go of the login already: nothing is lost, and the next run goes on.
    emulator.faults({"match": "outgoingusers/remove", "kind": "status", "code": 500, "times": 1})
    failed = site.apply(**leave)
    assert failed.returncode == 2
    assert "shop@example.net" in site.result()["failures"][0]
    assert logins(site) == everybody
    assert "shop@example.net" in site.passwords()
    postfix.inject("office@example.net", "somebody@example.org", "after shop has left")
    postfix.wait_until_empty(30)
    assert [mail["login"] for mail in emulator.mails()] == ["server@example.com"]
    gone = site.apply(**leave)
    assert gone.returncode == 0, gone.output
    assert site.result()["changes"] == ["shop@example.net: removed"]
    assert logins(site) == everybody - {"shop@example.net"}
    assert set(site.passwords()) == logins(site)
    assert snapshot(other.config_directory) == elsewhere, "nothing of it was on this mail server"


def test_whoever_a_mail_server_still_sends_as_stays(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix, other: ScratchPostfix
) -> None:
    """By its inventory, or by a table of its own; also who may be on one that cannot be reached. Others go."""
    site = DeclaredSite(tmp_path, emulator, postfix, other)
    site.change_host("mail3", **OUT_OF_REACH)
    anna = {"username": "anna", "password": PASSWORD}
    carl = {"username": "carl", "relay": ["mail3"]}
    site.declare("example.com", anna, {"username": "berta"}, carl, {"username": "dora"})
    run = site.apply(spamexperts_only={"domains": ["example.com"], "hosts": []})
    assert run.returncode == 0, run.output
    site.change_host("mail1", outgoing_mail_login="Anna@Example.com", outgoing_mail_password=PASSWORD)
    smarthost = emulator.smarthost_options
    assert not relay(postfix, **smarthost, default_login="Anna@Example.com", default_password=PASSWORD).failed
    table = other.config_directory / "sasl"
    table.write_text(f"smarthost.example Berta@Example.com:{PASSWORD}\n", encoding="utf-8")
    other.set(smtp_sasl_password_maps=f"texthash:{table}")
    before = [snapshot(one.config_directory) for one in (postfix, other)]

    site.declare("example.com")
    run = site.apply(spamexperts_remove=True)
    assert run.returncode not in (0, None)
    assert PASSWORD not in run.output
    assert logins(site) == {f"{name}@example.com" for name in ("anna", "berta", "carl")}
    assert set(site.passwords()) == {"berta@example.com", "carl@example.com"}
    for sentence in (
        "anna@example.com is not removed: mail1 still sends as it",
        "berta@example.com is not removed: mail2 still sends as it",
        "carl@example.com is not removed: mail3 was not looked at, and may send as it",
    ):
        assert sentence in run.output, run.output
    assert "mail server mail3: not reached" in run.output
    assert [snapshot(one.config_directory) for one in (postfix, other)] == before
    assert "Gathering Facts" not in run.output


@pytest.mark.skipif(not PROGRAM_DIRECTORY.exists(), reason="Thunderbird is not installed")
def test_the_thunderbird_of_who_leaves_is_as_it_was(tmp_path: Path, emulator: Emulator) -> None:
    profile = tmp_path / "profile"
    make_profile(profile, library=str(PROGRAM_DIRECTORY / "libnss3.so"))
    before = passwords(profile)
    site = DeclaredSite(tmp_path, emulator)
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    site.change_host("desk1", group="desks", **here)
    site.declare("example.com", {"username": "alice", "people": [{"host": "desk1", "profile": str(profile)}]})
    run = site.apply()
    assert run.returncode == 0, run.output
    assert passwords(profile) != before
    site.declare("example.com")
    run = site.apply(playbook="offboard_user", spamexperts_leaving="alice@example.com")
    assert run.returncode == 0, run.output
    assert passwords(profile) == before
    assert not emulator.users()
    assert site.result()["changes"] == ["alice@example.com: removed", "Thunderbird on desk1: changed"]
