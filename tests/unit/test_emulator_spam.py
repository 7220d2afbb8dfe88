# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom the emulator locks for spam: an outgoing user, or one identity of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.spam import SpamLocks
from tests.emulator.state import NEW_USER, State, User

RECEIVED = b"Received: from x (x [192.0.2.7])\r\n\t(Authenticated sender: Alice)\r\n\tby mail1 (Postfix)\r\n\r\nx"
BY_HEADER = {"identification_header": "Received", "identification_expression": r"\(Authenticated sender: ([^)]+)\)"}


def user(**values: Any) -> User:
    return User("out.example.com", "server1", "user", values={**NEW_USER, **values})


@pytest.mark.parametrize(
    ("values", "content", "identity"),
    [
        ({}, RECEIVED, ""),
        ({"identification_method": "envelope_sender"}, b"", "bob@example.com"),
        ({"identification_method": "header", **BY_HEADER}, RECEIVED, "alice"),
        ({"identification_method": "header", **BY_HEADER}, b"Received: by mail1\r\n\r\n(Authenticated sender: x)", ""),
    ],
)
def test_whose_mail_it_is(values: dict[str, Any], content: bytes, identity: str) -> None:
    assert SpamLocks.identity(user(**values), "<Bob@example.com>", content) == identity


@pytest.mark.parametrize(
    ("values", "identity", "locked", "identities"),
    [
        ({"automatic_lock": 1}, "alice", 1, set()),
        ({"lock_identities": "1"}, "alice", 0, {"alice"}),
        ({"lock_identities": "0"}, "alice", 0, set()),
        ({"lock_identities": 1}, "", 0, set()),
        ({}, "alice", 0, set()),
    ],
)
def test_the_fifth_spam_mail_locks(values: dict[str, Any], identity: str, locked: int, identities: set[str]) -> None:
    sender, locks, state = user(**values), SpamLocks(), State("admin")
    state.put_user(sender)
    for _mail in range(4):
        locks.spam(state, sender, identity)
    locks.spam(state, sender, "somebody else" if identity else "")
    assert sender.values["locked"] == locked
    assert locks.locked == set()
    locks.spam(state, sender, identity)
    assert {name for _key, name in locks.locked} == identities
