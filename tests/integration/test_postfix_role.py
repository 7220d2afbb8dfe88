# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role, by real ansible-playbook runs on a real Postfix: proven from the host, then idle, then taken back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.emulator import Emulator
from tests.support.module import ModuleRun, run_module
from tests.support.playbook import PlaybookRun, ansible_environment, inventory_file, run_playbook
from tests.support.postfix import ScratchPostfix
from tests.support.relay import relay, snapshot, spare_the_pause

pytestmark = pytest.mark.root
PASSWORD = 'Zitrone "x\\ {a} $b # ü😀'
OTHER = "Melone ' und <Tab>\tdarin"
PLAY = """\
- hosts: mail_relays
  gather_facts: false
  roles:
    - smarthost.spamexperts.outgoing_mail
"""


@pytest.fixture(scope="module")
def instance() -> Iterator[ScratchPostfix]:
    with ScratchPostfix() as running:
        yield running


@pytest.fixture
def postfix(instance: ScratchPostfix) -> ScratchPostfix:
    run = relay(instance, state="absent")
    assert not run.failed, run.message
    instance.clean()
    return instance


@pytest.fixture
def vendor(emulator: Emulator) -> Emulator:
    emulator.seed(
        users=[
            {"domain": "example.com", "username": "server", "password": PASSWORD},
            {"domain": "example.net", "username": None, "password": OTHER},
        ]
    )
    return emulator


def play(tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix, *arguments: str, **variables: Any) -> PlaybookRun:
    """Run the role on the scratch instance."""
    usual: dict[str, Any] = {"outgoing_mail_login": "server@example.com", "outgoing_mail_password": PASSWORD}
    inventory = inventory_file(tmp_path / "inventory.yml", emulator, postfix, **{**usual, **variables})
    playbook = tmp_path / "play.yml"
    playbook.write_text(PLAY, encoding="utf-8")
    return run_playbook(str(playbook), ["-i", str(inventory), *arguments], ansible_environment(tmp_path / "build"))


def test_the_whole_life(tmp_path: Path, vendor: Emulator, postfix: ScratchPostfix) -> None:
    variables: dict[str, Any] = {
        "outgoing_mail_logins": [{"login": "example.net", "password": OTHER, "senders": ["@example.net"]}],
        "outgoing_mail_test_recipient": "someone@elsewhere.example",
    }
    parameters, files = postfix.parameters(), snapshot(postfix.config_directory)

    predicted = play(tmp_path, vendor, postfix, "--check", "--diff", **variables)
    assert predicted.returncode == 0, predicted.output
    assert predicted.changed() == 1
    assert snapshot(postfix.config_directory) == files
    assert vendor.mails() == []

    first = play(tmp_path, vendor, postfix, "--diff", "-vvvv", **variables)
    assert first.returncode == 0, first.output
    assert first.changed() == 1
    assert [(mail["mail_from"], mail["login"]) for mail in vendor.mails()] == [
        ("server@example.com", "server@example.com")
    ]
    assert {auth["login"] for auth in vendor.auths()} == {"server@example.com", "example.net"}
    for secret in (PASSWORD, OTHER):
        for form in (
            secret,
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
            repr(secret)[1:-1],
        ):
            assert form not in first.output

    second = play(tmp_path, vendor, postfix, **variables)
    assert second.returncode == 0, second.output
    assert second.changed() == 0
    assert len(re.findall(r"^TASK ", second.output, re.MULTILINE)) <= 8

    back = play(tmp_path, vendor, postfix, "-e", "outgoing_mail_state=absent", **variables)
    assert back.returncode == 0, back.output
    assert back.changed() == 1
    assert postfix.parameters() == parameters
    assert snapshot(postfix.config_directory) == files


def test_a_login_that_does_not_work_is_named(tmp_path: Path, vendor: Emulator, postfix: ScratchPostfix) -> None:
    run = play(tmp_path, vendor, postfix, outgoing_mail_password="Another-Horse-42")
    assert run.returncode != 0
    assert "535 Incorrect authentication data" in run.output
    assert "Another-Horse-42" not in run.output


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"outgoing_mail_password": "ends with a blank "}, "the password ends with a blank"),
        ({"outgoing_mail_password": "two\nlines"}, "holds a newline"),
        ({"outgoing_mail_login": ""}, "default_login is missing"),
        ({"outgoing_mail_smarthost_port": 0}, "smarthost_port: 0 is not a port"),
        ({"outgoing_mail_concurrency": 50}, "concurrency: 50 is not possible"),
        ({"outgoing_mail_authentication": "none"}, "value of outgoing_mail_authentication must be one of"),
    ],
)
def test_bad_input(
    tmp_path: Path, vendor: Emulator, postfix: ScratchPostfix, variables: dict[str, Any], sentence: str
) -> None:
    files = snapshot(postfix.config_directory)
    run = play(tmp_path, vendor, postfix, **variables)
    assert run.returncode != 0
    assert sentence in run.output
    assert snapshot(postfix.config_directory) == files


