# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulator's faults on demand, each over the wire."""

from __future__ import annotations

import smtplib
import ssl
import time
from typing import Any

import pytest
import requests
from ansible_collections.smarthost.spamexperts.plugins.module_utils._smarthost.connection import Smarthost
from ansible_collections.smarthost.spamexperts.plugins.module_utils._smarthost.login import prove_logins

from tests.support.emulator import Emulator

ADD = "domain/add/domain/example.test/format/json"


def get(emulator: Emulator, path: str = "version/get", timeout: float = 30) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        session.auth = (emulator.api_username, emulator.api_password)
        url = f"{emulator.api_url}/api/{path}"
        return session.get(url, verify=emulator.ca_file, timeout=timeout, allow_redirects=False)


def domains(emulator: Emulator) -> list[str]:
    return [domain["name"] for domain in emulator.state()["domains"]]


def test_status_with_retry_after(emulator: Emulator) -> None:
    emulator.faults({"match": "domain/add", "times": 1, "kind": "status", "code": 429, "retry_after": 7})
    assert get(emulator).status_code == 200
    reply = get(emulator, ADD)
    assert (reply.status_code, reply.headers["Retry-After"]) == (429, "7")
    assert domains(emulator) == []
    assert get(emulator, ADD).status_code == 200
    assert domains(emulator) == ["example.test"]
    assert [entry["status"] for entry in emulator.requests()] == [200, 429, 200]
    assert emulator.counters()["writes"] == 2
    assert emulator.counters()["effective_writes"] == 1


def test_what_waits_when_the_next_test_begins_changes_nothing_for_it(emulator: Emulator) -> None:
    """As a client that gave up, or was killed, has left it."""
    emulator.faults({"match": "domain/add", "kind": "latency", "seconds": 0.5})
    with pytest.raises(requests.Timeout):
        get(emulator, ADD, timeout=0.1)
    emulator.reset()
    time.sleep(0.6)
    assert domains(emulator) == []
    assert emulator.counters()["requests"] == {}


def test_skip_and_times(emulator: Emulator) -> None:
    emulator.faults({"match": "*", "skip": 2, "times": 2, "kind": "status", "code": 503})
    assert [get(emulator).status_code for _number in range(6)] == [200, 200, 503, 503, 200, 200]
    assert "Retry-After" not in get(emulator).headers


def test_a_fault_without_times_stays_until_it_is_replaced(emulator: Emulator) -> None:
    emulator.faults({"match": "*", "times": None, "kind": "status", "code": 500})
    assert {get(emulator).status_code for _number in range(4)} == {500}
    emulator.faults()
    assert get(emulator).status_code == 200


def test_faults_of_several_calls_are_independent(emulator: Emulator) -> None:
    emulator.faults(
        {"match": "version/get", "times": 1, "kind": "html"},
        {"match": "help", "times": 1, "kind": "status", "code": 404},
        {"match": "*", "times": 1, "kind": "sqlstate"},
    )
    assert "<html>" in get(emulator).text
    assert get(emulator, "help/").status_code == 404
    assert ": SQLSTATE" in get(emulator).text


