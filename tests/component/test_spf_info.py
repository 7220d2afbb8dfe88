# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module spf_info against a DNS server on loopback."""

from __future__ import annotations

import importlib
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.resolver
import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._domains import resolver

from tests.support.dns_server import DnsServer, dns_server
from tests.support.module import ModuleRun, run_module

PROVIDER = "spf.antispamcloud.com"


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with dns_server() as running:
        running.txt(PROVIDER, "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ~all")
        yield running


def run(server: DnsServer, *domains: str, **options: Any) -> ModuleRun:
    where = {"nameservers": [server.host], "port": server.port, "timeout": 2}
    return run_module("spf_info", {"domains": list(domains), **where, **options})


def one(server: DnsServer, domain: str = "example.com", **options: Any) -> dict[str, Any]:
    """What is shown of one domain."""
    result = run(server, domain, **options)
    assert not result.failed, result.message
    assert not result.changed
    (shown,) = result.result["domains"]
    return dict(shown)


def test_a_right_record(server: DnsServer) -> None:
    server.txt("example.com", "google-site-verification=1", f"v=spf1 mx include:{PROVIDER} -all")
    server.records["example.com", "MX"] = ["10 mail.example.com."]
    record = f"v=spf1 mx include:{PROVIDER} -all"
    assert one(server) == {
        "domain": "example.com",
        "records": [record],
        "record": record,
        "included": True,
        "lookups": 2,
        "void_lookups": 0,
        "too_many_lookups": False,
        "problems": [],
        "recommended_record": record,
        "recommended_lookups": 2,
    }


def test_what_is_missing_is_recommended_and_then_right(server: DnsServer) -> None:
    server.records["example.com", "A"] = ["192.0.2.1"]
    for present in ([], ["v=spf1 a -all"], ["v=spf1 a -all", f"v=spf1 include:{PROVIDER} ~all"]):
        server.txt("example.com", *present)
        before = one(server)
        assert before["problems"]
        assert not before["included"]
        server.txt("example.com", before["recommended_record"])
        after = one(server)
        assert (after["included"], after["problems"]) == (True, [])
        assert after["recommended_record"] == before["recommended_record"]
        assert after["lookups"] == before["recommended_lookups"]


def test_nested_includes_macros_and_lookups_that_find_nothing(server: DnsServer) -> None:
    server.txt("example.com", "v=spf1 include:_spf.example.net a:gone.example.net include:%{d2}.example.net ~all")
    server.txt("_spf.example.net", f"v=spf1 exists:gone.example.net mx:gone.example.net include:{PROVIDER} -all")
    shown = one(server)
    assert shown["included"]
    assert (shown["lookups"], shown["void_lookups"], shown["too_many_lookups"]) == (6, 3, True)
    assert [part in " ".join(shown["problems"]) for part in ("depends on the sender", "3 lookups")] == [True, True]


def test_more_than_ten_lookups(server: DnsServer) -> None:
    includes = [f"include:_{number}.example.net" for number in range(10)]
    for number in range(10):
        server.txt(f"_{number}.example.net", "v=spf1 ip4:192.0.2.1 ~all")
    server.txt("example.com", " ".join(["v=spf1", *includes, f"include:{PROVIDER}", "-all"]))
    shown = one(server)
    assert shown["lookups"] == 11
    assert shown["too_many_lookups"]
    assert "needs 11 DNS lookups" in shown["problems"][0]


def test_a_long_record_comes_over_tcp_and_in_pieces(server: DnsServer) -> None:
    networks = " ".join(f"ip4:198.51.{number}.0/24" for number in range(60))
    record = f"v=spf1 {networks} include:{PROVIDER} -all"
    server.txt("example.com", record)
    assert len(record) > 1000
    assert one(server)["record"] == record
    assert [transport for name, _kind, transport in server.asked if name == "example.com"] == ["udp", "tcp"]


def test_an_internationalised_domain(server: DnsServer) -> None:
    server.txt("xn--mller-kva.example", "v=spf1 -all")
    for name in ("MÜLLER.example.", "xn--mller-kva.example"):
        shown = one(server, name)
        assert shown["domain"] == "müller.example"
        assert shown["record"] == "v=spf1 -all"
        assert "The SPF record of müller.example" in shown["problems"][0]


def test_another_provider(server: DnsServer) -> None:
    server.txt("spf.mtaroutes.com", "v=spf1 ip4:192.0.2.1 ~all")
    server.txt("example.com", "v=spf1 include:SPF.mtaroutes.com. -all")
    assert one(server, include="spf.mtaroutes.com")["problems"] == []
    assert not one(server)["included"]


