# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How mail servers send, at the edges: what is just a finding, what just none, and in which words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit import servers
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.seen import Host, Passwords

from tests.support.audited import ALICE, QUEUE, RELAY, SERVER, SMARTHOST, USERS, described, site, told_by, user

LOGINS = site().passwords.in_use


found_in, said, unseen = told_by(servers)


@pytest.mark.parametrize(
    ("relay", "codes"),
    [
        ({"installed": False, "running": False}, ["no_postfix"]),
        ({"objection": "Plesk manages it.", "installed": False}, ["host_managed", "no_postfix"]),
        ({"objection": "Plesk manages it.", "next_hop": ""}, ["host_managed"]),
        # A host that was not set up lacks its login, and asks nobody.
        ({"next_hop": "", "tls_level": "", "verification_probes": True, "logins": []}, ["not_set_up"]),
        ({"next_hop": "", "other_logins": ["shop@example.com"]}, ["not_set_up", "undescribed_login"]),
        ({"next_hop": "[other.example]:587", "tls_level": ""}, ["other_next_hop", "weak_tls"]),
        ({"next_hop": f"[ipv6:{SMARTHOST}]:587"}, []),
        ({"next_hop": SMARTHOST}, []),
        ({"tls_level": "verify"}, []),
        # What an older Postfix does not know is no fault of it.
        ({"password_only_for_verified_servers": None, "tls_required_header_ignored": None}, []),
        (
            {"password_only_for_verified_servers": False, "tls_required_header_ignored": False},
            ["password_for_anybody", "header_lowers_tls"],
        ),
        ({"running": False, "unfinished": True}, ["not_running", "unfinished"]),
    ],
    ids=str,
)
def test_how_a_mail_server_sends(relay: dict[str, Any], codes: list[str]) -> None:
    assert found_in(site(relay=relay)) == codes


def test_the_level_of_tls_is_named() -> None:
    (encrypt,), (none,) = (said(site(relay={"tls_level": level})) for level in ("encrypt", ""))
    assert "encrypt" in encrypt
    assert "none" in none


def test_a_host_that_may_use_any_smarthost() -> None:
    other = Host({**RELAY, "next_hop": "[other.example]:587"}, "", QUEUE)
    assert found_in(site(hosts={"mail1": other})) == []


@pytest.mark.parametrize(
    ("network", "own", "more"),
    [
        *(("8.8.8.0/24", [], ", and is none that it is in itself"), ("8.8.8.0/24", ["8.8.0.0/16"], None)),
        *(("8.8.8.0/23", ["8.8.0.0/16"], ""), ("8.8.8.8", [], None), ("8.8.8.8/24", ["8.8.8.0/24"], None)),
        *(("10.1.0.0/16", ["10.1.0.0/16"], None), ("10.0.0.0/15", ["10.0.0.0/8"], "")),
        *(("10.1.0.0/16", ["192.168.0.0/16", "10.1.0.0/17"], ", and is none that it is in itself"),),
        *(("[fd00::]/48", ["192.0.2.0/24", "fd00::/48"], None), ("[fd00::]/47", ["fd00::/8"], "")),
        *(("fd00::/48", ["10.0.0.0/8"], ", and is none that it is in itself"), ("127.0.0.0/8", [], None)),
        *(("!0.0.0.0/0", None, None), ("0.0.0.0/0", None, "")),
    ],
)
def test_whom_a_mail_server_lets_send(network: str, own: list[str] | None, more: str | None) -> None:
    seen = site(relay={"mynetworks": [network], "own_networks": own})
    sentence = f"{network} may send through it without a login (mynetworks){more}"
    assert said(seen) == ([] if more is None else [sentence])
    assert unseen(seen) == []


