# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulator's smarthost, by real SMTP."""

from __future__ import annotations

import base64
import contextlib
import smtplib
import ssl
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.emulator import Emulator

PASSWORD = "correct-Horse-7"
MESSAGE = "From: jo@example.test\r\nSubject: H\u00e9llo\r\n\r\n.dots\r\nbody\r\n".encode()


@contextlib.contextmanager
def connected(
    emulator: Emulator,
    login: str | None = None,
    password: str = PASSWORD,
    *,
    tls: bool = True,
    source: str = "127.0.0.1",
) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP("127.0.0.1", emulator.smtp_port, timeout=30, source_address=(source, 0)) as client:
        if tls:
            client.starttls(context=ssl.create_default_context(cafile=emulator.ca_file))
        if login:
            client.login(login, password)
        yield client


def send(client: smtplib.SMTP, *recipients: str) -> dict[str, tuple[int, bytes]]:
    return client.sendmail("jo@example.test", list(recipients) or ["friend@elsewhere.test"], MESSAGE)


def refusal(client: smtplib.SMTP, *recipients: str) -> tuple[int, str]:
    """Code and text with which a message is refused."""
    try:
        send(client, *recipients)
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as refused:
        text = refused.smtp_error
        return refused.smtp_code, text.decode() if isinstance(text, bytes) else text
    except smtplib.SMTPRecipientsRefused as refused:
        [(code, line)] = refused.recipients.values()
        return code, line.decode()
    raise AssertionError("the message was accepted")


@pytest.fixture
def smarthost(emulator: Emulator) -> Emulator:
    emulator.seed(
        users=[
            {"domain": "example.test", "username": "jo", "password": PASSWORD},
            {"domain": "example.test", "password": "Domain-Password-1"},
        ]
    )
    return emulator


def test_auth_is_offered_only_after_starttls(smarthost: Emulator) -> None:
    with connected(smarthost, tls=False) as client:
        client.ehlo()
        assert client.has_extn("starttls")
        assert not client.has_extn("auth")
        assert client.docmd("AUTH", "PLAIN AGpvAGpv")[0] == 538
        client.starttls(context=ssl.create_default_context(cafile=smarthost.ca_file))
        client.ehlo()
        assert set(client.esmtp_features["auth"].split()) == {"PLAIN", "LOGIN"}
        assert not client.has_extn("starttls")


def test_the_certificate_is_for_localhost_and_its_address(smarthost: Emulator) -> None:
    context = ssl.create_default_context(cafile=smarthost.ca_file)
    for name in (smarthost.smtp_host, "127.0.0.1"):
        with smtplib.SMTP(name, smarthost.smtp_port, timeout=30) as client:
            assert client.starttls(context=context)[0] == 220
    with (
        smtplib.SMTP("127.0.0.1", smarthost.smtp_port, timeout=30) as client,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        client.starttls(context=ssl.create_default_context())


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("jo@example.test", PASSWORD),
        ("JO@Example.Test", PASSWORD),
        ("example.test", "Domain-Password-1"),
        ("@example.test", "Domain-Password-1"),
    ],
)
@pytest.mark.parametrize("mechanism", ["plain", "login"])
def test_logins(smarthost: Emulator, login: str, password: str, mechanism: str) -> None:
    with connected(smarthost) as client:
        client.ehlo()
        client.user, client.password = login, password  # as smtplib's login() does
        assert client.auth(mechanism, getattr(client, f"auth_{mechanism}"))[0] == 235
        assert send(client) == {}
    [auth] = smarthost.auths()
    assert (auth["login"], auth["mechanism"], auth["ok"], auth["tls"]) == (login, mechanism.upper(), True, True)
    assert auth["client_ip"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("jo@example.test", PASSWORD.lower()),
        ("jo@example.test", ""),
        ("jo", PASSWORD),
        ("example.test", PASSWORD),
        ("missing@example.test", PASSWORD),
        ("jo@missing.test", PASSWORD),
        ("jo@bad..name", PASSWORD),
    ],
)
def test_wrong_logins(smarthost: Emulator, login: str, password: str) -> None:
    with connected(smarthost) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            client.login(login, password)
        assert refused.value.args == (535, b"Incorrect authentication data")
        assert refusal(client) == (530, "5.7.0 Message submission is for authorised users only!")
    counters = smarthost.counters()
    assert counters["auths"] == counters["auths_refused"] > 0
    assert not any(auth["ok"] for auth in smarthost.auths())


