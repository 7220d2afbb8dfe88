# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulator as a program: start, state file, restart, end."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests import ROOT
from tests.support.emulator import Emulator

SECRET = "s3cret-Passw0rd"


def log_in(emulator: Emulator, password: str) -> int:
    with smtplib.SMTP("127.0.0.1", emulator.smtp_port, timeout=30) as client:
        client.starttls(context=ssl.create_default_context(cafile=emulator.ca_file))
        return client.login("jo@example.test", password)[0]


def test_a_restart_continues_with_the_state_file(emulator_factory: Callable[..., Emulator]) -> None:
    emulator = emulator_factory(persistent=True)
    emulator.call("domain/add", domain="example.test")
    emulator.call("domain/setproducts", domain="example.test", outgoing="1")
    emulator.call("outgoingusers/add", domain="example.test", username="jo", password=SECRET)
    emulator.call("outgoingusers/addip", domain="example.test", ip="192.0.2.0", mask="28")
    before, authority, port = emulator.state(), Path(emulator.ca_file).read_text(), emulator.smtp_port
    state_file = Path(emulator.ca_file).with_name("state.json")
    text = state_file.read_text()
    assert json.loads(text)["domains"][0]["name"] == "example.test"
    assert SECRET not in text
    assert state_file.stat().st_mode & 0o777 == 0o600
    emulator.restart()  # a killed one may have lost the newest writes when the machine is busy
    assert emulator.state() == before
    assert (Path(emulator.ca_file).read_text(), emulator.smtp_port) == (authority, port)
    assert log_in(emulator, SECRET) == 235
    reply = emulator.call("outgoingusers/addip", domain="example.test", ip="192.0.2.0", mask="28")
    assert reply["messages"]["error"][0] == "Outgoing user already exists."


def test_a_large_state_is_saved_without_slowing_writes(emulator_factory: Callable[..., Emulator]) -> None:
    def seconds(emulator: Emulator) -> float:
        emulator.seed(users=[{"domain": "example.test", "username": f"u{n}", "password": "a"} for n in range(10_000)])
        started = time.monotonic()
        for number in range(300):
            emulator.call("outgoingusers/lock", domain="example.test", username=f"u{number}")
        return time.monotonic() - started

    persistent = emulator_factory(persistent=True)
    # One saving takes about ten times as long as a write.
    assert seconds(persistent) < 4 * seconds(emulator_factory())
    persistent.restart()
    assert sum(user["locked"] for user in persistent.users()) == 300


def test_without_a_state_file_a_restart_is_empty(emulator_factory: Callable[..., Emulator]) -> None:
    emulator = emulator_factory("documented")
    emulator.seed(domains=["example.test"])
    emulator.restart()
    assert emulator.state()["domains"] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly_though_clients_are_connected(number: signal.Signals, tmp_path: Path) -> None:
    environment = {**os.environ, "EMULATOR_API_PASSWORD": SECRET}
    command = [sys.executable, "-m", "tests.emulator", f"--directory={tmp_path}"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            ready = json.loads(line)
            assert ready["ready"] is True
            assert ready["pid"] == process.pid
            assert ready["control_url"] == ready["api_url"] + "/control"
            assert Path(ready["ca_file"]).parent == tmp_path
            with (
                socket.create_connection((ready["smtp_host"], ready["smtp_port"]), timeout=10),
                requests.Session() as session,
            ):
                session.trust_env = False
                reply = session.get(f"{ready['control_url']}/counters", verify=ready["ca_file"], timeout=10)
                assert reply.status_code == 200
                started = time.monotonic()
                process.send_signal(number)
                out, err = process.communicate(timeout=20)
            assert (process.returncode, out, err) == (0, "", "")
            assert time.monotonic() - started < 5
            assert SECRET not in line
        finally:
            process.kill()


def test_it_ends_when_its_parent_is_killed() -> None:
    program = (
        "import sys, time\nfrom tests.support.emulator import Emulator\n"
        "emulator = Emulator()\nemulator.start()\nprint(emulator.pid, emulator.ca_file, flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, ca_file = parent.stdout.readline().split()
        parent.kill()
    deadline = time.monotonic() + 10
    while _alive(int(pid)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    for left in Path(ca_file).parent.iterdir():  # what the killed parent could not remove
        left.unlink()
    Path(ca_file).parent.rmdir()


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_it_listens_on_several_addresses_with_one_port(emulator_factory: Callable[..., Emulator]) -> None:
    emulator = emulator_factory(hosts=["127.0.0.1", "127.0.0.3", "::1"], names=["smarthost.test"])
    context = ssl.create_default_context(cafile=emulator.ca_file)
    for address in ("127.0.0.1", "127.0.0.3", "::1"):
        with smtplib.SMTP(address, emulator.smtp_port, timeout=30) as client:
            assert client.starttls(context=context)[0] == 220
    port = int(emulator.api_url.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.3", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="smarthost.test") as connection,
    ):
        assert connection.version() == "TLSv1.3"


def test_an_address_other_than_loopback_names_itself(emulator_factory: Callable[..., Emulator]) -> None:
    emulator = emulator_factory(hosts=["127.0.0.5"])
    assert emulator.smtp_host == "127.0.0.5"
    assert emulator.call("version/get")["result"]


def test_a_start_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match="invalid choice"):
        Emulator("unknown").start()


def test_a_stopped_emulator_can_be_started_again(emulator: Emulator) -> None:
    url = emulator.api_url
    emulator.stop()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", emulator.smtp_port), timeout=5)
    emulator.start()
    assert emulator.api_url == url
    assert emulator.call("version/get")["result"]
    assert emulator.log() == ""
