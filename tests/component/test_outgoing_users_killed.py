# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run over 20 users that is killed at any of its writes: the next one reaches the wanted state, the third is idle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._api.client import Client, Reply

from tests import ROOT
from tests.support.emulator import Emulator
from tests.support.module import ModuleRun, run_module
from tests.support.wire import PASSWORD

OLD = "Another-Horse-43"
DOMAIN = "example.com"
LIMITS = {"enabled": True, "per_hour": 7, "per_day": 0}
EXISTING: list[dict[str, Any]] = [
    {"domain": DOMAIN, "username": "right", "password": PASSWORD},
    {"domain": DOMAIN, "username": "wrong", "password": OLD, "limit_per_hour": 3, "locked": 1},
    {"domain": DOMAIN, "username": "leaver", "password": OLD},
    {"domain": DOMAIN, "username": "198.51.100.1", "authentication_method": "ip"},
    {"domain": "example.org", "username": "192.0.2.0/28", "authentication_method": "ip"},
    {"domain": "example.org", "username": "stranger", "password": OLD},
]


def wanted(world: str) -> list[dict[str, Any]]:
    """Twenty users: to be created, changed, moved, removed and left alone."""
    attributes: dict[str, Any] = {"limits": LIMITS, "automatic_lock": True} if world == "full" else {}
    locked = {**attributes, "locked": True} if world == "full" else {}
    names = [f"new{number}" for number in range(11)]
    return [
        {"domain": "example.org", "authentication_method": "domain", "password": PASSWORD},
        {"domain": DOMAIN, "username": "right", "password": PASSWORD},
        {"domain": DOMAIN, "username": "wrong", "password": PASSWORD, **attributes},
        {"domain": DOMAIN, "username": "leaver", "state": "absent"},
        {"domain": DOMAIN, "username": "never", "state": "absent"},
        {"domain": DOMAIN, "username": "198.51.100.1", "authentication_method": "ip"},
        {"domain": "example.org", "username": "192.0.2.0/28", "authentication_method": "ip", "state": "absent"},
        {"domain": DOMAIN, "username": "192.0.2.0/28", "authentication_method": "ip"},
        {"domain": DOMAIN, "username": "locked", "password": PASSWORD, **locked},
        *({"domain": DOMAIN, "username": name, "password": PASSWORD} for name in names[:8]),
        *({"domain": DOMAIN, "username": name, "password": PASSWORD, **attributes} for name in names[8:]),
    ]


def options(server: Emulator, world: str, concurrency: int) -> dict[str, Any]:
    return {
        **server.connection,
        **server.smarthost_options,
        "users": wanted(world),
        "concurrency": concurrency,
        "use_discovered_methods": True,
        "recreate_for_password": True,
        "update_password": "on_mismatch",
        "wait_timeout": 1,
    }


def prepare(server: Emulator, world: str) -> None:
    """Without a list only three refused logins show wrong passwords, whoever comes first: there none is wrong."""
    server.reset()
    server.seed(domains=[DOMAIN, "example.org"], users=EXISTING)
    if world == "documented":
        server.set_password(DOMAIN, "wrong", PASSWORD)


def users(server: Emulator) -> list[dict[str, Any]]:
    return sorted(server.users(), key=lambda user: (user["domain"], user["username"]))