@pytest.mark.parametrize("password", ["p" * 3000, "ä€😀", "a b/c%2F+'\"\\"])
def test_unusual_passwords(smarthost: Emulator, password: str) -> None:
    smarthost.set_password("example.test", "jo", password)
    for mechanism in ("PLAIN", "LOGIN"):
        with connected(smarthost) as client:
            client.ehlo()
            encoded = [base64.b64encode(text.encode()).decode() for text in ("jo@example.test", password)]
            if mechanism == "PLAIN":
                both = f"\0jo@example.test\0{password}".encode()
                reply = client.docmd("auth", "plain " + base64.b64encode(both).decode())
            else:
                assert client.docmd("AUTH", f"LOGIN {encoded[0]}")[0] == 334
                reply = client.docmd(encoded[1])
            assert reply == (235, b"Authentication succeeded")


def test_a_new_password_counts_at_once(smarthost: Emulator) -> None:
    smarthost.call("outgoingusers/setpassword", domain="example.test", username="jo", password="Changed-Password-2")
    with connected(smarthost) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("jo@example.test", PASSWORD)
        assert client.login("jo@example.test", "Changed-Password-2")[0] == 235


def test_mail_is_recorded(smarthost: Emulator) -> None:
    before = time.time()
    with connected(smarthost, "jo@example.test") as client:
        send(client, "one@elsewhere.test", "two@elsewhere.test")
        client.sendmail("", ["postmaster@elsewhere.test"], MESSAGE)
    first, second = smarthost.mails()
    assert before - 1 < first.pop("received") < time.time() + 1
    content = first.pop("content")
    assert content == MESSAGE.decode()
    assert first == {
        "id": "1",
        "login": "jo@example.test",
        "client_ip": "127.0.0.1",
        "tls": True,
        "tls_version": "TLSv1.3",
        "begins_with_tls": False,
        "mail_from": "jo@example.test",
        "recipients": ["one@elsewhere.test", "two@elsewhere.test"],
        "size": len(MESSAGE),
        "subject": "H\u00e9llo",
    }
    assert second["mail_from"] == ""


def test_an_ip_user_sends_without_login(smarthost: Emulator) -> None:
    smarthost.call("outgoingusers/addip", domain="example.test", ip="127.0.0.8", mask="29")
    with connected(smarthost, source="127.0.0.9") as client:
        assert send(client) == {}
    with connected(smarthost, source="127.0.0.9", tls=False) as client:
        assert send(client) == {}
    with connected(smarthost, source="127.0.0.16") as client:
        assert refusal(client)[0] == 530
    assert [(mail["login"], mail["client_ip"], mail["tls"]) for mail in smarthost.mails()] == [
        (None, "127.0.0.9", True),
        (None, "127.0.0.9", False),
    ]


def test_an_ip_user_with_a_password_must_log_in(smarthost: Emulator) -> None:
    smarthost.seed(users=[{"domain": "example.test", "username": "127.0.0.9", "password": PASSWORD}])
    with connected(smarthost, source="127.0.0.9") as client:
        assert refusal(client)[0] == 530
        client.login("127.0.0.9@example.test", PASSWORD)
        assert send(client) == {}


def test_a_removed_user_cannot_go_on_sending(smarthost: Emulator) -> None:
    with connected(smarthost, "jo@example.test") as client:
        send(client)
        smarthost.call("outgoingusers/remove", domain="example.test", username="jo")
        assert refusal(client)[0] == 530


def test_a_locked_user_is_refused_at_data(smarthost: Emulator) -> None:
    smarthost.call("domainadmincontact/set", domain="example.test", email="postmaster@example.test")
    smarthost.call("outgoingusers/lock", domain="example.test", username="jo")
    with connected(smarthost, "jo@example.test") as client:
        code, text = refusal(client)
        assert 400 <= code < 500
        assert "locked" in text
        assert "postmaster@example.test" in text
        assert send(client, "postmaster@example.test") == {}
        smarthost.call("outgoingusers/unlock", domain="example.test", username="jo")
        assert send(client) == {}
    assert len(smarthost.mails()) == 2