def test_whom_a_mail_server_lets_send_may_be_unknown() -> None:
    for network, own, why in (
        ("hash:/etc/x", [], "it is no network but a table"),
        ("10.1.0.0/24", None, "the host does not say in which networks it is itself"),
    ):
        seen = site(relay={"mynetworks": ["127.0.0.0/8", network, "0.0.0.0/0"], "own_networks": own})
        assert unseen(seen) == [(f"mail1, whom {network} lets send through it", why)]
        assert found_in(seen) == ["wide_mynetworks"]


def test_what_was_changed_beside_the_way() -> None:
    routes = [{"name": "relayhost", "value": ""}, {"name": "default_transport", "value": "smtp:[x]"}]
    past = [
        {"place": "transport_maps", "names": ["a", "b"], "number": 2},
        {"place": "hash:/x", "names": ["a", "b"], "number": 5},
    ]
    text = "\n".join(said(site(relay={"changed_routes": routes, "past": past})))
    assert "the server of each domain (relayhost)" in text
    assert "smtp:[x] (default_transport)" in text
    assert "a, b" in text
    assert "a, b and 3 more" in text
    assert text.count(" more") == 1


# Logins


def test_the_login_that_a_rotation_has_given() -> None:
    moved = Passwords({**LOGINS, "server1@example.com": "server1-b@example.com"})
    logins = [{"key": "*", "login": "Server1-b@Example.com"}]
    assert found_in(site(relay={"logins": logins}, passwords=moved)) == []
    assert found_in(site(passwords=moved)) == ["undescribed_login", "declared_login_missing"]


def test_the_login_of_a_host_that_sends_by_its_address() -> None:
    address = {"authentication_method": "ip", "username": "192.0.2.1", "acknowledge_ip_risk": True}
    seen = site([ALICE, {**address, "default_for": ["mail1"]}], relay={"logins": [], "authentication": "ip"})
    assert found_in(seen) == []
    anybody = {"logins": [], "authentication": "ip", "password_only_for_verified_servers": False}
    assert found_in(site([ALICE, {**address, "default_for": ["mail1"]}], relay=anybody)) == []


def test_a_host_that_no_description_names_has_what_its_inventory_says() -> None:
    assert found_in(site([ALICE, {"username": "server1"}], relay={"other_logins": ["shop@example.com"]})) == []


def test_what_a_host_sends_as_in_the_domain_of_another() -> None:
    """One domain is borrowed by nobody, and who sends by an address borrows no login."""
    shop = described({"username": "shop", "relay": ["mail1"]}, domain="shop.example")
    both = [*described(ALICE, {**SERVER, "default_for": ["mail1"]}), *shop]
    logins = [{"key": "*", "login": name} for name in ("server1@example.com", "shop@shop.example")]
    users = [*USERS, user("shop", domain="shop.example")]
    for domain, sentences in (
        *(("", []), ("EXAMPLE.com", [])),
        (
            "provider.example",
            [
                "it sends for 2 domains, and all other mail as server1@example.com, whose domain is not its own",
            ],
        ),
    ):
        assert said(site(descriptions=both, users=users, relay={"logins": logins, "domain": domain})) == sentences
    assert found_in(site(relay={"domain": "provider.example"})) == []
    address = {"authentication_method": "ip", "username": "192.0.2.1", "acknowledge_ip_risk": True}
    by_address = [*described(ALICE, {**address, "default_for": ["mail1"]}), *shop]
    relay = {"logins": logins[1:], "domain": "provider.example"}
    assert found_in(site(descriptions=by_address, users=users, relay=relay)) == []


def test_a_login_that_many_mail_servers_have() -> None:
    for number, others in ((2, "m1"), (4, "m1, m2, m3"), (5, "m1, m2, m3 and 1 more")):
        hosts = {f"m{each}": Host({**RELAY, "other_logins": ["server1@example.com"]}) for each in range(number)}
        seen = replace(site(), hosts={**hosts, "away": Host(no_relay="unreachable")}, servers={})
        assert said(seen)[0] == f"it has the login server1@example.com, as {others} has"
        assert len(said(seen)) == number


