# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad days: whatever goes wrong, no mail is lost, nothing leaves in clear, and the log names the cause."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.support.emulator import Emulator
from tests.support.postfix import ScratchPostfix
from tests.support.relay import LOGIN, PASSWORD, relay
from tests.support.sink import Sink, authority_file, certificate

pytestmark = pytest.mark.root


@pytest.fixture
def vendor(emulator: Emulator, postfix: ScratchPostfix) -> Emulator:
    """The emulator with one user, and the scratch Postfix sends through it."""
    emulator.seed(users=[{"domain": "example.com", "username": "server", "password": PASSWORD}])
    run = relay(postfix, **emulator.smarthost_options, **LOGIN)
    assert not run.failed, run.message
    return emulator


def send(postfix: ScratchPostfix) -> None:
    postfix.inject("alice@example.com", "someone@elsewhere.example")
    postfix.wait_until_quiet()


def assert_waits(postfix: ScratchPostfix, *causes: str) -> None:
    """The mail is still there, and the queue says why."""
    assert "bounced" not in postfix.statuses()
    assert len(postfix.queue()) == 1
    reason = postfix.reasons()[0]
    assert any(cause in reason for cause in causes), reason


def assert_arrives_once(postfix: ScratchPostfix, emulator: Emulator) -> None:
    postfix.wait_until_empty()
    assert [mail["login"] for mail in emulator.mails()] == ["server@example.com"]
    assert "bounced" not in postfix.statuses()


def test_wrong_password_at_the_vendor(postfix: ScratchPostfix, vendor: Emulator) -> None:
    vendor.set_password("example.com", "server", "changed at the vendor")
    send(postfix)
    assert_waits(postfix, "535 Incorrect authentication data")
    vendor.set_password("example.com", "server", PASSWORD)
    # Nothing changes on the host, but the mail should not wait for an hour.
    run = relay(postfix, **vendor.smarthost_options, **LOGIN, flush="always")
    assert not run.changed
    assert run.result["flushed"]
    assert_arrives_once(postfix, vendor)


def test_wrong_password_on_the_host(postfix: ScratchPostfix, vendor: Emulator) -> None:
    relay(postfix, **vendor.smarthost_options, **{**LOGIN, "default_password": "mistyped"})
    send(postfix)
    assert_waits(postfix, "535 Incorrect authentication data")
    run = relay(postfix, **vendor.smarthost_options, **LOGIN)
    assert run.changed
    assert not run.result["reloaded"], "a running Postfix notices the new map by itself"
    assert_arrives_once(postfix, vendor)


@pytest.mark.parametrize(
    "damage", ["truncate", "remove", *(pytest.param(each, marks=pytest.mark.slow) for each in ("misspell", "empty"))]
)
def test_damaged_map(postfix: ScratchPostfix, vendor: Emulator, damage: str) -> None:
    source = postfix.config_directory / "smarthost_passwords"
    index = postfix.config_directory / "smarthost_passwords.db"
    if damage == "truncate":
        index.write_bytes(b"")
    elif damage == "remove":
        index.unlink()
    else:
        text = "# nothing\n" if damage == "empty" else source.read_text().replace("[localhost]", "localhost")
        source.write_text(text)
        postfix.run("postmap", f"hash:{source}")
    postfix.reload()
    send(postfix)
    assert_waits(postfix, "530", "local data error", "lookup error", "temporary")
    assert relay(postfix, **vendor.smarthost_options, **LOGIN).changed
    assert_arrives_once(postfix, vendor)


def test_an_index_that_was_away_and_is_back(postfix: ScratchPostfix, vendor: Emulator) -> None:
    """A client that could not open it does not try again; nothing differs, and yet mail would wait."""
    index = postfix.config_directory / "smarthost_passwords.db"
    index.rename(postfix.home / "away")
    postfix.reload()
    send(postfix)
    (postfix.home / "away").rename(index)
    run = relay(postfix, **vendor.smarthost_options, **LOGIN, flush="always")
    assert (run.changed, run.result["reloaded"], run.result["flushed"]) == (False, True, True)
    assert_arrives_once(postfix, vendor)


def test_missing_login_with_another_code(postfix: ScratchPostfix, vendor: Emulator) -> None:
    """The vendor's text for a missing login is known, its code is not."""
    vendor.faults(
        {
            "match": "smtp:mail",
            "kind": "smtp_reply",
            "text": "550 Message submission is for authorised users only!",
            "times": 1,
        }
    )
    send(postfix)
    assert_waits(postfix, "550 Message submission is for authorised users only!")
    postfix.flush()
    assert_arrives_once(postfix, vendor)