@pytest.mark.parametrize("limit", ["per_minute", "per_hour", "per_day", "per_week", "per_month"])
def test_limits_count_connections_that_send(smarthost: Emulator, limit: str) -> None:
    jo = {"domain": "example.test", "username": "jo"}
    smarthost.call("outgoingusers/setlimits", **jo, **{f"limit_{limit}": "2"})
    with connected(smarthost, "jo@example.test"):
        pass  # a login alone does not count
    for _number in range(2):
        with connected(smarthost, "jo@example.test") as client:
            assert send(client) == send(client) == {}
    with connected(smarthost, "jo@example.test") as client:
        assert refusal(client) == (451, "Too many messages. Please wait for a while and try again.")
    with connected(smarthost, "example.test", "Domain-Password-1") as client:
        assert send(client) == {}
    smarthost.call("outgoingusers/setlimits", **jo, limits_enabled="0")
    with connected(smarthost, "jo@example.test") as client:
        assert send(client) == {}
    assert smarthost.users()[0]["locked"] == 0


def test_the_recipient_limit_counts_recipients(smarthost: Emulator) -> None:
    jo = {"domain": "example.test", "username": "jo"}
    smarthost.call("outgoingusers/setlimits", **jo, limit_recipients_per_day="3")
    with connected(smarthost, "jo@example.test") as client:
        send(client, "a@elsewhere.test", "b@elsewhere.test")
        assert set(send(client, "c@elsewhere.test", "d@elsewhere.test")) == {"d@elsewhere.test"}
        assert refusal(client)[0] == 451


def test_a_limit_of_0_lets_nothing_through_and_may_lock(smarthost: Emulator) -> None:
    smarthost.quirks(limit_reaction="lock")
    smarthost.call("outgoingusers/setlimits", domain="example.test", username="jo", limit_per_day="0")
    with connected(smarthost, "jo@example.test") as client:
        assert refusal(client)[0] == 451
    assert smarthost.users()[0]["locked"] == 1


def test_ten_connections_for_each_address(smarthost: Emulator) -> None:
    with contextlib.ExitStack() as stack:
        for _number in range(10):
            stack.enter_context(connected(smarthost, tls=False))
        with pytest.raises(smtplib.SMTPConnectError) as refused:
            smtplib.SMTP("127.0.0.1", smarthost.smtp_port, timeout=30)
        assert refused.value.smtp_code == 421
        assert "Too many concurrent SMTP connections from this IP address" in str(refused.value.smtp_error)
        stack.enter_context(connected(smarthost, source="127.0.0.2"))
        counters = smarthost.counters()
    assert (counters["connections"], counters["connections_refused"], counters["connections_peak"]) == (11, 1, 10)
    deadline = time.monotonic() + 10
    while True:  # the server may see the ends of the connections a little later
        try:
            with connected(smarthost, "jo@example.test"):
                break
        except smtplib.SMTPConnectError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_the_slot_is_free_again_after_a_broken_tls_handshake(smarthost: Emulator) -> None:
    for _number in range(12):
        with smtplib.SMTP("127.0.0.1", smarthost.smtp_port, timeout=30) as client:
            client.ehlo()
            with pytest.raises(ssl.SSLCertVerificationError):
                client.starttls(context=ssl.create_default_context())
    smarthost.reset_counters()
    deadline = time.monotonic() + 10
    while smarthost.counters()["connections_peak"]:
        assert time.monotonic() < deadline
        smarthost.reset_counters()


def test_many_logins_at_once_are_counted_exactly(smarthost: Emulator) -> None:
    failures: list[BaseException] = []

    def log_in_often() -> None:
        try:
            for _number in range(50):
                with connected(smarthost, "jo@example.test"):
                    pass
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=log_in_often) for _number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    counters = smarthost.counters()
    assert (counters["auths"], counters["auths_refused"], counters["connections"]) == (300, 0, 300)
    assert counters["connections_peak"] <= 6
