# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many logins at once: how many go at a time, and when no other is tried."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from ansible_collections.smarthost.spamexperts.plugins.module_utils._smarthost.login import (
    LoginProof,
    Refusals,
    Verdict,
    prove_logins,
)

from tests.support.emulator import Emulator
from tests.support.smarthost import RIGHT, seed, smarthost, smtp_server


def outcomes(proofs: list[LoginProof]) -> str:
    return "".join(proof.verdict.name[0] for proof in proofs)


def test_order_and_repetitions(emulator: Emulator) -> None:
    pairs = seed(emulator, 6)
    pairs[2] = (pairs[2][0], "wrong-horse-battery")
    proofs = prove_logins(smarthost(emulator), [*pairs, pairs[0], pairs[2]], connections=3)
    assert [proof.login for proof in proofs] == [login for login, _password in [*pairs, pairs[0], pairs[2]]]
    assert outcomes(proofs) == "AARAAAAR"
    assert emulator.counters()["auths"] == 6


def test_nothing_to_prove(emulator: Emulator) -> None:
    assert prove_logins(smarthost(emulator), []) == []
    assert emulator.counters()["connections"] == 0


@pytest.mark.parametrize("connections", [1, 4, 10, 50])
def test_no_more_connections_than_wanted_nor_than_allowed(emulator: Emulator, connections: int) -> None:
    pairs = seed(emulator, 40)
    assert outcomes(prove_logins(smarthost(emulator), pairs, connections=connections)) == "A" * 40
    counters = emulator.counters()
    assert counters["connections_peak"] <= min(connections, 10)
    assert counters["connections_refused"] == 0