def run_killed_at(write: int, arguments: dict[str, Any], *, done: bool) -> int:
    """Run the module in a child process that is killed at this write, before or after it; gives the wait status."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        seen, lock, call = iter(range(10**6)), threading.Lock(), Client.call

        def counted(self: Client, *positional: Any, write: bool, **named: Any) -> Reply:
            with lock:
                last = write and next(seen) == number
            if last and not done:
                os.kill(os.getpid(), signal.SIGKILL)
            try:
                return call(self, *positional, write=write, **named)
            finally:
                if last:
                    os.kill(os.getpid(), signal.SIGKILL)

        number = write
        Client.call = counted  # type: ignore[method-assign]  # in the child only
        run_module("outgoing_users", arguments)
    finally:
        os._exit(1)


def check_the_next_runs(server: Emulator, arguments: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    second = run_module("outgoing_users", arguments)
    assert not second.failed, second.message
    assert users(server) == expected
    server.reset_counters()
    third = run_module("outgoing_users", arguments)
    assert not third.failed, third.message
    assert not third.changed
    assert server.counters()["effective_writes"] == 0


@pytest.fixture(params=["full", "documented"])
def world(request: pytest.FixtureRequest) -> tuple[str, Emulator]:
    name = str(request.param)
    return name, request.getfixturevalue("emulator" if name == "full" else "documented_emulator")


def undisturbed(server: Emulator, world: str, arguments: dict[str, Any]) -> tuple[ModuleRun, list[dict[str, Any]], int]:
    """A run to its end: what it says, what the server has then, and how many writes that took."""
    prepare(server, world)
    run = run_module("outgoing_users", arguments)
    assert not run.failed, run.message
    return run, users(server), server.counters()["writes"]


@pytest.mark.parametrize(("done", "concurrency"), [(False, 1), (True, 4)], ids=["before", "after"])
def test_a_run_that_is_killed_at_any_write_is_taken_up(
    world: tuple[str, Emulator], done: bool, concurrency: int
) -> None:
    name, server = world
    arguments = options(server, name, concurrency)
    _run, expected, _writes = undisturbed(server, name, arguments)
    assert len(arguments["users"]) == 20
    # Which logins are proven before the third refusal is chance, and so is the number of writes without a list.
    for write in range(60):
        prepare(server, name)
        if not os.WIFSIGNALED(run_killed_at(write, arguments, done=done)):
            break
        check_the_next_runs(server, arguments, expected)
    assert users(server) == expected
    assert 16 <= write < 59


def test_a_user_that_was_being_made_anew_is_there_after_the_next_run(documented_emulator: Emulator) -> None:
    server = documented_emulator
    users_before = [{"domain": DOMAIN, "username": "alice", "password": OLD}]
    arguments = options(server, "documented", 1)
    arguments["users"] = [{"domain": DOMAIN, "username": "alice", "password": PASSWORD}]
    for write in range(3):  # an add that is refused, a removal, an add
        for done in (False, True):
            server.reset()
            server.seed(users=users_before)
            assert os.WIFSIGNALED(run_killed_at(write, arguments, done=done))
            second = run_module("outgoing_users", arguments)
            assert not second.failed, second.message
            assert not run_module("outgoing_users", arguments).changed
            assert server.auths()[-1]["ok"]


def test_a_module_process_that_is_killed_from_outside_is_taken_up(world: tuple[str, Emulator], tmp_path: Path) -> None:
    """The process that ansible-core starts, killed while the server works on a write that it then completes."""
    name, server = world
    arguments = options(server, name, 4)
    _run, expected, writes = undisturbed(server, name, arguments)
    for write in (0, writes // 2, writes - 1):
        prepare(server, name)
        server.faults(
            *(
                {"match": call, "kind": "latency", "seconds": 0.15, "skip": 0, "times": None}
                for call in ("outgoingusers/remove", "outgoingusers/add", "outgoingusers/addip")
            )
        )
        process = start_module(arguments, tmp_path)
        try:
            deadline = time.monotonic() + 30
            while server.counters()["writes"] <= write and process.poll() is None:
                assert time.monotonic() < deadline
                time.sleep(0.01)
        finally:
            process.kill()
            process.wait()
        if write < writes - 1:
            assert process.returncode == -signal.SIGKILL
        server.faults()
        wait_until_answered(server)
        check_the_next_runs(server, arguments, expected)


def wait_until_answered(server: Emulator) -> None:
    """Wait until the server is through with everything that it has been told."""
    deadline = time.monotonic() + 30
    while sum(server.counters()["requests"].values()) > len(server.requests()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def start_module(arguments: dict[str, Any], folder: Path) -> subprocess.Popen[bytes]:
    """The module as a process of its own, with its arguments on standard input."""
    start = (
        "import json, sys\n"
        "from tests.support.module import run_module\n"
        "print(run_module('outgoing_users', json.load(sys.stdin)).raw)\n"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "collections")])
    process = subprocess.Popen(
        [sys.executable, "-c", start],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(arguments).encode())
    process.stdin.close()
    return process