# The test mail


@pytest.fixture
def sending(vendor: Emulator, postfix: ScratchPostfix, monkeypatch: pytest.MonkeyPatch) -> ScratchPostfix:
    """The scratch instance as a relay of the emulator."""
    spare_the_pause(monkeypatch)
    login: dict[str, Any] = {"default_login": "server@example.com", "default_password": PASSWORD}
    run = relay(postfix, **vendor.smarthost_options, **login)
    assert run.changed, run.message
    return postfix


def probe(postfix: ScratchPostfix, *, check: bool = False, **options: Any) -> ModuleRun:
    given = {
        "sender": "alice@example.com",
        "recipient": "someone@elsewhere.example",
        "config_directory": str(postfix.config_directory),
        **options,
    }
    return run_module("postfix_test_mail", given, check=check)


def test_mail_that_is_accepted(vendor: Emulator, sending: ScratchPostfix) -> None:
    run = probe(sending)
    assert (run.result.get("status"), run.changed) == ("sent", False), run.message
    assert run.result["relay"] == f"localhost[127.0.0.1]:{vendor.smtp_port}"
    assert run.result["reply"].startswith("250 OK")
    assert [mail["mail_from"] for mail in vendor.mails()] == ["alice@example.com"]


@pytest.mark.parametrize(
    ("reply", "outcome"), [("451 Come back later", "deferred"), ("553 5.7.1 Sender not allowed", "bounced")]
)
def test_mail_that_is_not(vendor: Emulator, sending: ScratchPostfix, reply: str, outcome: str) -> None:
    vendor.faults({"match": "smtp:mail", "kind": "smtp_reply", "text": reply, "times": 1})
    run = probe(sending)
    assert run.failed
    assert f"the test mail was {outcome} and taken back, because:" in run.message
    assert reply in run.message
    sending.wait_until_empty()


def test_mail_in_check_mode(vendor: Emulator, sending: ScratchPostfix) -> None:
    assert probe(sending, check=True).result["status"] == "not_sent"
    assert vendor.mails() == []


def test_log_that_does_not_know_the_mail(sending: ScratchPostfix) -> None:
    """Nothing is claimed then."""
    sending.set(maillog_file="")  # the running daemons do not know yet
    try:
        run = probe(sending, timeout=2)
    finally:
        sending.set(maillog_file=str(sending.log_file))
    assert run.result.get("status") == "unknown", run.message


@pytest.mark.parametrize("name", ["sender", "recipient"])
@pytest.mark.parametrize(
    "address", ["", "alice", "a b@example.com", "<a@example.com>", "a@example.com\nBcc: b@example.com"]
)
def test_addresses_that_are_none(name: str, address: str) -> None:
    given = {"sender": "a@example.com", "recipient": "b@example.com", "config_directory": "/nowhere", name: address}
    assert "is not an address" in run_module("postfix_test_mail", given).message


def test_postfix_that_does_not_run() -> None:
    postfix = ScratchPostfix()
    try:
        assert "Postfix does not run" in probe(postfix).message
    finally:
        postfix.close()


# Looking at a host


def test_look_at_a_relay(vendor: Emulator, sending: ScratchPostfix) -> None:
    vendor.faults({"match": "smtp:mail", "kind": "smtp_reply", "text": "451 Come back later", "times": None})
    sending.inject("alice@example.com", "someone@elsewhere.example")
    sending.wait_until_quiet()
    run = run_module("postfix_relay_info", {"config_directory": str(sending.config_directory)})
    assert not run.changed
    expected = {
        "installed": True,
        "lacking": [],
        "running": True,
        "managed": True,
        "unfinished": False,
        "default_map_type": "hash",
        "logins": [{"key": f"[localhost]:{vendor.smtp_port}", "login": "server@example.com"}],
        "waiting": 1,
    }
    assert {name: run.result[name] for name in expected} == expected
    assert PASSWORD not in run.raw
