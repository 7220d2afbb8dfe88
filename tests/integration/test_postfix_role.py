# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role, by real ansible-playbook runs on a real Postfix: proven from the host, then idle, then taken back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.emulator import Emulator
from tests.support.playbook import PlaybookRun, ansible_environment, inventory_file, run_playbook
from tests.support.postfix import ScratchPostfix
from tests.support.relay import relay, snapshot

pytestmark = pytest.mark.root
PASSWORD = 'Zitrone "x\\ {a} $b # ü😀'
OTHER = "Melone ' und <Tab>\tdarin"
PLAY = """\
- hosts: mail_relays
  gather_facts: false
  roles:
    - smarthost.spamexperts.outgoing_mail
"""


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

    proven = len(vendor.auths())
    second = play(tmp_path, vendor, postfix, **variables)
    assert second.returncode == 0, second.output
    assert second.changed() == 0
    # At rest the look is all that runs on the host; it has tried each login, and two mails were sent as well.
    assert "Configure Postfix for the smarthost" in first.output
    assert "Configure Postfix for the smarthost" not in second.output
    assert len(vendor.auths()) - proven == 2 + 1
    assert len(re.findall(r"^TASK ", second.output, re.MULTILINE)) <= 9

    # With another password at the vendor nothing is left to change here, and one sentence says what is wrong.
    vendor.set_password("example.com", "server", "Another-Horse-42")
    wrong = play(tmp_path, vendor, postfix, **variables)
    assert wrong.returncode == 2
    assert "The login server@example.com was refused" in wrong.output
    assert sum(not each["ok"] for each in vendor.auths()) <= 3

    back = play(tmp_path, vendor, postfix, "-e", "outgoing_mail_state=absent", **variables)
    assert back.returncode == 0, back.output
    assert back.changed() == 1
    assert postfix.parameters() == parameters
    assert snapshot(postfix.config_directory) == files


def test_a_test_mail_of_which_no_log_tells_proves_nothing(
    tmp_path: Path, vendor: Emulator, postfix: ScratchPostfix
) -> None:
    own: dict[str, Any] = {"default_login": "server@example.com", "default_password": PASSWORD}
    assert not relay(postfix, **vendor.smarthost_options, **own).failed
    postfix.set(maillog_file=str(postfix.home / "nobody-writes-it.log"))  # the running daemons do not know yet
    try:
        run = play(tmp_path, vendor, postfix, outgoing_mail_test_recipient="someone@elsewhere.example")
    finally:
        postfix.set(maillog_file=str(postfix.log_file))
    assert run.returncode != 0
    assert "no mail log of this host mentions it, so nothing is proven. Give Postfix a log" in run.output
    postfix.wait_until_empty()
    assert len(vendor.mails()) == 1


@pytest.mark.slow
def test_the_test_mail_of_a_login_that_is_no_address(tmp_path: Path, vendor: Emulator, postfix: ScratchPostfix) -> None:
    run = play(
        tmp_path,
        vendor,
        postfix,
        outgoing_mail_login="example.net",
        outgoing_mail_password=OTHER,
        outgoing_mail_test_recipient="someone@elsewhere.example",
    )
    assert run.returncode == 0, run.output
    assert [mail["mail_from"] for mail in vendor.mails()] == ["postmaster@client.test.example"]


@pytest.mark.slow
def test_true_and_false_may_be_text_as_in_an_ini_inventory(
    tmp_path: Path, vendor: Emulator, postfix: ScratchPostfix
) -> None:
    no = ["ignore_host_manager", "install", "only_named_senders", "reveal_password_to_any_server", "prove_login"]
    no += ["reveal_mail_without_tls", "start", "identity", "replace_mail_server"]
    texts = {f"outgoing_mail_{name}": "false" for name in no}
    run = play(tmp_path, vendor, postfix, outgoing_mail_connection_reuse="true", **texts)
    assert run.returncode == 0, run.output
    assert vendor.auths() == []
    run = play(tmp_path, vendor, postfix, **{**texts, "outgoing_mail_prove_login": "true"})
    assert run.returncode == 0, run.output
    assert [auth["login"] for auth in vendor.auths()] == ["server@example.com"]


def test_each_login_is_proven_from_the_host_once(tmp_path: Path, vendor: Emulator, postfix: ScratchPostfix) -> None:
    """A new one before the change and others after it; what another play or the controller has proven is no excuse."""
    wrong = {"login": "server@example.com", "password": "Another-Horse-42"}
    stages: list[dict[str, Any]] = [
        {},
        {"outgoing_mail_logins": [{"login": "example.net", "password": OTHER, "senders": ["@example.net"]}]},
        {"outgoing_mail_password": wrong["password"], "outgoing_mail_proven_logins": [wrong]},
    ]
    (play,) = yaml.safe_load(PLAY)
    inventory = inventory_file(
        tmp_path / "inventory.yml",
        vendor,
        postfix,
        outgoing_mail_login="server@example.com",
        outgoing_mail_password=PASSWORD,
    )
    playbook = tmp_path / "plays.yml"
    playbook.write_text(json.dumps([{**play, "vars": variables} for variables in stages]), encoding="utf-8")
    run = run_playbook(str(playbook), ["-i", str(inventory)], ansible_environment(tmp_path / "build"))
    assert "The login server@example.com was refused" in run.output
    proven = [(auth["login"], auth["ok"]) for auth in vendor.auths()]
    assert proven == [
        ("server@example.com", True),
        ("example.net", True),
        ("server@example.com", True),
        ("server@example.com", False),
    ]


def test_a_login_that_does_not_work_is_named(tmp_path: Path, vendor: Emulator, postfix: ScratchPostfix) -> None:
    files = snapshot(postfix.config_directory)
    run = play(tmp_path, vendor, postfix, outgoing_mail_password="Another-Horse-42")
    assert run.returncode != 0
    assert "535 Incorrect authentication data" in run.output
    assert snapshot(postfix.config_directory) == files, "a working mail server is left as it is"
    assert vendor.counters()["auths_refused"] == 1
    assert "Another-Horse-42" not in run.output


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"outgoing_mail_password": "Quince-Lantern-4 "}, "the password ends with a blank"),
        ({"outgoing_mail_login": ""}, "default_login"),
        # The module says the same of these by day, in test_postfix_settings.py.
        pytest.param({"outgoing_mail_password": "two\nlines"}, "holds a newline", marks=pytest.mark.slow),
        pytest.param({"outgoing_mail_smarthost_port": 0}, "smarthost_port: 0", marks=pytest.mark.slow),
        pytest.param({"outgoing_mail_concurrency": 50}, "concurrency: 50", marks=pytest.mark.slow),
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
