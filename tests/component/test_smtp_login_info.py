# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module smtp_login_info, as ansible-core runs it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import syslog
from typing import Any
from urllib.parse import quote

import pytest
from ansible.module_utils import basic

from tests import ROOT
from tests.support.emulator import Emulator
from tests.support.module import ModuleRun, run_module

RIGHT = "correct-horse-battery"
WRONG = 'it\'s "wrong" \\ and / ä€😀'


def run(emulator: Emulator, *passwords: str, check: bool = False, **options: Any) -> ModuleRun:
    logins = [{"login": "alice@example.com", "password": password} for password in passwords]
    return run_module("smtp_login_info", {**emulator.smarthost_options, "logins": logins, **options}, check=check)


@pytest.fixture(autouse=True)
def _alice(emulator: Emulator) -> None:
    emulator.seed(users=[{"domain": "example.com", "username": "alice", "password": RIGHT}])


@pytest.mark.parametrize("check", [False, True])
def test_accepted(emulator: Emulator, check: bool) -> None:
    result = run(emulator, RIGHT, check=check)
    assert not result.failed
    assert not result.changed
    assert result.result["logins"] == [{"login": "alice@example.com", "accepted": True, "reason": ""}]
    assert emulator.counters()["writes"] == 0


def test_refused(emulator: Emulator) -> None:
    result = run(emulator, WRONG)
    assert result.code == "login_refused"
    assert result.message == (
        "The login alice@example.com was refused: localhost answered: 535 Incorrect authentication data."
    )
    assert result.result["logins"][0]["accepted"] is False


def test_several(emulator: Emulator) -> None:
    result = run(emulator, RIGHT, WRONG)
    assert result.failed
    assert result.message.endswith("; 1 of 2 logins were not accepted, see logins in the result.")
    told = run(emulator, WRONG, RIGHT, fail_on_refusal=False)
    assert not told.failed
    assert [entry["accepted"] for entry in told.result["logins"]] == [False, True]


def test_three_refusals_are_enough(emulator: Emulator) -> None:
    result = run(emulator, *(f"{WRONG} {number}" for number in range(8)), fail_on_refusal=False, concurrency=10)
    accepted = [entry["accepted"] for entry in result.result["logins"]]
    assert (accepted.count(False), accepted.count(None)) == (3, 5)
    assert emulator.counters()["auths_refused"] == 3


def test_the_refusals_of_earlier_tasks_count(emulator: Emulator) -> None:
    first = run(emulator, WRONG, f"{WRONG} 1", fail_on_refusal=False)
    assert first.result["refused_logins"] == 2
    second = run(emulator, f"{WRONG} 2", f"{WRONG} 3", fail_on_refusal=False, refused_logins=2)
    assert second.result["refused_logins"] == emulator.counters()["auths_refused"] == 3
    third = run(emulator, RIGHT, refused_logins=3)
    assert third.code == "login_not_proven"
    assert third.result["refused_logins"] == 3


def test_unknown_is_not_accepted(emulator: Emulator) -> None:
    result = run(emulator, RIGHT, smarthost_port=1)
    assert result.code == "login_not_proven"
    assert result.message.startswith("The login alice@example.com could not be proven: localhost ")
    told = run(emulator, RIGHT, smarthost_port=1, fail_on_refusal=False)
    assert told.result["logins"][0]["accepted"] is None


def test_without_an_authority_the_system_is_asked(emulator: Emulator) -> None:
    result = run(emulator, RIGHT, smarthost_ca_path=None)
    assert result.code == "login_not_proven"
    assert "smarthost_ca_path" in result.message


def test_the_environment_stands_in(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPAMEXPERTS_SMARTHOST", "localhost")
    monkeypatch.setenv("SPAMEXPERTS_SMARTHOST_PORT", str(emulator.smtp_port))
    monkeypatch.setenv("SPAMEXPERTS_SMARTHOST_CA_PATH", emulator.ca_file)
    logins = [{"login": "alice@example.com", "password": RIGHT}]
    assert not run_module("smtp_login_info", {"logins": logins}).failed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"logins": [{"login": "", "password": RIGHT}]}, "logins[0].login "),
        ({"logins": [{"login": "a", "password": ""}]}, "logins[0].password "),
        ({"logins": [{"login": "a", "password": "x\0y" * 5}]}, "logins[0].password "),
        ({"logins": [{"login": "a\r\nQUIT", "password": RIGHT}]}, "logins[0].login "),
        ({"logins": [{"login": "a"}]}, "missing required arguments: password found in logins"),
        ({"logins": [{"login": "a", "password": RIGHT, "user": "b"}]}, "Unsupported parameters"),
        ({"logins": "alice"}, "dictionary requested"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"concurrency": 11}, "concurrency is 11"),
        ({"timeout": 0}, "timeout is 0"),
        ({"smarthost": "smtp.example.com:587"}, "smarthost: "),
        ({"smarthost_port": 70000}, "smarthost_port: "),
        ({"smarthost_ca_path": "/nowhere/ca.pem"}, "smarthost_ca_path "),
        ({"refused_logins": -1}, "refused_logins is -1"),
    ],
)
def test_bad_input(emulator: Emulator, options: dict[str, Any], message: str) -> None:
    result = run(emulator, RIGHT, **options)
    assert result.code == "invalid_options"
    assert message in result.message
    assert emulator.counters()["connections"] == 0


