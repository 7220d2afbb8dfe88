# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sender_dns_info and a name server on loopback, over real DNS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.dns_server import DnsServer, dns_server
from tests.support.module import ModuleRun, run_module


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with dns_server() as running:
        running.txt("spf.antispamcloud.com", "v=spf1 ip4:192.0.2.0/24 -all")
        running.txt("example.com", "v=spf1 include:spf.antispamcloud.com -all")
        running.txt("_dmarc.example.com", "v=DMARC1; p=reject")
        running.records["example.com", "MX"] = ["10 mx.example.com."]
        running.records["mx.example.com", "A"] = ["192.0.2.7"]
        yield running


def ask(server: DnsServer, *domains: dict[str, Any], **options: Any) -> ModuleRun:
    place = {"nameservers": [server.host], "port": server.port}
    run = run_module("sender_dns_info", {"domains": list(domains), **place, **options})
    assert not run.changed
    return run


def test_what_receivers_see(server: DnsServer) -> None:
    server.txt("s1._domainkey.example.com", "v=DKIM1; p=")
    (one,) = ask(server, {"domain": "Example.com", "selectors": ["s1", "s2"]}).result["domains"]
    assert (one["domain"], one["spf"]["included"], one["takes_mail"], one["unanswered"]) == (
        "example.com",
        True,
        True,
        [],
    )
    assert (one["dmarc"]["place"], one["dmarc"]["policy"]) == ("example.com", "reject")
    assert [(key["selector"], key["exists"], bool(key["problems"])) for key in one["dkim"]] == [
        ("s1", True, True),
        ("s2", False, False),
    ]


def test_each_question_is_asked_once_for_all_domains(server: DnsServer) -> None:
    domains = [{"domain": f"d{number}.example.com", "include": "spf.antispamcloud.com"} for number in range(20)]
    found = ask(server, {"domain": "example.com"}, *domains).result["domains"]
    assert {one["dmarc"]["place"] for one in found} == {"example.com"}
    often = {question: times for question, times in Counter(server.asked).items() if times > 1}
    # Threads that ask the same at the same time do not wait for each other.
    assert max(often.values(), default=1) <= 8


def test_a_record_that_takes_no_mail(server: DnsServer) -> None:
    server.records["example.com", "MX"] = ["0 ."]
    assert ask(server, {"domain": "example.com"}).result["domains"][0]["takes_mail"] is False


def test_a_server_that_does_not_answer_is_asked_no_more_than_once(server: DnsServer) -> None:
    server.faults["example.com"] = "servfail"
    (one,) = ask(server, {"domain": "example.com", "selectors": ["s1"]}).result["domains"]
    assert (one["spf"]["included"], one["dmarc"], one["takes_mail"], len(one["unanswered"])) == (None, None, None, 3)
    assert {name for name, _kind, _way in server.asked} == {"example.com"}


@pytest.mark.parametrize(
    ("options", "piece"),
    [
        ({"domains": [{"domain": "no domain"}]}, "domains[0]: "),
        ({"domains": [{"domain": "example.com", "include": "-"}]}, "domains[0].include: "),
        ({"domains": [{"domain": "example.com", "selectors": ["a b"]}]}, "'a b' is no name of a selector"),
        ({"nameservers": ["dns.example"]}, "is not an IP address"),
        ({"timeout": 0}, "timeout is 0"),
    ],
)
def test_what_cannot_be_asked_is_said(server: DnsServer, options: dict[str, Any], piece: str) -> None:
    run = run_module("sender_dns_info", {"domains": [{"domain": "example.com"}], "port": server.port, **options})
    assert run.failed
    assert piece in run.message
    assert server.asked == []
