# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What waits in a real Postfix for the smarthost, whose replies are the emulator's."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.commands import Instance

from tests.support.emulator import Emulator
from tests.support.module import ModuleRun, run_module
from tests.support.postfix import ScratchPostfix, free_port
from tests.support.relay import LOGIN, relay, snapshot

pytestmark = pytest.mark.root
PASSWORD = LOGIN["default_password"]
ALICE, SOMEONE = "alice@example.com", "someone@elsewhere.example"
DAY = 86400
MODULE = "ansible_collections.smarthost.spamexperts.plugins.modules.postfix_queue_info"


def look(postfix: ScratchPostfix, **options: Any) -> ModuleRun:
    given = {"smarthost": "localhost", "config_directory": str(postfix.config_directory), **options}
    run = run_module("postfix_queue_info", given)
    assert not run.changed
    return run


def reasons(run: ModuleRun) -> dict[str, tuple[int, list[int]]]:
    return {each["group"]: (each["mails"], each["codes"]) for each in run.result["reasons"]}


def test_an_empty_queue(sending: ScratchPostfix) -> None:
    run = look(sending, fail_when_older_than=0)
    assert not run.failed, run.message
    names = ("waiting", "held", "elsewhere", "oldest_age", "first_lost_in", "reasons", "complete", "bounced", "log")
    assert [run.result[name] for name in names] == [0, 0, 0, None, None, [], True, 0, str(sending.log_file)]


@pytest.mark.parametrize(
    ("group", "match", "reply", "code"),
    [
        ("password", "smtp:auth", "535 Incorrect authentication data", 535),
        ("password", "smtp:auth", "535 you sent AHNlcnZlckBleGFtcGxlLmNvbQ==", 535),
        ("password", "smtp:mail", "550 Message submission is for authorised users only!", 550),
        ("busy", "smtp:mail", "421 Too many concurrent SMTP connections from this IP address; please try later.", 421),
        ("limit", "smtp:data", "451 Too many messages. Please wait for a while and try again.", 451),
        ("lock", "smtp:data", "451 Your account is locked. Please contact the administrator: a@example.com", 451),
        ("other", "smtp:mail", "451 Come back later", 451),
    ],
)
def test_what_the_smarthost_says(
    vendor: Emulator, sending: ScratchPostfix, group: str, match: str, reply: str, code: int
) -> None:
    vendor.faults({"match": match, "kind": "smtp_reply", "text": reply, "times": None})
    sending.inject(ALICE, SOMEONE)
    sending.wait_until_quiet()
    before = snapshot(sending.home)
    run = look(sending)
    assert reasons(run) == {group: (1, [code])}, sending.reasons()
    assert (run.result["waiting"], run.result["elsewhere"], run.result["complete"]) == (1, 0, True)
    assert 5 * DAY - 120 < run.result["first_lost_in"] <= 5 * DAY
    assert not [word for word in (ALICE, SOMEONE, PASSWORD, "AHNlcnZl", "a@example.com") if word in run.raw]
    assert snapshot(sending.home) == before, "it only looks"


def test_a_certificate_that_is_not_the_smarthosts(vendor: Emulator, sending: ScratchPostfix) -> None:
    sending.set(smtp_tls_secure_cert_match="other.example")
    sending.reload()
    sending.inject(ALICE, SOMEONE)
    sending.wait_until_quiet()
    assert reasons(look(sending)) == {"tls": (1, [])}, sending.reasons()


def test_a_smarthost_that_cannot_be_reached(sending: ScratchPostfix) -> None:
    assert not relay(sending, smarthost="localhost", smarthost_port=free_port(), **LOGIN).failed
    sending.inject(ALICE, SOMEONE)
    sending.wait_until_quiet()
    assert reasons(look(sending)) == {"unreachable": (1, [])}, sending.reasons()
    elsewhere = look(sending, smarthost="smtp.elsewhere.example").result
    assert (elsewhere["waiting"], elsewhere["elsewhere"]) == (0, 1)


def test_mail_that_waits_for_others_or_is_held(vendor: Emulator, sending: ScratchPostfix, tmp_path: Path) -> None:
    table = tmp_path / "transport"
    table.write_text(f"elsewhere.example smtp:[127.0.0.1]:{free_port()}\n")
    sending.set(transport_maps=f"texthash:{table}")
    tmp_path.chmod(0o755)
    sending.reload()
    try:
        sending.inject(ALICE, SOMEONE)
        held = sending.inject(ALICE, "a@elsewhere.example")
        sending.wait_until_quiet()
        sending.run("postsuper", "-h", held)
        result = look(sending).result
    finally:
        sending.set(transport_maps="")
        sending.reload()
    assert (result["waiting"], result["elsewhere"], result["held"]) == (0, 1, 1)


def test_it_fails_when_a_mail_waits_too_long(vendor: Emulator, sending: ScratchPostfix) -> None:
    vendor.faults({"match": "smtp:auth", "kind": "smtp_reply", "text": "535 no", "times": None})
    sending.set(maximal_queue_lifetime="2h")
    sending.reload()
    sending.inject(ALICE, SOMEONE)
    sending.wait_until_quiet()
    assert not look(sending, fail_when_older_than=3600).failed
    deadline = time.monotonic() + 20
    run = look(sending, fail_when_older_than=0)
    while not run.failed and time.monotonic() < deadline:
        time.sleep(0.2)
        run = look(sending, fail_when_older_than=0)
    sending.set(maximal_queue_lifetime="5d")
    assert run.code == "too_old"
    assert run.message.startswith("1 mail waits for localhost, the oldest one for ")
    assert run.message.endswith(" min.") or run.message.endswith(" s.")
    assert 7000 < run.result["first_lost_in"] <= 7200
    assert reasons(run) == {"password": (1, [535])}


