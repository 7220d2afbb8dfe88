# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action audit in this process: what it reads, what it cannot read, and that nothing wrong is called fine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.action import Controller
from tests.support.audit_site import LOGINS, PASSWORD, Audited
from tests.support.dns_server import DnsServer, dns_server
from tests.support.emulator import Emulator
from tests.support.postfix import free_port


@pytest.fixture
def names() -> Iterator[DnsServer]:
    with dns_server() as running:
        running.txt("example.com", "v=spf1 include:spf.antispamcloud.com -all")
        running.txt("spf.antispamcloud.com", "v=spf1 ip4:192.0.2.0/24 -all")
        yield running


@pytest.fixture
def site(tmp_path: Path, emulator: Emulator, names: DnsServer) -> Audited:
    users = [{"domain": "example.com", "username": name, "password": PASSWORD} for name in ("alice", "server1")]
    emulator.seed(users=users)
    return Audited(tmp_path, emulator, names)


def test_what_is_not_there_was_not_looked_at(site: Audited) -> None:
    result = site.audit()
    assert result["not_looked_at"] == len(site.written()["not_looked_at"]) > 0
    assert "there is no credential store at" in json.dumps(site.written()["not_looked_at"])
    assert any("mail1" in json.dumps(one) for one in site.written()["not_looked_at"])
    assert site.audit(fail_on=["unseen"])["failing"] == ["unseen"]


def test_a_second_run_writes_nothing_anew(site: Audited) -> None:
    site.keep(dict.fromkeys(LOGINS, PASSWORD))
    assert site.audit()["changed"]
    assert {one["action"] for one in site.audit()["files"]} == {"unchanged"}


def test_passwords_are_tried_when_that_is_told_and_three_refusals_end_it(site: Audited) -> None:
    site.keep({**dict.fromkeys(LOGINS, PASSWORD), "bob@example.com": "Mistyped-Horse-42"})
    assert site.emulator.counters()["auths"] == 0
    site.audit(prove="all")
    counters = site.emulator.counters()
    assert (counters["auths"], counters["auths_refused"]) == (3, 1)
    codes = {one["code"]: one["where"] for one in site.written()["findings"]}
    assert "bob@example.com" in codes.values()


def test_an_account_that_cannot_be_asked(site: Audited) -> None:
    site.keep(dict.fromkeys(LOGINS, PASSWORD))
    account = {**site.options["accounts"]["default"], "api_url": f"https://127.0.0.1:{free_port()}"}
    result = site.audit(accounts={"default": account})
    assert result["not_looked_at"] > 0
    assert "things could not be looked at" in result["verdict"]
    assert "stranger" not in {one["code"] for one in site.written()["findings"]}


UNREACHABLE = {"unreachable": True, "msg": "Failed to connect to the host via ssh"}
NO_RIGHTS = {"failed": True, "msg": "main.cf can be read by root only; run the task with become: true."}
SKIPPED = {"skipped": True, "skip_reason": "Conditional result was False"}


@pytest.mark.parametrize(
    ("options", "fault", "area", "piece"),
    [
        ({"hosts": {"mail1": {"relay": UNREACHABLE, "queue": SKIPPED}}}, "", "mail servers", "Failed to connect"),
        ({"hosts": {"mail1": {"relay": NO_RIGHTS, "queue": SKIPPED}}}, "", "mail servers", "become: true"),
        ({"hosts": {"mail1": {}}}, "", "queue", "it could not be reached"),
        ({"clients": ["desk1"], "computers": {"desk1": UNREACHABLE}}, "", "Thunderbirds", "Failed to connect"),
        ({"clients": ["desk1"]}, "", "Thunderbirds", "it could not be reached"),
        ({}, "servfail", "DNS", "DNS gave no answer"),
        ({"nameservers": []}, "", "DNS", "nameservers is empty"),
    ],
)
def test_the_rest_is_right_and_what_was_not_looked_at_is_said(
    site: Audited, names: DnsServer, options: dict[str, Any], fault: str, area: str, piece: str
) -> None:
    site.keep(dict.fromkeys(LOGINS, PASSWORD))
    site.emulator.seed(users=[{"domain": "example.com", "username": "eve", "password": "a password of nobody"}])
    names.faults.update({"example.com": fault} if fault else {})
    result = site.audit(**options)
    assert "stranger" in {one["code"] for one in site.written()["findings"]}
    assert piece in " ".join(one["why"] for one in site.written()["not_looked_at"] if one["area"] == area)
    assert "could not be looked at" in result["verdict"]


def test_a_server_without_a_list(tmp_path: Path, documented_emulator: Emulator, names: DnsServer) -> None:
    """What descriptions, DNS and the smarthost say is looked at all the same."""
    documented_emulator.seed(users=[{"domain": "example.com", "username": "alice", "password": "another one"}])
    folder = tmp_path / "documented"
    folder.mkdir()
    without = Audited(folder, documented_emulator, names)
    without.keep(dict.fromkeys(LOGINS, PASSWORD))
    names.txt("example.com", "v=spf1 -all")
    without.audit(prove="all")
    codes = {one["code"] for one in without.written()["findings"]}
    assert {"refused", "spf", "same_password"} <= codes
    assert not codes & {"stranger", "missing", "leaver", "other_limits"}
    assert "has no call that lists senders" in json.dumps(without.written()["not_looked_at"])


def test_a_store_with_another_password_is_said_and_the_rest_is_looked_at(site: Audited) -> None:
    site.keep(dict.fromkeys(LOGINS, PASSWORD))
    other = Controller(site.folder, [("default", "another password")])
    other.variables["groups"] = site.controller.variables["groups"]
    site.controller = other
    site.audit()
    assert "store" in json.dumps(site.written()["not_looked_at"])
    assert site.written()["findings"] is not None


@pytest.mark.parametrize(
    ("options", "piece"),
    [
        ({"domains": "example.com"}, "has to be a list of descriptions"),
        ({"domains": [{"domain": "example.com", "sender": []}]}, "sender"),
        ({"accepted": [{"code": "nothing of that name"}]}, "has to have code, where, reason and until"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_asked(site: Audited, options: dict[str, Any], piece: str) -> None:
    site.emulator.reset_counters()
    assert piece in site.refused(**options)
    assert site.emulator.counters()["reads"] == 0


def test_a_folder_that_is_a_link_is_refused(site: Audited) -> None:
    (site.folder / "elsewhere").mkdir()
    (site.folder / "audit").symlink_to(site.folder / "elsewhere")
    assert "audit" in site.refused()
    assert not list((site.folder / "elsewhere").iterdir())


def test_a_folder_that_is_open_to_others_is_refused(site: Audited) -> None:
    (site.folder / "audit").mkdir()
    (site.folder / "audit").chmod(0o755)
    assert "is open to others (mode 0755)" in site.refused()
    assert not list((site.folder / "audit").iterdir())
