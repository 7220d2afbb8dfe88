# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A relay set up while Postfix runs: what its daemons and its own programs make of it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix import chroot, daemons, host_manager
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.commands import (
    Answer,
    Instance,
    PostfixError,
)

from tests.support.emulator import Emulator
from tests.support.module import run_module
from tests.support.postfix import ScratchPostfix, path_with_main_instance
from tests.support.relay import LOGIN, relay, snapshot
from tests.support.sink import Sink

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    """Where mail went before the smarthost."""
    with Sink() as running:
        yield running


@pytest.fixture(scope="module")
def instance(sink: Sink) -> Iterator[ScratchPostfix]:
    with ScratchPostfix({"relayhost": f"[127.0.0.1]:{sink.port}"}) as running:
        yield running


@pytest.fixture
def postfix(instance: ScratchPostfix, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScratchPostfix]:
    """It runs, and sends to the sink; what a test sets up is taken back."""
    sink.mails.clear()
    instance.clean()
    yield instance
    monkeypatch.undo()
    assert not relay(instance, state="absent", flush="never").failed


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The programs of Postfix that the module has started, each with its arguments behind the instance."""
    commands: list[list[str]] = []
    ask = Instance.ask

    def asked(instance: Instance, program: str, *arguments: str, stdin: str = "") -> Answer:
        commands.append([program, *arguments])
        return ask(instance, program, *arguments, stdin=stdin)

    monkeypatch.setattr(Instance, "ask", asked)
    return commands


def test_no_program_is_started_for_what_is_known(
    postfix: ScratchPostfix, vendor: Emulator, started: list[list[str]]
) -> None:
    """Each takes ten milliseconds, and `postfix check`, which looks through the whole queue, many times that."""
    stages = ({**vendor.smarthost_options, **LOGIN}, {**vendor.smarthost_options, **LOGIN}, {"state": "absent"})
    for options, most, checks in zip(stages, (22, 10, 17), (1, 0, 1)):
        started.clear()
        assert not relay(postfix, **options).failed
        assert started.count(["postfix", "check"]) == checks, started
        assert len(started) <= most, started


def send(postfix: ScratchPostfix) -> None:
    postfix.inject("alice@example.com", "someone@elsewhere.example")
    postfix.wait_until_empty()


def clients(postfix: ScratchPostfix) -> list[str]:
    """The process ids of the SMTP clients of this instance."""
    command = ["pgrep", "-x", "-P", str(postfix.master_pid), "smtp"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()


def test_what_postfix_does_not_accept_is_said_with_its_reason(postfix: ScratchPostfix, vendor: Emulator) -> None:
    """`postfix check` tells its log alone."""
    place = postfix.home / "data"
    place.rename(postfix.home / "data-away")
    place.write_text("no folder", encoding="utf-8")
    try:
        for _time in range(2):
            message = relay(postfix, **vendor.smarthost_options, **LOGIN).message
            assert "'postfix check' failed in" in message
            assert "(fatal: unable to create missing queue directories)" in message
    finally:
        place.unlink()
        (postfix.home / "data-away").rename(place)
    assert relay(postfix, **vendor.smarthost_options, **LOGIN).changed


def programs(command: Sequence[str], stdin: str) -> Answer:
    """Run a program of this machine."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    return Answer(done.returncode, done.stdout, done.stderr)


def test_the_daemons_use_the_relay_and_its_end_at_once(postfix: ScratchPostfix, vendor: Emulator, sink: Sink) -> None:
    send(postfix)
    (idle,) = clients(postfix)
    run = relay(postfix, **vendor.smarthost_options, **LOGIN)
    assert (run.result["running"], run.result["reloaded"], run.result["flushed"]) == (True, True, True), run.message
    assert idle not in clients(postfix), "a client that knows the old rules is left"
    send(postfix)
    assert (len(sink.mails), len(vendor.mails())) == (1, 1)
    again = relay(postfix, **vendor.smarthost_options, **LOGIN)
    assert (again.changed, again.result["reloaded"], again.result["flushed"]) == (False, False, False)
    assert relay(postfix, state="absent").result["reloaded"]
    send(postfix)
    assert (len(sink.mails), len(vendor.mails())) == (2, 1)


@pytest.mark.parametrize(("flush", "flushed"), [("always", True), ("never", False)])
def test_waiting_mail(postfix: ScratchPostfix, vendor: Emulator, flush: str, flushed: bool) -> None:
    """After the vendor has taken the password again nothing differs here, and yet mail waits."""
    assert relay(postfix, **vendor.smarthost_options, **LOGIN).changed
    vendor.faults({"match": "smtp:mail", "kind": "smtp_reply", "text": "451 Come back later", "times": 1})
    postfix.inject("alice@example.com", "someone@elsewhere.example")
    deadline = time.monotonic() + 20
    while not postfix.reasons() and time.monotonic() < deadline:
        time.sleep(0.05)
    run = relay(postfix, **vendor.smarthost_options, **LOGIN, flush=flush)
    assert (run.changed, run.result["flushed"]) == (False, flushed)
    if flushed:
        postfix.wait_until_empty()
    assert len(vendor.mails()) == int(flushed)
    assert len(postfix.queue()) == int(not flushed)