def test_refused_sender_still_bounces(postfix: ScratchPostfix, vendor: Emulator) -> None:
    """What the smarthost will never take must come back to the sender at once."""
    refusal = {"match": "smtp:mail", "kind": "smtp_reply", "text": "553 5.7.1 Sender not allowed", "times": 1}
    vendor.faults(refusal)
    send(postfix)
    postfix.wait_until_empty()
    assert postfix.statuses()[0] == "bounced"
    assert [(mail["mail_from"], mail["login"]) for mail in vendor.mails()] == [("", "server@example.com")]


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ({"match": "smtp:connect", "kind": "smtp_reply", "text": "421 Too many concurrent SMTP connections"}, "421"),
        ({"match": "smtp:data", "kind": "reset_before"}, "lost connection"),
        ({"match": "smtp:auth", "kind": "smtp_reply", "text": "454 You have been denied authentication"}, "454"),
        ({"match": "smtp:auth", "kind": "smtp_reply", "text": "534 Mechanism refused"}, "534"),
    ],
    ids=["full", "reset", "denied", "mechanism"],
)
def test_smarthost_in_trouble(postfix: ScratchPostfix, vendor: Emulator, fault: dict[str, Any], cause: str) -> None:
    vendor.faults({**fault, "times": None})
    send(postfix)
    assert_waits(postfix, cause)
    vendor.faults()
    postfix.flush()
    assert_arrives_once(postfix, vendor)


def test_smarthost_down(postfix: ScratchPostfix, vendor: Emulator) -> None:
    vendor.stop()
    try:
        send(postfix)
        assert_waits(postfix, "Connection refused")
    finally:
        vendor.start()
    vendor.seed(users=[{"domain": "example.com", "username": "server", "password": PASSWORD}])
    postfix.flush()
    assert_arrives_once(postfix, vendor)


def test_locked_user(postfix: ScratchPostfix, vendor: Emulator) -> None:
    vendor.seed(users=[{"domain": "example.com", "username": "server", "password": PASSWORD, "locked": 1}])
    send(postfix)
    assert_waits(postfix, "Your account is locked")
    vendor.seed(users=[{"domain": "example.com", "username": "server", "password": PASSWORD, "locked": 0}])
    postfix.flush()
    assert_arrives_once(postfix, vendor)


def test_limit_exceeded(postfix: ScratchPostfix, vendor: Emulator) -> None:
    limited = {"domain": "example.com", "username": "server", "password": PASSWORD, "limit_per_hour": 0}
    vendor.seed(users=[limited])
    send(postfix)
    assert_waits(postfix, "Too many messages")
    vendor.seed(users=[{**limited, "limits_enabled": 0}])
    postfix.flush()
    assert_arrives_once(postfix, vendor)


@pytest.mark.parametrize(
    ("names", "expired", "cause"),
    [
        (["localhost"], True, "certificate has expired"),
        (["other.example"], False, "not verified"),
        (None, False, "TLS is required, but was not offered"),
    ],
    ids=["expired", "other name", "no TLS"],
)
def test_server_that_is_not_the_smarthost(
    postfix: ScratchPostfix, tmp_path: Path, names: list[str] | None, expired: bool, cause: str
) -> None:
    """Neither mail nor password reach it."""
    authority = trustme.CA()
    with Sink(certificate(authority, *names, expired=expired) if names else None) as server:
        run = relay(
            postfix,
            smarthost="localhost",
            smarthost_port=server.port,
            smarthost_ca_path=authority_file(authority, tmp_path),
            **LOGIN,
        )
        assert run.changed, run.message
        send(postfix)
        assert len(postfix.queue()) == 1
        assert cause in postfix.reasons()[0] or cause in postfix.log()
        assert server.mails == []
        assert server.logins == []


def test_unknown_authority(postfix: ScratchPostfix, vendor: Emulator) -> None:
    relay(postfix, smarthost="localhost", smarthost_port=vendor.smtp_port, **LOGIN)
    send(postfix)
    assert_waits(postfix, "not trusted", "not verified")
    assert vendor.auths() == []
    relay(postfix, **vendor.smarthost_options, **LOGIN)
    assert_arrives_once(postfix, vendor)


def test_levels_that_give_something_away(postfix: ScratchPostfix) -> None:
    """They do what their names say, and no more."""
    authority = trustme.CA()
    with Sink(certificate(authority, "other.example")) as server:
        options: dict[str, Any] = {"smarthost": "localhost", "smarthost_port": server.port}
        relay(postfix, **options, **LOGIN, reveal_password_to_any_server=True)
        send(postfix)
        postfix.wait_until_empty()
        assert server.logins == [("server@example.com", PASSWORD)]
    with Sink() as server:
        options["smarthost_port"] = server.port
        relay(postfix, **options, **LOGIN, reveal_password_to_any_server=True)
        send(postfix)
        assert_waits(postfix, "TLS is required")
        refused = relay(postfix, **options, **LOGIN, reveal_mail_without_tls=True)
        assert refused.failed
        assert refused.code == "invalid_options"
        assert "reveal_mail_without_tls" in refused.message
        relay(postfix, **options, authentication="ip", reveal_mail_without_tls=True)
        postfix.wait_until_empty()
        assert [(mail.tls, mail.login) for mail in server.mails] == [(False, None)]
        assert server.logins == []


def test_certificate_with_another_name(postfix: ScratchPostfix, tmp_path: Path) -> None:
    """A smarthost known by its address; the name in its certificate is given."""
    authority = trustme.CA()
    with Sink(certificate(authority, "mx.smarthost.example")) as server:
        run = relay(
            postfix,
            smarthost="127.0.0.1",
            smarthost_port=server.port,
            smarthost_ca_path=authority_file(authority, tmp_path),
            smarthost_certificate_names=[".smarthost.example"],
            **LOGIN,
        )
        assert run.changed, run.message
        send(postfix)
        postfix.wait_until_empty()
        assert [(mail.tls, mail.login) for mail in server.mails] == [(True, "server@example.com")]