class CountingHandler:
    """Answers to a login when no more connections come, and says how many there were by then."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._peers: set[Any] = set()
        self.seen: list[int] = []

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, session: Any, _envelope: Any, name: str, replies: list[str]
    ) -> list[str]:
        session.host_name = name
        self._peers.add(session.peer)
        return replies

    async def auth_PLAIN(self, _server: SMTP, _arguments: list[str]) -> AuthResult:  # noqa: N802 - aiosmtpd's name
        if not self.seen:
            deadline = time.monotonic() + 5
            while len(self._peers) < self._wanted and time.monotonic() < deadline:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
        self.seen.append(len(self._peers))
        return AuthResult(success=True, auth_data="somebody")


@pytest.mark.parametrize(("connections", "at_once"), [(0, 1), (1, 1), (4, 4), (50, 10)])
def test_as_many_connections_as_wanted_and_allowed(tmp_path: Path, connections: int, at_once: int) -> None:
    """The vendor allows ten from one address."""
    handler = CountingHandler(at_once)
    with smtp_server(tmp_path, tls=True, handler=handler) as server:
        proofs = prove_logins(server, [(f"user{n}@example.com", RIGHT) for n in range(11)], connections=connections)
    assert outcomes(proofs) == "A" * 11
    assert handler.seen[0] == at_once


@pytest.mark.parametrize("connections", [1, 3, 8])
def test_never_more_than_three_refusals(emulator: Emulator, connections: int) -> None:
    pairs = [(login, "wrong-horse-battery") for login, _password in seed(emulator, 30)]
    emulator.faults({"match": "smtp:auth", "kind": "latency", "seconds": 0.1})
    proofs = prove_logins(smarthost(emulator), pairs, connections=connections)
    assert sorted(outcomes(proofs)) == ["R"] * 3 + ["U"] * 27
    assert emulator.counters()["auths"] == 3
    unknown = next(proof for proof in proofs if proof.verdict is Verdict.UNKNOWN)
    assert unknown.reason == (
        "not tried, because localhost has refused 3 logins, and blocks an address that fails often"
    )


@pytest.mark.parametrize("right", [0, 1, 30])
def test_however_many_were_accepted_before_never_more_than_three_are_refused(emulator: Emulator, right: int) -> None:
    pairs = seed(emulator, 60)
    wrong = [(login, "wrong-horse-battery") for login, _password in pairs[30:]]
    emulator.faults({"match": "smtp:auth", "kind": "latency", "seconds": 0.05})
    proofs = prove_logins(smarthost(emulator), [*pairs[:right], *wrong], connections=10)
    # Who waits for the end of others when the budget is spent is not tried.
    assert set(outcomes(proofs[:right])) <= {"A", "U"}
    assert sorted(outcomes(proofs[right:])) == ["R"] * 3 + ["U"] * 27
    assert emulator.counters()["auths_refused"] == 3


def test_several_calls_share_one_budget(emulator: Emulator) -> None:
    pairs = seed(emulator, 6)
    wrong = [(login, "wrong-horse-battery") for login, _password in pairs]
    refusals = Refusals(1)
    first = prove_logins(smarthost(emulator), wrong, connections=4, refusals=refusals, keep=1)
    assert sorted(outcomes(first)) == ["R"] + ["U"] * 5
    assert refusals.used == 2
    second = prove_logins(smarthost(emulator), [pairs[0], *wrong[1:]], connections=4, refusals=refusals)
    assert sorted(outcomes(second)).count("R") == 1
    assert outcomes(prove_logins(smarthost(emulator), pairs, refusals=refusals)) == "U" * 6
    assert (refusals.used, emulator.counters()["auths_refused"]) == (3, 2)


def test_an_address_that_is_blocked_is_not_tried_by_the_next_call(emulator: Emulator) -> None:
    pairs = seed(emulator, 2)
    refusals = Refusals()
    emulator.faults({"match": "smtp:auth", "kind": "smtp_reply", "text": "535 You have been denied authentication"})
    for _again in range(2):
        proofs = prove_logins(smarthost(emulator), pairs, refusals=refusals)
        assert {proof.reason for proof in proofs} == {"localhost answered: 535 You have been denied authentication"}
    assert emulator.counters()["auths"] <= 2


def test_refusals_below_the_limit_stop_nothing(emulator: Emulator) -> None:
    pairs = seed(emulator, 20)
    for position in (0, 19):
        pairs[position] = (pairs[position][0], "wrong-horse-battery")
    assert outcomes(prove_logins(smarthost(emulator), pairs, connections=8)) == "R" + "A" * 18 + "R"


def test_an_address_that_is_blocked_stops_at_once(emulator: Emulator) -> None:
    pairs = seed(emulator, 10)
    emulator.faults({"match": "smtp:auth", "kind": "smtp_reply", "text": "535 You have been denied authentication"})
    proofs = prove_logins(smarthost(emulator), pairs, connections=1)
    assert outcomes(proofs) == "U" * 10
    assert emulator.counters()["auths"] == 1
    assert {proof.reason for proof in proofs} == {"localhost answered: 535 You have been denied authentication"}


class HoldingHandler:
    """Holds all logins, counts them when no more come, and answers one of them; then the same again."""

    def __init__(self, *wanted: int) -> None:
        self._wanted = wanted
        self._held: list[asyncio.Future[None]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.counted: list[int] = []

    async def auth_PLAIN(self, _server: SMTP, _arguments: list[str]) -> AuthResult:  # noqa: N802 - aiosmtpd's name
        loop = asyncio.get_running_loop()
        if not self._tasks:
            self._tasks.append(loop.create_task(self._answer()))
        answer = loop.create_future()
        self._held.append(answer)
        if self._tasks[0].done():
            answer.set_result(None)
        await answer
        return AuthResult(success=True, auth_data="somebody")

    async def _answer(self) -> None:
        for wanted in self._wanted:
            deadline = time.monotonic() + 5
            while len(self._held) < wanted and time.monotonic() < deadline:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            self.counted.append(len(self._held))
            self._held.pop(0).set_result(None)
        for answer in self._held:
            answer.set_result(None)


def test_three_passwords_are_tried_at_once(tmp_path: Path) -> None:
    """All of them may be wrong, however many were right before."""
    handler = HoldingHandler(3, 3, 3, 3)
    with smtp_server(tmp_path, tls=True, handler=handler) as server:
        proofs = prove_logins(server, [(f"user{n}@example.com", RIGHT) for n in range(20)], connections=10)
    assert outcomes(proofs) == "A" * 20
    assert handler.counted == [3, 3, 3, 3]


def test_a_dead_server_is_not_asked_for_every_login(emulator: Emulator) -> None:
    pairs = seed(emulator, 50)
    emulator.faults({"match": "smtp:connect", "kind": "latency", "seconds": 3})
    started = time.monotonic()
    proofs = prove_logins(smarthost(emulator), pairs, connections=4, timeout=1)
    assert time.monotonic() - started < 5
    assert outcomes(proofs) == "U" * 50
    assert emulator.counters()["connections"] <= 8


def test_three_broken_connections_in_a_row_end_it(emulator: Emulator) -> None:
    pairs = seed(emulator, 10)
    emulator.faults({"match": "smtp:connect", "kind": "reset_before"})
    proofs = prove_logins(smarthost(emulator), pairs, connections=1)
    assert outcomes(proofs) == "U" * 10
    assert len({proof.reason for proof in proofs}) == 1
    assert emulator.counters()["connections"] == 3


def test_three_broken_connections_after_a_good_one_end_it_as_well(emulator: Emulator) -> None:
    pairs = seed(emulator, 10)
    emulator.faults({"match": "smtp:connect", "kind": "reset_before", "skip": 1})
    assert outcomes(prove_logins(smarthost(emulator), pairs, connections=1)) == "A" + "U" * 9
    assert emulator.counters()["connections"] == 4


def test_broken_connections_with_a_good_one_between_them_end_nothing(emulator: Emulator) -> None:
    pairs = seed(emulator, 8)
    broken = {"match": "smtp:connect", "kind": "reset_before", "times": 2}
    emulator.faults(broken, {**broken, "skip": 1})
    assert outcomes(prove_logins(smarthost(emulator), pairs, connections=1)) == "UUAUUAAA"


def test_one_broken_connection_stops_nothing(emulator: Emulator) -> None:
    pairs = seed(emulator, 10)
    emulator.faults({"match": "smtp:connect", "kind": "reset_before", "times": 1})
    assert sorted(outcomes(prove_logins(smarthost(emulator), pairs, connections=1))) == ["A"] * 9 + ["U"]


@pytest.mark.parametrize("step", ["smtp:connect", "smtp:auth"])
def test_a_busy_server_is_asked_again(emulator: Emulator, step: str) -> None:
    pairs = seed(emulator, 4)
    text = "421 Too many concurrent SMTP connections from this IP address; please try again later."
    emulator.faults({"match": step, "kind": "smtp_reply", "text": text, "times": 2})
    assert outcomes(prove_logins(smarthost(emulator), pairs, connections=4)) == "AAAA"


def test_connections_of_others_are_waited_for(emulator: Emulator) -> None:
    pairs = seed(emulator)
    with ExitStack() as stack:
        for _number in range(10):
            other = stack.enter_context(socket.create_connection((emulator.smtp_host, emulator.smtp_port), timeout=10))
            other.recv(100)
        timer = threading.Timer(0.6, stack.pop_all().close)
        timer.start()
        assert outcomes(prove_logins(smarthost(emulator), pairs)) == "A"
        timer.join()
    assert emulator.counters()["connections_refused"] >= 1


@pytest.mark.parametrize(("end", "pauses"), [(min, [0, 0.25, 0.5, 1, 2]), (max, [0, 0.75, 1.5, 3, 6])])
def test_a_server_that_stays_busy(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, end: Any, pauses: list[float]
) -> None:
    """The pauses double, and vary, so that the runs of several hosts do not come at once again."""
    taken: list[float] = []
    monkeypatch.setattr(time, "sleep", taken.append)
    monkeypatch.setattr(random.SystemRandom, "uniform", lambda _self, low, high: end(low, high))
    emulator.faults({"match": "smtp:connect", "kind": "smtp_reply", "text": "421 Come back later"})
    proof = prove_logins(smarthost(emulator), seed(emulator))[0]
    assert (proof.verdict, proof.reason) == (Verdict.UNKNOWN, "localhost answered: 421 Come back later")
    assert taken == pauses
    assert emulator.counters()["connections"] == 5