def test_all_bad_input_is_named_at_once(emulator: Emulator) -> None:
    logins = [{"login": "", "password": RIGHT}, {"login": "a", "password": RIGHT}, {"login": "b", "password": ""}]
    result = run(emulator, logins=logins, concurrency=99, timeout=-1)
    assert result.message == (
        "logins[0].login is empty or has control characters; logins[2].password is empty or has control characters; "
        "concurrency is 99; it must be from 1 to 10; timeout is -1; it must be 1 or more; nothing was tried."
    )


def test_nothing_to_try(emulator: Emulator) -> None:
    assert run(emulator).result["logins"] == []


@pytest.mark.parametrize("options", [{}, {"fail_on_refusal": False}, {"smarthost_port": 1}, {"timeout": 0}])
def test_no_secret_in_result_or_log(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(basic, "has_journal", False)
    monkeypatch.setattr(syslog, "syslog", lambda *arguments: logged.append(str(arguments[-1])))
    forms = (WRONG, repr(WRONG)[1:-1], json.dumps(WRONG)[1:-1], quote(WRONG, safe=""))
    encoded = base64.b64encode(WRONG.encode()).decode()
    emulator.faults({"match": "smtp:auth", "kind": "smtp_reply", "text": f"535 {WRONG} {encoded}"})
    result = run(emulator, WRONG, **options)
    assert any("they are not logged" in line for line in logged)
    for text in (result.raw, "\n".join(logged)):
        assert not any(form in text for form in (*forms, encoded, RIGHT))


def test_a_host_without_requests(emulator: Emulator) -> None:
    arguments = {**emulator.smarthost_options, "logins": [{"login": "alice@example.com", "password": RIGHT}]}
    program = (
        "import sys; sys.modules['requests'] = sys.modules['urllib3'] = sys.modules['idna'] = None\n"
        "import json; from tests.support.module import run_module\n"
        "run = run_module('smtp_login_info', json.load(sys.stdin))\n"
        "sys.exit(run.message or run.exit_code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'collections'}"},
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def offer(emulator: Emulator, *senders: str, password: str = RIGHT, **options: Any) -> ModuleRun:
    login = {"login": "alice@example.com", "password": password, "senders": list(senders)}
    return run_module("smtp_login_info", {**emulator.smarthost_options, "logins": [login], **options})


def test_whether_a_login_may_send(emulator: Emulator) -> None:
    result = offer(emulator, "shop@example.com")
    assert result.result["logins"] == [{"login": "alice@example.com", "accepted": True, "may_send": True, "reason": ""}]
    assert emulator.mails() == []
    assert offer(emulator, "a@b", password=WRONG, fail_on_refusal=False).result["logins"][0]["may_send"] is None


def test_a_login_that_may_not_send_fails_the_task(emulator: Emulator) -> None:
    emulator.faults({"match": "smtp:mail", "kind": "smtp_reply", "text": "550 Sender verify failed"})
    result = offer(emulator, "shop@example.com")
    assert result.code == "login_refused"
    assert result.message.startswith("The login alice@example.com was refused: ")
    entry = offer(emulator, "shop@example.com", fail_on_refusal=False).result["logins"][0]
    assert (entry["accepted"], entry["may_send"]) == (True, False)


@pytest.mark.parametrize(
    "sender", ["", "shop", "@example.com", "a b@example.com", "a@b>", "a@b\r\nDATA", "ü@example.com"]
)
def test_senders_that_cannot_be_offered(emulator: Emulator, sender: str) -> None:
    result = offer(emulator, sender)
    assert "logins[0].senders: '" in result.message
    assert emulator.counters()["auths"] == 0