def test_latency_delays_and_the_call_happens_though_nobody_waits(emulator: Emulator) -> None:
    emulator.faults({"match": "domain/add", "times": 1, "kind": "latency", "seconds": 1.0})
    with pytest.raises(requests.exceptions.ReadTimeout):
        get(emulator, ADD, timeout=0.3)
    assert domains(emulator) == []
    deadline = time.monotonic() + 10
    while domains(emulator) != ["example.test"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_reset_before_and_after_the_write(emulator: Emulator) -> None:
    emulator.faults(
        {"match": "domain/add", "times": 1, "kind": "reset_before"},
        {"match": "domain/add", "times": 1, "kind": "reset_after"},
    )
    with pytest.raises(requests.exceptions.ConnectionError):
        get(emulator, ADD)
    assert domains(emulator) == []
    with pytest.raises(requests.exceptions.ConnectionError):
        get(emulator, ADD)
    assert domains(emulator) == ["example.test"]
    assert "already exists" in get(emulator, ADD).text
    assert [entry["status"] for entry in emulator.requests()] == ["reset", "reset", 200]


def test_half_a_reply(emulator: Emulator) -> None:
    emulator.faults({"match": "domain/add", "times": 1, "kind": "half_reply"})
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        get(emulator, ADD)
    assert domains(emulator) == ["example.test"]


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({"kind": "inactive"}, "has status 'inactive'"),
        ({"kind": "ip_not_allowed"}, "no access to this API, current IP address '127.0.0.1' is"),
        ({"kind": "api_not_allowed"}, "You don't have permissions to access the API."),
        ({"kind": "bad_credentials"}, "Supplied credential is invalid."),
    ],
)
def test_refusals_of_the_account(emulator: Emulator, fault: dict[str, Any], text: str) -> None:
    emulator.faults({"match": "*", **fault})
    reply = get(emulator, ADD)
    assert reply.status_code == 200
    assert text in reply.json()["messages"]["error"][0]
    assert get(emulator, "domain/add/domain/example.test").text.startswith("ERROR: ")
    assert domains(emulator) == []


def test_raw_body_and_redirect(emulator: Emulator) -> None:
    emulator.faults(
        {"match": "*", "times": 1, "kind": "body", "text": '{"odd', "content_type": "application/json"},
        {"match": "*", "times": 1, "kind": "redirect", "location": "https://elsewhere.test/"},
    )
    reply = get(emulator, ADD)
    assert (reply.text, reply.headers["Content-Type"].partition(";")[0]) == ('{"odd', "application/json")
    reply = get(emulator, ADD)
    assert (reply.status_code, reply.headers["Location"]) == (302, "https://elsewhere.test/")
    assert domains(emulator) == []


@pytest.mark.parametrize(
    "fault",
    [
        {"match": "*", "kind": "unknown"},
        {"match": "*", "kind": "status"},
        {"match": "*", "kind": "html", "code": 1},
        {"match": "*", "kind": "smtp_reply", "text": "451 x"},
        {"match": "smtp:auth", "kind": "html"},
        {"match": "smtp:unknown", "kind": "smtp_down"},
    ],
)
def test_unknown_faults_are_refused(emulator: Emulator, fault: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="fault"):
        emulator.faults(fault)


# SMTP


@pytest.fixture
def smarthost(emulator: Emulator) -> Emulator:
    emulator.seed(users=[{"domain": "example.test", "username": "jo", "password": "correct-Horse-7"}])
    return emulator


def send(emulator: Emulator) -> None:
    with smtplib.SMTP("127.0.0.1", emulator.smtp_port, timeout=10) as client:
        client.starttls(context=ssl.create_default_context(cafile=emulator.ca_file))
        client.login("jo@example.test", "correct-Horse-7")
        client.sendmail("jo@example.test", ["friend@elsewhere.test"], "Subject: x\r\n\r\nbody")


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("smtp:connect", smtplib.SMTPConnectError),
        ("smtp:auth", smtplib.SMTPAuthenticationError),
        ("smtp:mail", smtplib.SMTPSenderRefused),
        ("smtp:data", smtplib.SMTPDataError),
    ],
)
def test_smtp_reply_at_each_step(smarthost: Emulator, step: str, error: type[smtplib.SMTPResponseException]) -> None:
    # smtplib tries AUTH with each mechanism, hence twice.
    smarthost.faults({"match": step, "times": 2, "kind": "smtp_reply", "text": "454 4.7.0 Not now"})
    with pytest.raises(error) as refused:
        send(smarthost)
    assert refused.value.smtp_code == 454
    assert "Not now" in str(refused.value.smtp_error)
    assert smarthost.mails() == []
    smarthost.faults()
    send(smarthost)
    assert len(smarthost.mails()) == 1