@pytest.mark.parametrize("options", [{"flush": "always"}, {"rate_delay": 1}], ids=["nothing else", "a change"])
def test_a_queue_manager_that_is_slow_to_go_takes_no_flush_with_it(
    postfix: ScratchPostfix, vendor: Emulator, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    assert relay(postfix, **vendor.smarthost_options, **LOGIN).changed
    vendor.faults({"match": "smtp:mail", "kind": "smtp_reply", "text": "451 Come back later", "times": 1})
    postfix.inject("alice@example.com", "someone@elsewhere.example")
    postfix.wait_until_quiet()
    command = ["pgrep", "-x", "-P", str(postfix.master_pid), "qmgr"]
    old = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    real_reload, real_flush, was_there = Instance.reload, Instance.flush, []

    def slow_reload(instance: Instance) -> None:
        with suppress(ProcessLookupError):  # the second reload of a change
            os.kill(old, signal.SIGSTOP)
            threading.Timer(0.5, os.kill, (old, signal.SIGCONT)).start()
        real_reload(instance)

    def flush(instance: Instance) -> None:
        was_there.append(Path(f"/proc/{old}").exists())
        real_flush(instance)

    monkeypatch.setattr(Instance, "reload", slow_reload)
    monkeypatch.setattr(Instance, "flush", flush)
    assert relay(postfix, **vendor.smarthost_options, **LOGIN, **options).result["flushed"]
    assert was_there == [False]
    postfix.wait_until_empty()
    assert len(vendor.mails()) == 1


def test_what_postfix_refuses_is_taken_back_from_the_daemons_too(
    postfix: ScratchPostfix, vendor: Emulator, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules are accepted and the daemons know them; then the route is refused."""
    before = snapshot(postfix.config_directory)
    reload, reloads = Instance.reload, []

    def refuse_the_second(instance: Instance) -> None:
        reloads.append(instance)
        if len(reloads) == 2:
            raise PostfixError("'postfix reload' failed: bad.")
        reload(instance)

    monkeypatch.setattr(Instance, "reload", refuse_the_second)
    send(postfix)
    (old,) = clients(postfix)
    run = relay(postfix, **vendor.smarthost_options, **LOGIN)
    assert "bad. main.cf and master.cf are as they were before." in run.message
    assert snapshot(postfix.config_directory) == before
    assert len(reloads) == 3, "one forth and one back"
    assert old not in clients(postfix)
    send(postfix)
    assert (len(sink.mails), len(vendor.mails())) == (2, 0)


def test_a_refused_change_of_a_relay_forgets_nothing(
    postfix: ScratchPostfix, vendor: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was there before the first run can still be brought back."""
    before = postfix.parameters()
    relay(postfix, **vendor.smarthost_options, **LOGIN)
    set_up = postfix.parameters()

    def refuse(_instance: Instance, _values: dict[str, str]) -> None:
        raise PostfixError("'postconf -e' failed: bad.")

    with monkeypatch.context() as patch:
        patch.setattr(Instance, "set_parameters", refuse)
        changed = {**vendor.smarthost_options, **LOGIN, "concurrency": 2}
        assert "bad. main.cf and master.cf" in relay(postfix, **changed).message
    assert postfix.parameters() == set_up
    looked = run_module("postfix_relay_info", {"config_directory": str(postfix.config_directory)})
    assert (looked.result["managed"], looked.result["unfinished"]) == (True, True)
    assert relay(postfix, **changed).result["reloaded"]
    assert relay(postfix, state="absent").changed
    assert postfix.parameters() == before


def test_a_mail_that_postfix_does_not_take(postfix: ScratchPostfix) -> None:
    limit = postfix.run("postconf", "-h", "message_size_limit").strip()
    postfix.set(message_size_limit="100")
    try:
        given = {"sender": "alice@example.com", "recipient": "someone@elsewhere.example"}
        run = run_module("postfix_test_mail", {**given, "config_directory": str(postfix.config_directory)})
    finally:
        postfix.set(message_size_limit=limit)
    assert run.code == "command_failed", run.message
    assert "too big" in run.message or "too large" in run.message, run.message
    assert postfix.queue() == []


def test_an_instance_without_master_has_no_clients(postfix: ScratchPostfix, tmp_path: Path) -> None:
    send(postfix)
    assert {str(pid) for pid in daemons._running(str(postfix.home / "spool"), ["smtp"])} == set(clients(postfix))
    assert daemons._running(str(tmp_path), ["smtp"]) == set()


def test_the_chroot_is_filled_before_mail_takes_the_way(
    postfix: ScratchPostfix, vendor: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Debian 12, by a script in the place of the package's: a chrooted client finds the server's name."""
    etc = postfix.home / "spool" / "etc"
    script = tmp_path / "configure-instance.sh"
    script.write_text(f'test "$1" = - && mkdir -p {etc} && cp /etc/hosts /etc/nsswitch.conf {etc}\n', encoding="utf-8")
    monkeypatch.setattr(chroot, "SCRIPT", str(script).lstrip("/"))
    monkeypatch.setattr(chroot, "MAIN_INSTANCE", str(postfix.config_directory))
    unneeded = relay(postfix, **vendor.smarthost_options, **LOGIN, check=True).result["changes"]
    assert not [name for name in unneeded if name.startswith("chroot: ")], "the client is in no chroot yet"
    postfix.run("postconf", "-F", "smtp/unix/chroot = y")
    shutil.rmtree(etc, ignore_errors=True)  # which Debian 13 fills when Postfix starts
    try:
        predicted = relay(postfix, **vendor.smarthost_options, **LOGIN, check=True)
        assert "chroot: etc/hosts" in predicted.result["changes"]
        assert not etc.exists()
        run = relay(postfix, **vendor.smarthost_options, **LOGIN)
        assert "chroot: etc/hosts" in run.result["changes"], run.message
        assert (etc / "hosts").read_bytes() == Path("/etc/hosts").read_bytes()
        send(postfix)
        assert len(vendor.mails()) == 1
    finally:
        relay(postfix, state="absent", flush="never")
        postfix.run("postconf", "-F", "smtp/unix/chroot = n")


def test_a_file_that_became_a_directory(postfix: ScratchPostfix, vendor: Emulator) -> None:
    relay(postfix, **vendor.smarthost_options, **LOGIN)
    passwords = postfix.config_directory / "smarthost_passwords"
    kept = passwords.rename(postfix.config_directory / "kept")
    passwords.mkdir()
    try:
        run = relay(postfix, **vendor.smarthost_options, **LOGIN)
    finally:
        passwords.rmdir()
        kept.rename(passwords)
    assert run.code == "file_error"
    assert run.message == f"{passwords} cannot be written or read: Is a directory."


def test_a_queue_that_cannot_be_read_is_unknown_and_not_empty(
    postfix: ScratchPostfix, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = Instance.ask

    def without_queue(instance: Instance, program: str, *arguments: str, stdin: str = "") -> Answer:
        command = "/nonexistent" if program == "postqueue" else program
        return ask(instance, command, *arguments, stdin=stdin)

    monkeypatch.setattr(Instance, "ask", without_queue)
    run = run_module("postfix_relay_info", {"config_directory": str(postfix.config_directory)})
    assert (run.result["running"], run.result["waiting"]) == (True, None), run.message


def test_a_reload_without_daemons_says_so() -> None:
    at_rest = ScratchPostfix()
    try:
        instance = Instance(programs, str(at_rest.config_directory))
        assert not instance.is_running()
        with pytest.raises(PostfixError, match=rf"'postfix reload' failed in {at_rest.config_directory}: ") as failed:
            instance.reload()
        assert "not running" in at_rest.log() + str(failed.value)  # Postfix 3.10 says it where it was asked
    finally:
        at_rest.close()


def test_overrides_that_serve_as_well_stay(postfix: ScratchPostfix, vendor: Emulator) -> None:
    """The service of the relay may have other settings, and stricter ones."""
    master = postfix.config_directory / "master.cf"
    before = master.read_bytes()
    postfix.run("postconf", "-P", "smtp/unix/smtp_helo_timeout=99s", "smtp/unix/smtp_tls_loglevel=2")
    overridden = master.read_bytes()
    try:
        run = relay(postfix, **vendor.smarthost_options, **LOGIN)
        assert run.changed, run.message
        assert master.read_bytes() == overridden
    finally:
        relay(postfix, state="absent", flush="never")
        master.write_bytes(before)


def test_a_tlsproxy_of_the_administrator_serves_as_well(postfix: ScratchPostfix, vendor: Emulator) -> None:
    postfix.run("postconf", "-M", "tlsproxy/unix=tlsproxy unix - - n - 7 tlsproxy")
    try:
        run = relay(postfix, **vendor.smarthost_options, **LOGIN, connection_reuse=True)
        assert "tlsproxy/unix" not in run.result["changes"], run.message
        assert postfix.parameters()["smtp_tls_connection_reuse"] == "yes"
        relay(postfix, state="absent", flush="never")
        assert postfix.run("postconf", "-M", "tlsproxy/unix").split()[6] == "7"
    finally:
        relay(postfix, state="absent", flush="never")
        postfix.run("postconf", "-MX", "tlsproxy/unix")


def test_the_main_instance_of_a_host_that_nobody_else_manages(
    instance: ScratchPostfix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", path_with_main_instance(instance, tmp_path))
    monkeypatch.setattr(host_manager, "objection", lambda: None)
    run = run_module("postfix_relay", {"smarthost": "smarthost.example", **LOGIN}, check=True)
    assert run.changed, run.message
    assert run.result["config_directory"] == str(instance.config_directory)
    assert run.result["next_hop"] == "[smarthost.example]:587"
    assert (run.result["reloaded"], run.result["flushed"]) == (False, False)
