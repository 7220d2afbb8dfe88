# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A test mail followed to its end, and what can be seen of a relay: real Postfix, real mail."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix import exim, host_manager, mail_log
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.commands import (
    Answer,
    Instance,
    PostfixError,
)

from tests.support.emulator import Emulator
from tests.support.module import ModuleRun, run_module
from tests.support.postfix import ScratchPostfix
from tests.support.relay import LOGIN, relay

pytestmark = pytest.mark.root
PASSWORD = LOGIN["default_password"]
INFO = "ansible_collections.smarthost.spamexperts.plugins.modules.postfix_relay_info"


def probe(postfix: ScratchPostfix, *, check: bool = False, **options: Any) -> ModuleRun:
    given = {
        "sender": "alice@example.com",
        "recipient": "someone@elsewhere.example",
        "config_directory": str(postfix.config_directory),
        **options,
    }
    return run_module("postfix_test_mail", given, check=check)


def test_mail_that_is_accepted(vendor: Emulator, sending: ScratchPostfix) -> None:
    run = probe(sending)
    assert (run.result.get("status"), run.changed) == ("sent", False), run.message
    assert run.warnings == ""
    assert run.result["relay"] == f"localhost[127.0.0.1]:{vendor.smtp_port}"
    assert run.result["reply"].startswith("250 OK")
    assert [mail["mail_from"] for mail in vendor.mails()] == ["alice@example.com"]


@pytest.mark.parametrize(
    ("reply", "outcome"), [("451 Come back later", "deferred"), ("553 5.7.1 Sender not allowed", "bounced")]
)
def test_mail_that_is_not(vendor: Emulator, sending: ScratchPostfix, reply: str, outcome: str) -> None:
    vendor.faults({"match": "smtp:mail", "kind": "smtp_reply", "text": reply, "times": 1})
    run = probe(sending)
    assert run.code == "not_delivered"
    assert f"the test mail was {outcome}, because:" in run.message
    assert ("taken back" in run.message) == (outcome == "deferred")
    assert reply in run.message
    sending.wait_until_empty()


def test_mail_that_another_server_has_accepted(sending: ScratchPostfix) -> None:
    """Such as this host itself, where it knows the domain of the recipient; that proves nothing."""
    assert probe(sending, smarthost="localhost").result["status"] == "sent"
    run = probe(sending, smarthost="Smarthost.example")
    assert run.code == "wrong_server"
    assert "was accepted by localhost[127.0.0.1]:" in run.message
    assert "not by the smarthost smarthost.example; name a recipient" in run.message


def test_mail_in_check_mode(vendor: Emulator, sending: ScratchPostfix) -> None:
    assert probe(sending, check=True).result["status"] == "not_sent"
    assert vendor.mails() == []


def test_mail_that_does_not_leave_in_time_is_taken_back(vendor: Emulator, sending: ScratchPostfix) -> None:
    sending.set(header_checks="static:HOLD")
    sending.reload()
    try:
        run = probe(sending, wait_timeout=2)
    finally:
        sending.set(header_checks="")
        sending.reload()
    assert run.code == "timeout"
    assert run.message == (
        "the test mail had not left this host after 2 seconds; it was taken back, unless a server was just taking it."
    )
    assert sending.queue() == []
    assert vendor.mails() == []


def test_mail_that_is_on_its_way_when_the_time_is_over(vendor: Emulator, sending: ScratchPostfix) -> None:
    """It leaves all the same."""
    vendor.faults({"match": "smtp:data", "kind": "latency", "seconds": 6, "times": 1})
    # The log has half of this time to mention the mail, also on a busy machine.
    assert "taken back" in probe(sending, wait_timeout=4).message
    deadline = time.monotonic() + 20
    while not vendor.mails():  # so that no other test counts it
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("queue_id", [None, "0123456789"])
def test_mail_that_cannot_be_taken_back(
    sending: ScratchPostfix, monkeypatch: pytest.MonkeyPatch, queue_id: str | None
) -> None:
    """Nobody knows its queue id yet, or it is in no queue any more."""
    monkeypatch.setattr(mail_log.MailLog, "queue_id", lambda *_: queue_id)
    run = probe(sending, wait_timeout=1 if queue_id else 0)
    assert "seconds; it was not found in the queue and may still go out; see the queue" in run.message
    sending.wait_until_empty()  # it must not be counted by another test