@pytest.mark.parametrize("step", ["smtp:connect", "smtp:auth", "smtp:mail", "smtp:data"])
@pytest.mark.parametrize("kind", ["smtp_down", "reset_before"])
def test_smtp_connection_lost_at_each_step(smarthost: Emulator, step: str, kind: str) -> None:
    smarthost.faults({"match": step, "times": 1, "kind": kind})
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        send(smarthost)
    assert smarthost.mails() == []
    send(smarthost)
    assert len(smarthost.mails()) == 1


def test_smtp_mail_is_taken_but_the_reply_is_lost(smarthost: Emulator) -> None:
    smarthost.faults({"match": "smtp:data", "times": 1, "kind": "reset_after"})
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        send(smarthost)
    assert len(smarthost.mails()) == 1


def test_a_421_ends_the_connection(smarthost: Emulator) -> None:
    smarthost.faults({"match": "smtp:mail", "times": 1, "kind": "smtp_reply", "text": "421 4.3.2 Shutting down"})
    with pytest.raises((smtplib.SMTPSenderRefused, smtplib.SMTPServerDisconnected)):
        send(smarthost)
    assert smarthost.mails() == []


def test_smtp_latency(smarthost: Emulator) -> None:
    smarthost.faults({"match": "smtp:data", "times": 1, "kind": "latency", "seconds": 0.4})
    started = time.monotonic()
    send(smarthost)
    assert time.monotonic() - started >= 0.4


def test_api_faults_do_not_touch_smtp(smarthost: Emulator) -> None:
    smarthost.faults({"match": "*", "kind": "reset_before"})
    send(smarthost)
    assert len(smarthost.mails()) == 1


def test_a_lie_says_what_is_usual_and_changes_nothing(emulator: Emulator) -> None:
    emulator.seed(users=[{"domain": "example.com", "username": "alice", "password": "Correct-Horse-42"}])
    usual = emulator.call("outgoingusers/setpassword", domain="example.com", username="alice", password="x" * 12)
    emulator.faults({"match": "*", "kind": "lie"})
    emulator.reset_counters()
    told = emulator.call("outgoingusers/setpassword", domain="example.com", username="alice", password="y" * 12)
    assert told == usual
    emulator.call("outgoingusers/add", domain="example.com", username="bob", password="y" * 12)
    assert [user["username"] for user in emulator.users()] == ["alice"]
    assert emulator.counters()["effective_writes"] == 0
    emulator.call("outgoingusers/remove", domain="example.com", username="alice")
    assert [user["username"] for user in emulator.users()] == ["alice"]


def test_a_password_can_be_refused(emulator: Emulator) -> None:
    emulator.seed(domains=["example.com"])
    emulator.faults({"match": "outgoingusers/add", "kind": "refuse_password", "password": "y" * 12})
    refused = emulator.call("outgoingusers/add", domain="example.com", username="bob", password="y" * 12)
    assert "not strong enough" in str(refused["messages"]["error"])
    assert emulator.users() == []
    taken = emulator.call("outgoingusers/add", domain="example.com", username="bob", password="x" * 12)
    assert "success" in taken["messages"]


def test_logins_can_lag(emulator: Emulator) -> None:
    emulator.seed(users=[{"domain": "example.com", "username": "alice", "password": "x" * 12}])
    emulator.faults(login_lag=60)
    emulator.call("outgoingusers/setpassword", domain="example.com", username="alice", password="y" * 12)
    emulator.call("outgoingusers/add", domain="example.com", username="bob", password="y" * 12)
    server = Smarthost(emulator.smtp_host, emulator.smtp_port, emulator.ca_file)
    logins = [("alice@example.com", "x" * 12), ("alice@example.com", "y" * 12), ("bob@example.com", "y" * 12)]
    verdicts = [proof.verdict.value for proof in prove_logins(server, logins, connections=1)]
    assert verdicts == ["accepted", "refused", "refused"]
