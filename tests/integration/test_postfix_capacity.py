# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes through: every password in every type of map, no more connections than allowed, two instances."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.support.emulator import Emulator
from tests.support.postfix import ScratchPostfix
from tests.support.relay import relay

pytestmark = pytest.mark.root
RECIPIENT = "someone@elsewhere.example"
PASSWORDS = [
    "a:b:c",
    ":colon first",
    "two  blanks",
    " blank first",
    "\ttab first",
    "tab\tinside",
    "a\\b\\\\c\\n",
    "backslash last\\",
    "#hash first",
    "hash #inside",
    "$abc ${x} $(y) $$",
    "{abc}",
    '"quotes"',
    "it's",
    "%s%u%%",
    "pä$ßwörd€日本",
    "a😀b",
    "nbsp last\u00a0",
    "ideographic last\u3000",
    "a,b",
    "return\rinside",
    "vt\x0band ff\x0cinside",
    "control\x01inside",
    "delete\x7finside",
    "*",
    "`id`|;&",
    "a/b@c",
    "a=b==",
    "line\u2028separator",
    "x" * 500,
]


def server(emulator: Emulator) -> dict[str, Any]:
    """A login for everything, and the options to use it."""
    emulator.seed(users=[{"domain": "example.com", "username": "server", "password": "Correct-Horse-42"}])
    return {
        **emulator.smarthost_options,
        "default_login": "server@example.com",
        "default_password": "Correct-Horse-42",
    }


@pytest.mark.parametrize("kind", ["hash", "btree", "lmdb", "cdb", "texthash"])
def test_passwords_byte_for_byte(postfix: ScratchPostfix, emulator: Emulator, kind: str) -> None:
    logins = [
        {"login": f"user{number}@example.com", "password": password, "senders": [f"user{number}@example.com"]}
        for number, password in enumerate(PASSWORDS)
    ]
    emulator.seed(
        users=[
            {"domain": "example.com", "username": f"user{number}", "password": password}
            for number, password in enumerate(PASSWORDS)
        ]
    )
    run = relay(postfix, **server(emulator), logins=logins, map_type=kind)
    assert run.changed, run.message
    for login in logins:
        postfix.inject(str(login["login"]), RECIPIENT)
    postfix.wait_until_empty()
    assert sorted(mail["login"] for mail in emulator.mails()) == sorted(str(login["login"]) for login in logins)
    assert all(mail["login"] == mail["mail_from"] for mail in emulator.mails())
    assert emulator.counters()["auths_refused"] == 0


@pytest.mark.parametrize("dedicated", [False, True])
def test_no_more_connections_than_allowed(postfix: ScratchPostfix, emulator: Emulator, dedicated: bool) -> None:
    """Forty mails at once, each of which takes its time at the smarthost.

    Five at once may be a few more for the smarthost, as Postfix does not wait for the end of a connection.
    """
    relay(postfix, **server(emulator), dedicated_transport=dedicated)
    emulator.faults({"match": "smtp:data", "kind": "latency", "seconds": 0.2, "times": None})
    emulator.reset_counters()
    for number in range(40):
        postfix.inject("server@example.com", f"someone@d{number}.example")
    postfix.wait_until_empty(60)
    counters = emulator.counters()
    assert counters["connections_refused"] == 0
    assert 2 <= counters["connections_peak"] < 10
    assert len(emulator.mails()) == 40
    assert set(postfix.statuses()) == {"sent"}


def test_a_delay_between_mails(postfix: ScratchPostfix, emulator: Emulator) -> None:
    relay(postfix, **server(emulator), rate_delay=1)
    begin = time.monotonic()
    for _mail in range(3):
        postfix.inject("server@example.com", RECIPIENT)
    postfix.wait_until_empty()
    assert time.monotonic() - begin >= 2
    assert len(emulator.mails()) == 3


def test_two_instances_on_one_host(postfix: ScratchPostfix, emulator: Emulator) -> None:
    """Each has its own logins, and taking one back leaves the other alone."""
    options = server(emulator)
    emulator.seed(users=[{"domain": "example.net", "username": "other", "password": "Correct-Horse-43"}])
    other_login = {"default_login": "other@example.net", "default_password": "Correct-Horse-43"}
    relay(postfix, **options)
    with ScratchPostfix() as other:
        relay(other, **{**options, **other_login})
        postfix.inject("a@example.com", RECIPIENT)
        other.inject("b@example.com", RECIPIENT)
        postfix.wait_until_empty()
        other.wait_until_empty()
        relay(other, state="absent")
    postfix.inject("c@example.com", RECIPIENT)
    postfix.wait_until_empty()
    assert {mail["mail_from"]: mail["login"] for mail in emulator.mails()} == {
        "a@example.com": "server@example.com",
        "b@example.com": "other@example.net",
        "c@example.com": "server@example.com",
    }