@pytest.mark.parametrize("fault", ["servfail", "silent"])
def test_dns_that_does_not_answer_is_a_sentence(server: DnsServer, fault: str) -> None:
    server.txt("example.org", f"v=spf1 include:{PROVIDER} -all")
    server.txt("half.example", f"v=spf1 include:{PROVIDER} include:example.com -all")
    server.faults["example.com"] = fault
    begin = time.monotonic()
    result = run(server, "example.com", "example.org", "half.example", timeout=1)
    assert time.monotonic() - begin < 5
    assert not result.failed
    broken, right, half = result.result["domains"]
    assert broken["problems"][0].startswith("DNS gave no answer about example.com, so that nothing is known of its SPF")
    unknown = ("included", "lookups", "void_lookups", "too_many_lookups", "recommended_record", "recommended_lookups")
    assert {broken[name] for name in (*unknown, "record")} == {None}
    assert right["problems"] == []
    assert half["included"]
    assert half["lookups"] == 2
    assert "DNS gave no answer about example.com" in half["problems"][0]


def test_no_server_at_all_is_a_sentence() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        where = {"nameservers": ["127.0.0.1"], "port": unused.getsockname()[1], "timeout": 1}
    result = run_module("spf_info", {"domains": ["example.com"], **where})
    assert not result.failed
    assert "DNS gave no answer about example.com" in result.result["domains"][0]["problems"][0]


@pytest.mark.parametrize("target", ["a..b.example", "x" * 64 + ".example", ".".join(["x" * 60] * 5)])
def test_a_name_that_dns_cannot_hold_is_a_sentence(server: DnsServer, target: str) -> None:
    server.txt("example.com", f"v=spf1 include:{PROVIDER} a:{target} -all")
    shown = one(server)
    assert shown["included"]
    assert "DNS gave no answer about" in shown["problems"][0]


def test_a_backslash_is_an_ordinary_character(server: DnsServer) -> None:
    server.txt("example.com", f"v=spf1 include:{PROVIDER} a:\\300.example include:\\000 -all")
    shown = one(server)
    assert (shown["included"], shown["lookups"], shown["void_lookups"]) == (True, 3, 2)


def test_a_record_that_is_not_ascii_is_broken(server: DnsServer) -> None:
    server.txt("example.com", f"v=spf1 include:{PROVIDER} a:exämple.net -all")
    assert "it has a character that is not ASCII" in one(server)["problems"][0]


def test_the_provider_is_asked_for_once(server: DnsServer) -> None:
    domains = [f"d{number}.example" for number in range(40)]
    for domain in domains:
        server.txt(domain, f"v=spf1 include:{PROVIDER} -all")
    one_by_one = run(server, *domains[:1]).result["domains"]
    assert [shown["domain"] for shown in one_by_one] == domains[:1]
    server.asked.clear()
    result = run(server, *domains)
    assert [shown["domain"] for shown in result.result["domains"]] == domains
    assert len([name for name, _kind, _transport in server.asked if name == PROVIDER]) <= 8  # once for each thread


def test_the_nameservers_of_the_host_are_the_default(
    server: DnsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "resolv.conf"
    monkeypatch.setattr(dns.resolver.Resolver.__init__, "__defaults__", (str(file), True))
    unset = run(server, "example.com", nameservers=None)
    assert unset.failed
    assert "No nameserver is known where the module runs" in unset.message
    file.write_text("search example.com\nnameserver 127.0.0.1\n")
    server.txt("example.com", f"v=spf1 include:{PROVIDER} -all")
    assert one(server, nameservers=None)["problems"] == []
    assert one(server, "missing.example", nameservers=None)["records"] == []
    assert not [name for name, _kind, _transport in server.asked if name.endswith(".example.example.com")]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"domains": ["example.com", "", "com"]}, "domains[1]: the domain is empty"),
        ({"domains": ["example.com", "", "com"]}, "domains[2]: 'com' is not a domain name"),
        ({"domains": ["exa mple.com"]}, "is not a domain name"),
        ({"include": "nothing"}, "include: 'nothing' is not a domain name"),
        ({"nameservers": []}, "nameservers is empty"),
        ({"nameservers": ["127.0.0.1", "localhost"]}, "nameservers[1]: 'localhost' is not an IP address"),
        ({"port": 0}, "port is 0; it must be from 1 to 65535"),
        ({"port": 65536}, "port is 65536"),
        ({"timeout": 0}, "timeout is 0; it must be from 1 to 60"),
        ({"timeout": 61}, "timeout is 61"),
        ({"domains": None}, "domains"),
        ({"unknown": 1}, "Unsupported parameters"),
    ],
)
def test_bad_options_are_one_sentence(server: DnsServer, options: dict[str, Any], sentence: str) -> None:
    result = run(server, **{"domains": ["example.com"], **options})
    assert result.failed
    assert sentence in result.message
    assert "\n" not in result.message
    assert server.asked == []


def test_a_missing_library_is_named(server: DnsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "idna", None)
    assert "required Python library (idna)" in run(server, "example.com").message
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "dns.resolver", None)
        importlib.reload(resolver)
        result = run(server, "example.com")
    importlib.reload(resolver)
    assert result.failed
    assert "required Python library (dnspython)" in result.message