def test_log_that_cannot_be_read_any_more(sending: ScratchPostfix, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_log.MailLog, "_text", denied)
    run = probe(sending)
    assert run.message.startswith(
        "the mail log cannot be read any more (denied); it was not found in the queue and may"
    )
    sending.wait_until_empty()


def test_mail_of_nobody_is_from_the_postmaster_of_the_host(vendor: Emulator, sending: ScratchPostfix) -> None:
    run = probe(sending, sender=None)
    assert run.result.get("status") == "sent", run.message
    assert [mail["mail_from"] for mail in vendor.mails()] == ["postmaster@client.test.example"]


def test_log_that_does_not_know_the_mail(sending: ScratchPostfix) -> None:
    """Nothing is claimed then."""
    sending.set(maillog_file="")  # the running daemons do not know yet
    try:
        run = probe(sending, wait_timeout=2)
    finally:
        sending.set(maillog_file=str(sending.log_file))
    assert run.result.get("status") == "unknown", run.message
    assert "no mail log of this host mentions it; nothing is proven." in run.warnings
    sending.wait_until_empty()


@pytest.mark.parametrize("name", ["sender", "recipient"])
@pytest.mark.parametrize(
    "address", ["", "alice", "a b@example.com", "<a@example.com>", "a@example.com\nBcc: b@example.com"]
)
def test_addresses_that_are_none(name: str, address: str) -> None:
    given = {"sender": "a@example.com", "recipient": "b@example.com", "config_directory": "/nowhere", name: address}
    run = run_module("postfix_test_mail", given)
    assert run.code == "invalid_options"
    assert run.message == f"{name}: '{address}' is not an address such as name@example.com."