# Mail


@pytest.mark.parametrize(
    ("queue", "sentences"),
    [
        ({}, ["1 mail is waiting for the smarthost (password), the oldest mail for 1 min"]),
        (
            {"first_lost_in": 0},
            ["1 mail is waiting for the smarthost (password), the oldest mail for 1 min, and lost at the next try"],
        ),
        ({"reasons": [{"group": "password", "mails": 2, "remedy": "x"}]}, ["2 mails are waiting for"]),
        ({"reasons": [{"group": "not_tried", "mails": 2, "remedy": "x"}], "oldest_age": 3599}, []),
        ({"reasons": [{"group": "not_tried", "mails": 2, "remedy": "x"}], "oldest_age": 3600}, ["2 mails are"]),
        (
            {"reasons": [{"group": group, "mails": 1, "remedy": "x"} for group in ("not_tried", "password")]},
            ["1 mail is waiting for the smarthost (password)"],
        ),
        ({"reasons": [], "bounced": 1}, ["1 mail for the smarthost was returned to the sender in the last 1 d"]),
        ({"reasons": [], "bounced": 2}, ["2 mails for the smarthost were returned to the sender"]),
        ({"reasons": [], "bounced": 0}, []),
    ],
    ids=str,
)
def test_mail_that_waits_or_was_returned(queue: dict[str, Any], sentences: list[str]) -> None:
    reason = {"group": "password", "mails": 1, "codes": [], "remedy": "do it"}
    texts = said(site(queue={"oldest_age": 60, "reasons": [reason], **queue}))
    assert len(texts) == len(sentences)
    assert all(text.startswith(sentence) for text, sentence in zip(texts, sentences))


def test_the_words_end_where_nothing_is_lost_soon() -> None:
    reason = {"group": "password", "mails": 1, "codes": [], "remedy": "do it"}
    (text,) = said(site(queue={"oldest_age": 60, "reasons": [reason]}))
    assert text.endswith("for 1 min")


@pytest.mark.parametrize(
    ("domains", "sentence"),
    [
        (None, ""),
        (["example.com", "a.b.example.com"], ""),
        (["com"], "com"),
        (["notexample.com", "example.com", "x.example"], "notexample.com, x.example"),
        (["a.test", "b.test", "c.test", "d.test"], "a.test, b.test, c.test and 1 more"),
    ],
)
def test_envelopes_of_domains_that_nobody_describes(domains: list[str] | None, sentence: str) -> None:
    found = [one.what for one in servers.findings(site(queue={"sender_domains": domains}))]
    assert len(found) == bool(sentence)
    assert all(sentence in text for text in found)
    assert found_in(replace(site(queue={"sender_domains": domains}), descriptions=[], servers={})) == []


def test_what_was_not_looked_at() -> None:
    relay = {**RELAY, "tables_not_read": ["transport_maps (regexp:/x)"]}
    hosts = {
        "m0": Host({"installed": False, "mynetworks": []}),
        "m1": Host(RELAY),
        "m2": Host(no_relay="refused"),
        "m3": Host(relay, "", {**QUEUE, "complete": False, "log_reaches_back": 86399}),
        "m4": Host(RELAY, "", {**QUEUE, "log_reaches_back": None}),
        "m5": Host(RELAY, "", QUEUE),
        "m6": Host(),
    }
    away = "it could not be reached"
    assert unseen(site(hosts=hosts)) == [
        ("m1, what waits there", away),
        *(("m2, how it sends", "refused"), ("m2, what waits there", "refused")),
        ("m3, what transport_maps (regexp:/x) does with mail", "it cannot be listed, or asked"),
        ("m3, a part of what waits there", "reading the queue took too long"),
        ("m3, what was returned more than 23 h 59 min ago", "its mail log begins then"),
        ("m4, what was returned to senders", "it has no mail log that can be read"),
        *(("m6, how it sends", away), ("m6, what waits there", away)),
    ]
