# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an audit says of what it has seen: each finding where it is, and none where it is not."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.accepted import parse
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.finding import RULES, found
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.report import FAIL_ON, Report, report
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.rule import SEVERITIES
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.seen import (
    Account,
    Computer,
    Host,
    Passwords,
    Seen,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration.description import (
    Description,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration.identities import (
    Known,
    from_store,
    identity,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._names import InputError

from tests.support.audited import ALICE, KEY, RELAY, SERVER, SMARTHOST, TODAY, USERS, described, dns, site, user

PERSON = {"user": "alice", "login": "alice@example.com"}
PROFILE: dict[str, Any] = {
    **{"user": "alice", "path": "/home/alice/.thunderbird/x", "reason": ""},
    "servers": [{"login": "alice@example.com", "port": 587}],
}


def found_in(seen: Seen) -> list[tuple[str, str]]:
    return [(one.code, one.where) for one in report(seen, [], TODAY).findings]


def test_where_nothing_is_wrong_nothing_is_found() -> None:
    made = report(site(), [], TODAY)
    assert (made.findings, made.unseen, made.notes) == ([], [], [])
    assert made.verdict == "Nothing wrong was found, and nothing was left out"
    assert made.failing(FAIL_ON) == []


def known(*senders: Mapping[str, Any], gone: str = "") -> Known:
    (one,) = described(*senders)
    listed = [replace(identity(one, sender), gone=gone) for sender in one.senders]
    return {each.key: each for each in listed}


LOGINS = site().passwords.in_use
MANY = Passwords({**LOGINS, "old@example.com": "old@example.com"}, accepted=[*LOGINS, "old@example.com"])
STRANGER = (*USERS, user("eve"))


@pytest.mark.parametrize(
    ("seen", "code", "where"),
    [
        (site(users=STRANGER), "stranger", "eve@example.com"),
        (site(users=STRANGER, before=known({"username": "eve"}, gone="2026-01-01")), "stranger", "eve@example.com"),
        (site(users=STRANGER, before=known({"username": "eve"})), "leaver", "eve@example.com"),
        (site(users=USERS[1:]), "missing", "alice@example.com"),
        (site(users=[*USERS[1:], user("alice", limits={"per_hour": 7})]), "other_limits", "alice@example.com"),
        (
            site([{"username": "alice"}, SERVER], users=[USERS[1], user("alice", limits={"enabled": False})]),
            *("no_limits", "alice@example.com"),
        ),
        (site(users=[USERS[1], user("alice", locked=True)]), "locked", "alice@example.com"),
        (
            site([*(ALICE, SERVER), {"authentication_method": "domain"}], users=[*USERS, user(method="domain")]),
            "by_domain",
            "example.com",
        ),
        (site(passwords=replace(MANY, in_use=LOGINS, refused=["alice@example.com"])), "refused", "alice@example.com"),
        (site(passwords=MANY), "unused_credential", "old@example.com"),
        (
            site([ALICE, {**SERVER, "people": [{"host": "desktop1", "user": "bob"}]}]),
            *("personal_login", "server1@example.com"),
        ),
        (site(relay={"objection": "Plesk manages it."}), "host_managed", "mail1"),
        (site(relay={"running": False}), "not_running", "mail1"),
        (site(relay={"unfinished": True}), "unfinished", "mail1"),
        (site(relay={"next_hop": ""}), "not_set_up", "mail1"),
        (site(relay={"next_hop": "[smtp.other.example]:587"}), "other_next_hop", "mail1"),
        (site(relay={"tls_level": "encrypt"}), "weak_tls", "mail1"),
        (site(relay={"tls_level": ""}), "weak_tls", "mail1"),
        (site(relay={"password_only_for_verified_servers": False}), "password_for_anybody", "mail1"),
        (site(relay={"tls_required_header_ignored": False}), "header_lowers_tls", "mail1"),
        (site(relay={"other_logins": ["shop@example.com"]}), "undescribed_login", "mail1"),
        (site(relay={"logins": []}), "declared_login_missing", "mail1"),
        (site(relay={"mynetworks": ["10.0.0.0/8"]}), "wide_mynetworks", "mail1"),
        (site(relay={"mynetworks": ["!10.0.0.0/8", "0.0.0.0/0"]}), "wide_mynetworks", "mail1"),
        (site(relay={"mynetworks": ["203.0.112.0/20"]}), "wide_mynetworks", "mail1"),
        (site(relay={"mynetworks": ["[2001:db8::]/32"]}), "wide_mynetworks", "mail1"),
        (site(relay={"readable_password_files": ["/etc/postfix/sasl"]}), "readable_passwords", "mail1"),
        (site(relay={"verification_probes": True}), "probes_at_smarthost", "mail1"),
        (site(queue={"bounced": 2}), "mail_returned", "mail1"),
        (site(domain={"exists": False}), "domain_missing", "example.com"),
        (site(domain={"products": {"outgoing": False}}), "product_off", "example.com"),
        (site(domain={"abuse_contact": ""}), "no_abuse_contact", "example.com"),
        (site(users=[*USERS, user("x", domain="other.example")]), "domain_undescribed", "other.example"),
        (
            site(before=from_store({"lost.example": {"place": "domains/lost.example.yml", "senders": {"a": {}}}})),
            *("description_lost", "lost.example"),
        ),
        (site(spf={"problems": ["It includes nobody."], "included": True}), "spf", "example.com"),
        (site(dmarc={"place": "", "policy": "reject"}), "dmarc_missing", "example.com"),
        (site(dmarc={"problems": ["p=all is none"]}), "dmarc_broken", "example.com"),
        (site(dmarc={"policy": "none"}), "dmarc_none", "example.com"),
        (site(dmarc={"aspf": "s"}, queue={"sender_domains": ["m.example.com"]}), "dmarc_alignment", "example.com"),
        (site(dns={"dkim": [KEY, {**KEY, "selector": "s2", "exists": False}]}), "dkim_missing", "example.com"),
        (site(dns={"dkim": [KEY, {**KEY, "problems": ["it is short"]}]}), "dkim_broken", "example.com"),
        (site(dns={"takes_mail": False}), "cannot_be_answered", "example.com"),
        (site(relay={"changed_routes": [{"name": "relayhost", "value": ""}]}), "other_next_hop", "mail1"),
        (site(relay={"lowered_tls": [{"place": "hash:/x for y", "level": "may"}]}), "lowered_tls", "mail1"),
        (
            site(relay={"past": [{"place": "transport_maps", "names": ["a"], "number": 9}]}),
            "past_the_smarthost",
            "mail1",
        ),
        (site(relay={"mynetworks": ["192.168.9.0/24"]}), "wide_mynetworks", "mail1"),
        (site(queue={"sender_domains": ["gmail.example"]}), "foreign_envelope", "mail1"),
        (
            site(computers={"desktop1": Computer([{**PROFILE, "servers": [{"login": "eve@example.com"}]}])}),
            *("undescribed_thunderbird", "desktop1"),
        ),
        (
            site(computers={"desktop1": Computer([])}, people={"desktop1": [PERSON]}),
            *("thunderbird_login_missing", "desktop1"),
        ),
    ],
    ids=str,
)
def test_one_thing_that_is_wrong_is_found(seen: Seen, code: str, where: str) -> None:
    assert found_in(seen) == [(code, where)]


def test_an_address_that_may_send() -> None:
    for network, codes in (("192.0.2.1", ["by_address"]), ("192.0.2.0/24", ["wide_network", "by_address"])):
        sender = {"authentication_method": "ip", "username": network, "acknowledge_ip_risk": True}
        seen = site([ALICE, SERVER, sender], users=[*USERS, user(network, method="ip")])
        assert [code for code, _where in found_in(seen)] == codes


def test_a_password_that_two_have() -> None:
    seen = site(passwords=replace(site().passwords, same=[list(LOGINS)]))
    assert found_in(seen) == [("same_password", login) for login in LOGINS]


def test_a_login_that_two_mail_servers_have() -> None:
    seen = site()
    second = replace(seen, hosts={**seen.hosts, "mail2": seen.hosts["mail1"]})
    assert found_in(second) == [("shared_login", "mail1"), ("shared_login", "mail2")]


def test_a_login_that_is_of_a_customer() -> None:
    """A mail server that sends for two domains, and as a third one lies in one of them or in none."""
    shop = described({"username": "shop", "relay": ["mail1"]}, domain="shop.example")
    descriptions = [*described(ALICE, {**SERVER, "default_for": ["mail1"]}), *shop]
    logins = [{"key": "*", "login": f"{name}"} for name in ("server1@example.com", "shop@shop.example")]
    for domain, codes in (("example.com", []), ("lan.example.com", []), ("provider.example", ["borrowed_login"])):
        seen = site(
            descriptions=descriptions,
            users=[*USERS, user("shop", domain="shop.example")],
            relay={"logins": logins, "domain": domain},
        )
        assert [code for code, where in found_in(seen) if where == "mail1"] == codes


def test_a_host_without_postfix() -> None:
    seen = site(
        relay={"installed": False}, hosts={"mail1": Host({"installed": False, "objection": "", "mynetworks": []})}
    )
    made = report(seen, [], TODAY)
    assert ([one.code for one in made.findings], made.unseen) == (["no_postfix"], [])


@pytest.mark.parametrize(
    ("group", "age", "number"), [("password", 60, 1), ("not_tried", 60, 0), ("not_tried", 7200, 1)]
)
def test_mail_that_waits(group: str, age: int, number: int) -> None:
    reason = {"group": group, "mails": 1, "codes": [], "remedy": "do it"}
    queue = {"waiting": 1, "oldest_age": age, "first_lost_in": 86400, "reasons": [reason]}
    made = report(site(queue=queue), [], TODAY)
    assert [one.code for one in made.findings] == ["mail_waits"] * number
    if group == "password":
        assert made.findings[0].to_do == "do it"
        assert made.findings[0].what == (
            "1 mail is waiting for the smarthost (password), the oldest mail for 1 min, and the first is lost in 1 d"
        )
        assert made.failing(["queue"]) == ["queue"]


def test_what_is_allowed_is_no_finding() -> None:
    """Shared addresses, locks that are declared, second logins of a rotation, case, who has left long ago."""
    off: dict[str, Any] = {"limits": {"enabled": False}}
    shared = site([{"username": "info", "shared": True}, SERVER], users=[user("info", **off), USERS[1]])
    assert found_in(replace(shared, passwords=Passwords(accepted=[]))) == []
    locked = site([{"username": "alice", "state": "locked"}, SERVER], users=[user("alice", locked=True), USERS[1]])
    assert found_in(locked) == []
    second = {**LOGINS, "alice@example.com": "alice2@example.com"}
    moved = Passwords(second, others=["alice@example.com"], accepted=list(second.values()))
    assert found_in(site(users=[user("alice2"), user("alice"), USERS[1]], passwords=moved)) == []
    assert found_in(site(relay={"next_hop": f"[{SMARTHOST.upper()}]:587"})) == []
    networks = ["192.168.7.0/24", "10.1.2.3", "203.0.113.9", "[fe80::]/64", "!0.0.0.0/0"]
    assert found_in(site(relay={"mynetworks": networks})) == []
    assert found_in(site(before=known({"username": "eve"}, gone="2026-01-01"))) == []
    assert found_in(site(relay={"next_hop": "", "objection": "Plesk manages it."}))[0][0] == "host_managed"
    by_address = {"authentication": "ip", "password_only_for_verified_servers": False}
    assert "password_for_anybody" not in dict(found_in(site(relay=by_address)))


@pytest.mark.parametrize(
    ("seen", "pieces"),
    [
        (
            site(accounts={"default": Account(no_users="no list", no_domains="refused")}),
            ["strangers, leavers", "no list", "domains, products", "refused"],
        ),
        (site(accounts={}), ["nobody has asked"]),
        (
            site(hosts={"mail1": Host(no_relay="unreachable")}),
            ["mail1, how it sends", "what waits there", "unreachable"],
        ),
        (site(hosts={"mail1": Host(RELAY, "", None, "postqueue failed")}), ["what waits there", "postqueue failed"]),
        (site(relay={"mynetworks": ["hash:/etc/x"]}), ["whom hash:/etc/x lets send", "a table"]),
        (site(queue={"complete": False}), ["a part of what waits"]),
        (site(queue={"log_reaches_back": None, "bounced": None}), ["it has no mail log"]),
        (site(queue={"log_reaches_back": 3600}), ["more than 1 h ago"]),
        (replace(site(), dns=None, no_dns="no dnspython"), ["SPF, DKIM, DMARC", "no dnspython"]),
        (site(dns={"unanswered": ["MX (timeout)"]}), ["MX (timeout) of example.com"]),
        (site(descriptions=described(ALICE, SERVER, dkim_selectors=[])), ["DKIM of example.com", "dkim_selectors"]),
        (site(relay={"own_networks": None, "mynetworks": ["10.1.0.0/24"]}), ["whom 10.1.0.0/24", "in which networks"]),
        (site(relay={"tables_not_read": ["transport_maps (regexp:/x)"]}), ["what transport_maps (regexp:/x) does"]),
        (site(computers={"desktop1": Computer(None, "unreachable")}), ["desktop1, as what its", "unreachable"]),
        (site(computers={"desktop1": Computer([{**PROFILE, "reason": "locked"}])}), ["what alice sends", "locked"]),
        (site(passwords=Passwords(reason="no vault password")), ["no vault password"]),
        (site(passwords=Passwords(LOGINS)), ["alice@example.com, server1@example.com work", "spamexperts_prove=all"]),
        (site(users=[user("alice", limits={}), USERS[1]]), ["limits of alice@example.com"]),
        (site(domain={"abuse_contact": None}), ["abuse contacts of the account default"]),
    ],
    ids=str,
)
def test_what_was_not_looked_at_is_said_and_is_never_fine(seen: Seen, pieces: list[str]) -> None:
    made = report(seen, [], TODAY)
    text = "\n".join(f"{one.what}: {one.why}" for one in made.unseen)
    assert [piece for piece in pieces if piece not in text] == []
    assert "could not be looked at" in made.verdict
    assert "nothing was left out" not in made.verdict
    assert made.failing(FAIL_ON)[-1] == "unseen"
    assert [line for line in made.lines() if line.startswith("not looked at: ")]


def test_what_big_receivers_ask_of_those_who_send_much() -> None:
    """DMARC that nobody has, of a domain with so many mails a day, and of one with fewer."""
    for per_hour, codes in ((200, ["dmarc_missing"]), (209, ["big_receivers", "dmarc_missing"])):
        one = described({**ALICE, "limits": {"per_hour": per_hour}}, SERVER)
        there = (user("alice", limits={"enabled": True, "per_hour": per_hour}), USERS[1])
        seen = site(descriptions=one, users=there, dmarc={"place": "", "policy": ""})
        assert [code for code, _where in found_in(seen)] == codes


def test_a_signature_that_is_none_of_the_domain_itself() -> None:
    """adkim=s of the domain above, where only that one has a selector."""
    below = described({"username": "bob"}, domain="m.example.com", dkim_selectors=[])
    seen = site(descriptions=[*described(ALICE, SERVER), *below], users=[*USERS, user("bob", domain="m.example.com")])
    strict = {**(seen.dns or {}), "m.example.com": dns({"spf": {}, "dns": {}, "dmarc": {"adkim": "s"}})}
    codes = found_in(replace(seen, dns=strict))
    assert ("dmarc_alignment", "m.example.com") in codes
    assert ("dmarc_alignment", "example.com") not in codes


def test_a_thunderbird_as_it_is_described() -> None:
    """Also where the inventory, and no description, says as what the people of a computer send."""
    there = {"desktop1": Computer([PROFILE])}
    assert found_in(site(computers=there, people={"desktop1": [PERSON]})) == []
    assert found_in(site(computers=there)) == []
    by_path = {"profile": PROFILE["path"], "login": PERSON["login"]}
    assert found_in(site(computers=there, people={"desktop1": [by_path]})) == []
    others = site(computers=there, people={"desktop1": [{**PERSON, "login": "server1@example.com"}]})
    assert [code for code, _where in found_in(others)] == ["undescribed_thunderbird", "thunderbird_login_missing"]
    unused = replace(MANY, in_use={**MANY.in_use, "eve@example.com": "eve@example.com"})
    theirs = {"desktop1": Computer([{**PROFILE, "servers": [{"login": "eve@example.com"}]}])}
    codes = dict(found_in(site(computers=theirs, passwords=unused)))
    assert codes["unused_credential"] == "old@example.com"


def test_dns_that_is_silent() -> None:
    seen = site(spf={"included": None, "problems": ["timeout"]})
    made = report(seen, [], TODAY)
    assert (made.findings, made.unseen[0].what) == ([], "SPF of example.com")


# Findings that somebody has taken on

TAKEN = {"code": "stranger", "where": "*@example.com", "reason": "the old scanner", "until": "2026-12-31"}


def test_what_is_accepted_is_shown_and_does_not_count() -> None:
    made = report(site(users=STRANGER), parse([TAKEN]), TODAY)
    assert [one.accepted for one in made.findings] == ["the old scanner (until 2026-12-31)"]
    assert (made.open, made.notes, made.failing(FAIL_ON)) == ([], [], [])
    assert "accepted: 1 finding" in list(made.lines())


def test_an_acceptance_that_has_ended_counts_again_and_is_said() -> None:
    for until, counts in (("2026-11-30", 0), ("2026-11-29", 1)):
        made = report(site(users=STRANGER), parse([{**TAKEN, "until": until}]), TODAY)
        assert (len(made.open), len(made.notes)) == (counts, counts)


def test_an_acceptance_of_nothing_is_said() -> None:
    made = report(site(), parse([{**TAKEN, "until": date(2027, 1, 1)}]), TODAY)
    assert made.notes == ["stranger of *@example.com is accepted, and there is none; take the entry out"]


@pytest.mark.parametrize(
    ("entries", "piece"),
    [
        ({}, "has to be a list"),
        ([1], "has to have code, where, reason and until"),
        ([{"code": "stranger"}], "has to have code, where, reason and until"),
        ([{**TAKEN, "more": 1}], "and nothing else"),
        ([{**TAKEN, "code": "all"}], "there is no finding 'all'"),
        ([{**TAKEN, "reason": " "}], "reason is empty"),
        ([{**TAKEN, "reason": None}], "reason is empty"),
        ([{**TAKEN, "until": "never"}], "is no day such as"),
        ([{**TAKEN, "until": None}, {**TAKEN, "code": "x"}], "[1]: there is no finding"),
    ],
)
def test_an_acceptance_that_is_none_is_refused(entries: object, piece: str) -> None:
    with pytest.raises(InputError) as raised:
        parse(entries)
    assert piece in str(raised.value)


# The whole


def test_the_worst_comes_first_and_ten_are_said() -> None:
    users = [*(user(f"eve{number:02}") for number in range(12)), *USERS]
    made = report(site(users=users, domain={"abuse_contact": ""}), [], TODAY)
    lines = list(made.lines())
    assert lines[0] == "13 findings: 12 high, 1 low."
    assert sum(line.startswith("HIGH stranger: eve") for line in lines) == 10
    assert "and 3 more, which the page has" in lines
    assert lines[-1] == "1 domain, 14 senders, 1 mail server."
    assert made.failing(["high", "drift", "medium", "queue"]) == ["drift", "high"]
    shown = made.to_result()
    assert shown["severities"] == {"high": 12, "medium": 0, "low": 1}
    assert set(shown["findings"][0]) == {"severity", "code", "area", "where", "what", "why", "to_do", "accepted"}


def test_each_rule_can_be_said() -> None:
    words = "there described differences addresses others host login wanted level objection mails group age lost"
    words += " remedy network more path span problem account senders place keys domains user what lacking"
    values = dict.fromkeys(re.findall(r"\w+", words), "x")
    for code, rule in RULES.items():
        finding = found(code, "here", **values)
        assert rule.severity in SEVERITIES
        assert "{" not in f"{finding.what}{finding.to_do}{rule.why}"


def test_nine_thousand_senders_in_a_moment() -> None:
    descriptions: list[Description] = []
    users = []
    for number in range(300):
        domain = f"d{number}.example"
        names = [f"user{position}" for position in range(30)]
        descriptions += described(*({"username": name} for name in names), domain=domain)
        users += [user(name, domain=domain) for name in names]
    seen = site(descriptions=descriptions, users=users)
    begin = time.process_time()
    assert isinstance(report(seen, [], TODAY), Report)
    assert time.process_time() - begin < 5