def test_a_log_that_cannot_be_read_is_noticed_before_a_mail_is_sent(
    vendor: Emulator, sending: ScratchPostfix, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", denied)
        run = probe(sending)
    assert run.code == "file_error"
    assert run.message == "The mail log cannot be read: denied. Run the task with become: true."
    sending.wait_until_empty()
    assert vendor.mails() == []


def test_a_smarthost_that_no_server_can_be_called() -> None:
    given = {"sender": "a@example.com", "recipient": "b@example.com", "smarthost": "a..b"}
    run = run_module("postfix_test_mail", given)
    assert run.code == "invalid_options"
    assert run.message.startswith("smarthost: ")


def test_only_root_sees_whether_postfix_runs(sending: ScratchPostfix, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    run = run_module("postfix_relay_info", {"config_directory": str(sending.config_directory)})
    assert run.code == "no_permission"
    assert "Only root can see whether Postfix runs; run the task with become: true." in run.message


def test_postfix_that_does_not_run(postfix: ScratchPostfix) -> None:
    assert probe(postfix).code == "not_running"


# Looking at a host


def test_look_at_a_relay(vendor: Emulator, sending: ScratchPostfix) -> None:
    vendor.faults({"match": "smtp:mail", "kind": "smtp_reply", "text": "451 Come back later", "times": None})
    sending.inject("alice@example.com", "someone@elsewhere.example")
    sending.wait_until_quiet()
    run = run_module("postfix_relay_info", {"config_directory": str(sending.config_directory)})
    assert not run.changed
    expected = {
        "installed": True,
        "lacking": [],
        "running": True,
        "managed": True,
        "unfinished": False,
        "default_map_type": "hash",
        "logins": [{"key": f"[localhost]:{vendor.smtp_port}", "login": "server@example.com"}],
        "other_logins": [],
        "waiting": 1,
    }
    assert {name: run.result[name] for name in expected} == expected
    assert PASSWORD not in run.raw


def test_look_at_logins_that_somebody_else_has_set_up(sending: ScratchPostfix) -> None:
    table = sending.config_directory / "sasl"
    table.write_text(f"smtp.elsewhere.example shop@example.com:{PASSWORD}\n[x]:25 web@example.com:{PASSWORD}\n")
    ours = sending.parameters()["smtp_sasl_password_maps"]
    sending.set(smtp_sasl_password_maps=f"{ours}, texthash:{table}, hash:/nowhere/sasl, static:user:word")
    try:
        run = run_module("postfix_relay_info", {"config_directory": str(sending.config_directory)})
    finally:
        sending.set(smtp_sasl_password_maps=ours)
    assert run.result["other_logins"] == ["shop@example.com", "web@example.com"]
    assert [entry["login"] for entry in run.result["logins"]] == ["server@example.com"]
    assert PASSWORD not in run.raw


def test_look_before_anything_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible.module_utils.basic.AnsibleModule.get_bin_path", lambda *_, **__: None)
    monkeypatch.setattr(host_manager, "objection", lambda: "Exim handles the mail of this host.")
    run = run_module("postfix_relay_info", {})
    assert run.result["lacking"] == ["Postfix"]
    assert run.result["objection"] == "Exim handles the mail of this host."
    assert not run.result["installed"]
    refused = run_module("postfix_relay_info", {"fail_on_objection": True})
    assert (refused.code, refused.message) == ("host_managed", "Exim handles the mail of this host.")
    mail = {"sender": "a@example.com", "recipient": "b@example.com"}
    assert run_module("postfix_test_mail", mail).code == "not_installed"


def test_look_at_a_mail_server_that_is_to_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Postfix it has no other instance, and a panel is not replaced."""
    monkeypatch.setattr("ansible.module_utils.basic.AnsibleModule.get_bin_path", lambda *_, **__: None)
    monkeypatch.setattr(host_manager, "objection", lambda: "Exim handles the mail of this host.")
    monkeypatch.setattr(exim, "replaceable", lambda _: ["exim4-base"])
    options = {"replace_mail_server": True, "fail_on_objection": True}
    run = run_module("postfix_relay_info", options)
    assert (run.result["objection"], run.result["replaces"]) == ("", ["exim4-base"])
    for more in (
        {"replace_mail_server": False},
        {"replace_mail_server": False, "config_directory": "/etc/postfix-out"},
    ):
        assert run_module("postfix_relay_info", {**options, **more}).message == "Exim handles the mail of this host."
    monkeypatch.setattr(exim, "replaceable", Mock(side_effect=PostfixError("1 mail in its queue", "host_managed")))
    refused = run_module("postfix_relay_info", options)
    assert (refused.code, refused.message) == ("host_managed", "1 mail in its queue")
    monkeypatch.setattr(host_manager, "written_by", lambda: "Plesk")
    assert run_module("postfix_relay_info", options).message == "Exim handles the mail of this host."


def test_look_at_a_host_that_lacks_something(postfix: ScratchPostfix, monkeypatch: pytest.MonkeyPatch) -> None:
    conflicts = "ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.conflicts"
    monkeypatch.setattr(f"{INFO}.has_sasl_plugin", lambda: False)
    monkeypatch.setattr(f"{conflicts}.CA_FILES", ())
    run = run_module("postfix_relay_info", {"config_directory": str(postfix.config_directory)})
    assert run.result["lacking"] == ["a plugin of Cyrus SASL for PLAIN or LOGIN", "a bundle of trusted certificates"]
    assert (run.result["running"], run.result["managed"], run.result["waiting"]) == (False, False, None)


# Where the log is


def answering(journal: str) -> Instance:
    """An instance that logs to the journal."""

    def run(command: Sequence[str], stdin: str) -> Answer:
        return Answer(0, journal if command[0] == "journalctl" else "maillog_file =\n", "")

    return Instance(run, "/etc/postfix")


def test_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_log, "LOG_FILES", ())
    log = mail_log.MailLog(
        answering(
            "4A: message-id=<x@y>\n"
            "4A: to=<a@b.example>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, status=sent (250 queued as 5B)\n"
            "5B: message-id=<x@y>\n"
            "5B: to=<a@b.example>, relay=h[192.0.2.1]:587, delay=1, dsn=2.0.0, status=sent (250 OK (id=1))\n"
        )
    )
    assert log.queue_id("other") is None
    assert log.queue_id("x@y") == "5B"
    assert log.deliveries("5B") == [mail_log.Delivery("sent", "h[192.0.2.1]:587", "250 OK (id=1)")]


def test_log_that_is_rotated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    path.write_text("4A: message-id=<x@y>\n" * 20, encoding="utf-8")
    monkeypatch.setattr(mail_log, "LOG_FILES", (str(path),))
    log = mail_log.MailLog(answering(""))
    assert log.queue_id("x@y") is None, "what was logged before does not count"
    path.write_text("5B: message-id=<x@y>\n", encoding="utf-8")
    assert log.queue_id("x@y") == "5B"


# What became of the mail of the last seconds


def deliveries(postfix: ScratchPostfix, seconds: float = 60, **options: Any) -> ModuleRun:
    given = {"smarthost": "localhost", "config_directory": str(postfix.config_directory), "seconds": seconds}
    return run_module("postfix_delivery_info", {**given, **options})


def numbers(run: ModuleRun) -> tuple[Any, ...]:
    """The log, sent, deferred, delivered, returned and waiting."""
    names = ("log", "sent", "deferred", "delivered", "returned", "waiting")
    assert not run.changed, run.message
    return tuple(run.result[name] for name in names)


def test_mail_that_had_to_wait_is_counted_and_followed(vendor: Emulator, sending: ScratchPostfix) -> None:
    sending.inject("server@example.com", "before@elsewhere.example")
    sending.wait_until_empty()
    vendor.set_password("example.com", "server", "another password")
    for number in range(3):
        sending.inject("server@example.com", f"someone{number}@elsewhere.example")
    sending.wait_until_quiet()
    assert numbers(deliveries(sending)) == (str(sending.log_file), 1, 3, 0, 0, 3)
    assert deliveries(sending, smarthost="smtp.elsewhere.example").result["deferred"] == 0
    vendor.set_password("example.com", "server", PASSWORD)
    sending.flush()
    assert numbers(deliveries(sending, wait_timeout=20)) == (str(sending.log_file), 4, 3, 3, 0, 0)


def test_deliveries_without_a_log(postfix: ScratchPostfix, monkeypatch: pytest.MonkeyPatch) -> None:
    postfix.log_file.unlink(missing_ok=True)
    monkeypatch.setattr(Instance, "journal", lambda *_: "")
    assert numbers(deliveries(postfix)) == (None,) * 6
    monkeypatch.setattr(Instance, "journal", lambda *_: "A1: to=<a@b>, relay=localhost[127.0.0.1]:587, status=sent (x)")
    assert numbers(deliveries(postfix)) == ("journal", 1, 0, 0, 0, 0)


def test_deliveries_that_cannot_be_counted(postfix: ScratchPostfix, monkeypatch: pytest.MonkeyPatch) -> None:
    assert deliveries(postfix, -1.0).message.startswith("seconds: -1.0 is negative")
    assert deliveries(postfix, config_directory="/nowhere").code == "conflict"
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", denied)
        postfix.log_file.touch()
        assert deliveries(postfix).code == "file_error"
    monkeypatch.setattr("ansible.module_utils.basic.AnsibleModule.get_bin_path", lambda *_, **__: None)
    assert deliveries(postfix).code == "not_installed"


def denied(*_arguments: Any, **_options: Any) -> Any:
    raise PermissionError(13, "denied")


def test_logins_that_are_new_here(postfix: ScratchPostfix, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Instance, "check", lambda _: None)

    def new(**options: Any) -> list[str]:
        own = {"login": "web@example.com", "password": PASSWORD, "senders": ["@example.com"]}
        given = {"smarthost": "smarthost.example", "logins": [own, {**own, "login": "b@example.org"}], **options}
        run = run_module("postfix_relay_info", {"config_directory": str(postfix.config_directory), **given})
        assert not run.failed, run.message
        assert PASSWORD not in run.raw
        found: list[str] = run.result["new_logins"]
        return found

    both = ["web@example.com", "b@example.org"]
    assert new() == both
    one: dict[str, Any] = {"default_login": "web@example.com", "default_password": PASSWORD}
    for options in ({}, {"dedicated_transport": True}, {"only_named_senders": True, "senders": ["@example.com"]}):
        assert not relay(postfix, smarthost="smarthost.example", **one, **options).failed
        assert new() == ["b@example.org"]
    assert new(smarthost="other.example") == new(smarthost_port=2525) == both
    # A server that does not begin with TLS in that way would take no mail, so this is proven before mail depends on it.
    assert new(smarthost_tls="implicit") == both
    changed = {"login": "web@example.com", "password": PASSWORD + "2"}
    assert new(logins=[{**changed, "senders": ["web@example.com"]}]) == ["web@example.com"]
    assert new(logins=[]) == []
    assert new(logins=[], default_login="a@example.com", default_password=PASSWORD) == ["a@example.com"]
    assert relay(postfix, state="absent").changed
    assert new() == both


def test_how_the_smarthost_is_reached(postfix: ScratchPostfix, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Instance, "check", lambda _: None)
    locks = ("password_only_for_verified_servers", "tls_required_header_ignored")

    def way() -> tuple[Any, ...]:
        result = run_module("postfix_relay_info", {"config_directory": str(postfix.config_directory)}).result
        return tuple(result[name] for name in ("next_hop", "tls_level", "authentication", *locks, "smarthost_tls"))

    assert way() == ("", "", "", None, None, "")
    one: dict[str, Any] = {"default_login": "web@example.com", "default_password": PASSWORD}
    for options in ({}, {"dedicated_transport": True}, {"only_named_senders": True, "senders": ["@example.com"]}):
        assert not relay(postfix, smarthost="smarthost.example", **one, **options).failed
        assert way()[:3] == ("[smarthost.example]:587", "secure", "login")
    assert not relay(postfix, smarthost="::1", smarthost_certificate_names=["a.example"], authentication="ip").failed
    assert way()[:3] == ("[ipv6:::1]:587", "secure", "ip")
    # What is said of the locks is what main.cf says, whoever has written it; our own transport has its own.
    postfix.set(smtp_sasl_tls_security_options="noplaintext", smtp_sasl_tls_verified_security_options="noanonymous")
    assert way()[3:5] == (True, True), "this Postfix does not know the header"
    postfix.set(smtp_sasl_tls_security_options="noanonymous")
    assert way()[3:5] == (False, True)
    postfix.set(smtp_sasl_tls_security_options="noplaintext", smtp_sasl_tls_verified_security_options="noplaintext")
    assert way()[3:5] == (False, True)
    assert not relay(postfix, smarthost="smarthost.example", **one, dedicated_transport=True).failed
    for name, value in (("smtp_sasl_tls_security_options", "noplaintext"), ("smtp_tls_security_level", "$soft_level")):
        postfix.run("postconf", "-P", f"smarthost/unix/{name}={value}")
    postfix.set(soft_level="verify")
    postfix.run("postconf", "-P", "smarthost/unix/smtp_sasl_tls_verified_security_options=noanonymous")
    assert way() == ("[smarthost.example]:587", "verify", "login", True, True, "starttls")
    for own in (True, False):
        assert not relay(postfix, smarthost_port=465, **one, smarthost="a.example", dedicated_transport=own).failed
        assert way() == ("[a.example]:465", "secure", "login", True, True, "implicit")


def test_what_a_host_opens_to_others(postfix: ScratchPostfix, no_check: None) -> None:
    assert not relay(postfix, smarthost="smarthost.example", **LOGIN).failed
    names = ("mynetworks", "readable_password_files", "verification_probes")

    def opened() -> list[Any]:
        run = run_module("postfix_relay_info", {"config_directory": str(postfix.config_directory)})
        assert not run.failed, run.message
        return [run.result[name] for name in names]

    assert opened() == [["127.0.0.0/8"], [], False]
    passwords = postfix.config_directory / "smarthost_passwords"
    passwords.chmod(0o644)
    postfix.set(mynetworks="127.0.0.0/8, hash:/etc/x", smtpd_sender_restrictions="reject_unverified_sender")
    assert opened() == [["127.0.0.0/8", "hash:/etc/x"], [str(passwords)], True]
    postfix.set(address_verify_relayhost="")
    assert opened()[2] is False