def test_a_bounce_has_a_lifetime_of_its_own(vendor: Emulator, sending: ScratchPostfix) -> None:
    vendor.faults({"match": "smtp:mail", "kind": "smtp_reply", "text": "451 later", "times": None})
    sending.set(bounce_queue_lifetime="1h")
    sending.inject("", SOMEONE)
    sending.wait_until_quiet()
    left = look(sending).result["first_lost_in"]
    sending.set(bounce_queue_lifetime="5d")
    assert 3400 < left <= 3600


def test_what_was_returned_is_counted(vendor: Emulator, sending: ScratchPostfix) -> None:
    vendor.faults({"match": "smtp:mail", "kind": "smtp_reply", "text": "553 5.7.1 Sender not allowed", "times": 1})
    sending.inject(ALICE, SOMEONE)
    sending.wait_until_empty()
    result = look(sending).result
    assert (result["bounced"], result["waiting"]) == (1, 0), sending.log()
    assert 0 <= result["log_reaches_back"] < 600
    # The log is rotated, and half of the lines are in the file before.
    sending.log_file.rename(f"{sending.log_file}.1")
    sending.log_file.write_text("")
    assert look(sending).result["bounced"] == 1
    Path(f"{sending.log_file}.1").unlink()
    assert (look(sending).result["bounced"], look(sending).result["log_reaches_back"]) == (0, 0)
    sending.reload()


def test_a_host_without_a_log(sending: ScratchPostfix, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said of what cannot be looked at."""
    nothing = {"log": None, "bounced": None, "log_reaches_back": None}
    with monkeypatch.context() as patched:
        patched.setattr(f"{MODULE}.lines_since", denied)
        result = look(sending).result
        assert {name: result[name] for name in nothing} == nothing
    sending.log_file.unlink()
    monkeypatch.setattr(Instance, "journal", lambda *_: "")
    result = look(sending).result
    assert {name: result[name] for name in nothing} == nothing
    assert result["waiting"] == 0
    line = f"h scratch-{sending.port}/smtp[7]: A1: to=<a@b>, relay=localhost[127.0.0.1]:587, status=bounced (x)"
    monkeypatch.setattr(Instance, "journal", lambda *_: f"{time.strftime('%b %d %H:%M:%S')} {line}\n")
    result = look(sending).result
    assert (result["log"], result["bounced"]) == ("journal", 1)
    sending.reload()


def denied(*_arguments: Any, **_options: Any) -> Any:
    raise PermissionError(13, "denied", "mail.log")


def test_postfix_that_does_not_run(vendor: Emulator, postfix: ScratchPostfix, no_check: None) -> None:
    """Its queue is read all the same."""
    assert not relay(postfix, **vendor.smarthost_options, **LOGIN).failed
    postfix.run("postfix", "check")
    postfix.run("sendmail", "-C", str(postfix.config_directory), "-f", ALICE, SOMEONE, stdin="hello\n", check=False)
    run = look(postfix)
    assert not run.failed, run.message
    assert run.result["complete"]


def test_queue_files_that_vanish_meanwhile(vendor: Emulator, sending: ScratchPostfix) -> None:
    vendor.faults({"match": "smtp:mail", "kind": "smtp_reply", "text": "451 later", "times": None})
    for number in range(30):
        sending.inject(ALICE, f"a{number}@elsewhere.example")
    remove = subprocess.Popen(
        ["postsuper", "-c", str(sending.config_directory), "-d", "ALL"], stderr=subprocess.DEVNULL
    )
    seen = []
    while remove.poll() is None:
        seen.append(look(sending))
    seen.append(look(sending))
    assert not [run for run in seen if run.failed or not run.result["complete"]]
    assert seen[-1].result["waiting"] == 0


def test_a_queue_that_is_not_read_to_its_end(
    sending: ScratchPostfix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    """One that is longer than anybody waits for, or a Postfix that does not answer."""
    program = tmp_path / "postqueue"
    mail = '{"queue_name":"deferred","arrival_time":1,"sender":"a","recipients":[{"address":"a@b.example"}]}'
    program.write_text(f"#!/bin/sh\nexec yes '{mail}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    run = look(sending, wait_timeout=1)
    assert not run.failed
    assert run.result["waiting"] > 100
    assert run.result["complete"] is False
    assert warnings == ["The queue was not read to its end within 1 s, so more may wait; raise wait_timeout."], (
        run.warnings
    )
    assert look(sending, wait_timeout=1, fail_when_older_than=5).code == "too_old"
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    assert look(sending, wait_timeout=1, fail_when_older_than=5).code == "timeout"
    program.write_text("#!/bin/sh\necho 'fatal: the mail system is down' >&2; exit 69\n")
    run = look(sending)
    assert (run.code, "the mail system is down" in run.message) == ("command_failed", True)


def test_hosts_that_cannot_be_looked_at(postfix: ScratchPostfix, monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(postfix, fail_when_older_than=-1).message.startswith("fail_when_older_than: -1 is negative")
    assert look(postfix, wait_timeout=-1).code == "invalid_options"
    assert look(postfix, smarthost="a..b").code == "invalid_options"
    assert look(postfix, config_directory="/nowhere").code == "conflict"
    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", denied)
        assert look(postfix).code == "no_permission"
    monkeypatch.setattr("ansible.module_utils.basic.AnsibleModule.get_bin_path", lambda *_, **__: None)
    assert look(postfix).code == "not_installed"
