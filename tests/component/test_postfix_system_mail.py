# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As whom mail of the host itself leaves, whether the DNS knows that domain, and who may be given instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix import system_mail

from tests.support.dns_server import dns_server
from tests.support.module import run_module
from tests.support.postfix import ScratchPostfix
from tests.support.relay import BY_ADDRESS, assert_refused, configure

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("no_check")]


@pytest.mark.parametrize(
    ("name", "there"), [("example.com", True), ("web1.internal", False), ("silent.example", True), ("a..b", True)]
)
def test_the_dns_is_asked_whether_a_domain_exists(
    name: str, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a name server that says so counts: not one that is silent, and no file of this host."""
    monkeypatch.setattr(system_mail, "_DNS_SECONDS", 0.5)
    resolv = tmp_path / "resolv.conf"
    resolv.write_text("search internal\n# nameserver 192.0.2.1\nnameserver 127.0.0.1\n")
    with dns_server() as server:
        server.txt("example.com", "v=spf1 -all")
        server.faults["silent.example"] = "silent"
        assert system_mail.exists_in_dns(name, str(resolv), server.port) is there


def test_without_a_name_server_nothing_is_said_of_the_dns(tmp_path: Path) -> None:
    assert system_mail.exists_in_dns("web1.internal", str(tmp_path / "none"), 9)


def test_what_is_behind_the_names_of_accounts_may_stand_in_a_file(postfix: ScratchPostfix, tmp_path: Path) -> None:
    """Debian's /etc/mailname."""
    mailname = tmp_path / "mailname"
    mailname.write_text("Office.example\n")
    postfix.set(myorigin=str(mailname))
    run = configure(postfix, system_sender="server@example.com", check=True)
    assert run.changed, run.message
    table = run.result["diff"]["after"][f"{postfix.config_directory}/smarthost_system_senders"]
    assert "root@office.example" in table
    assert "@client.test.example" in table


@pytest.mark.parametrize(
    ("given", "options", "piece"),
    [
        ("root@somebody.example", {}, "no login here is for somebody.example"),
        ("true", {"default_login": "example.com"}, "default_login is no address"),
        ("@example.com", {}, "is no address such as server@example.com"),
        ("a b@example.com", {}, "neither an address nor a domain"),
        ("server", {}, "is no address such as server@example.com"),
        ("<>", {}, "is no address such as"),
        ("true", BY_ADDRESS, "default_login is no address"),
    ],
)
def test_a_sender_that_cannot_be(postfix: ScratchPostfix, given: str, options: dict[str, Any], piece: str) -> None:
    assert_refused(postfix, piece, code="invalid_options", system_sender=given, **options)


def test_a_host_that_is_known_by_its_address_may_name_any_sender(postfix: ScratchPostfix) -> None:
    assert configure(postfix, system_sender="cron@example.org", **BY_ADDRESS).changed


def test_a_name_that_a_login_is_for_is_left_alone(postfix: ScratchPostfix) -> None:
    """The smarthost knows who sends from there."""
    postfix.set(myhostname="mail.example.com", myorigin="example.com")
    run = configure(postfix, default_login="server@mail.example.com", system_sender="true")
    table = run.result["diff"]["after"][f"{postfix.config_directory}/smarthost_system_senders"]
    assert "root@example.com" in table
    assert "@mail.example.com" not in table
    run = configure(postfix, default_login="server@example.com", system_sender="true", check=True)
    table = run.result["diff"]["after"][f"{postfix.config_directory}/smarthost_system_senders"]
    assert list(table) == ["@mail.example.com"]


def test_a_test_mail_of_an_account_that_there_is_not(postfix: ScratchPostfix) -> None:
    run = run_module("postfix_test_mail", {"user": "nobody", "sender": "a@example.com", "recipient": "b@example.com"})
    assert "mutually exclusive" in run.message


@pytest.mark.parametrize(("content", "reason"), [(None, "cannot open file"), (b"", "is empty"), (b" \n", "is empty")])
def test_a_mailname_that_says_nothing_is_said_as_postfix_says_it(
    postfix: ScratchPostfix, tmp_path: Path, content: Optional[bytes], reason: str
) -> None:
    mailname = tmp_path / "mailname"
    if content is not None:
        mailname.write_bytes(content)
    postfix.set(myorigin=str(mailname))
    assert_refused(postfix, reason, code="command_failed", system_sender="server@example.com")


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        ({"smtp_host_lookup": "native"}, False),
        ({"smtp_host_lookup": "dns, native"}, True),
        ({"smtp_host_lookup": "dns", "disable_dns_lookups": "yes"}, False),
        ({"smtp_host_lookup": "dns", "smtp_dns_support_level": "disabled"}, False),
    ],
)
def test_the_dns_is_asked_where_postfix_asks_it(
    postfix: ScratchPostfix, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], asked: bool, warnings: list[str]
) -> None:
    names: list[str] = []
    monkeypatch.setattr(system_mail, "exists_in_dns", names.append)
    postfix.set(**settings)
    assert configure(postfix, system_sender=None).changed
    assert names == (["client.test.example"] if asked else [])
    assert any("does not exist in the DNS" in text for text in warnings) is asked
