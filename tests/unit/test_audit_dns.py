# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What DNS says of a domain, at the edges: what is just a finding, what just none, and in which words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit import dns

from tests.support.audited import ALICE, DNS, KEY, SERVER, described, site, told_by
from tests.support.audited import dns as shown

found_in, said, unseen = told_by(dns)


def test_what_is_to_be_done_about_spf() -> None:
    problems = ["It includes nobody.", "It has two records"]
    for wanted, remedy in (("v=spf1 -all", "enter in DNS: v=spf1 -all"), ("", "correct the record in DNS")):
        seen = site(spf={"problems": problems, "recommended_record": wanted})
        assert [(one.what, one.to_do) for one in dns.findings(seen)] == [
            ("It includes nobody", remedy),
            ("It has two records", remedy),
        ]


def test_what_dns_does_not_say_is_no_finding() -> None:
    nothing = {**DNS, "dmarc": None, "dkim": [], "takes_mail": None}
    seen = site(dns=nothing, spf={"included": None, "problems": ["timeout"]})
    assert found_in(seen) == []
    assert found_in(replace(seen, dns=None)) == []


def test_a_record_that_is_broken_may_ask_for_nothing_as_well() -> None:
    for dmarc, codes in (
        ({"problems": ["p=all is none", "rua is none"], "policy": "none"}, ["dmarc_broken"] * 2 + ["dmarc_none"]),
        ({"problems": ["p=all is none"], "place": ""}, ["dmarc_missing"]),
        ({"policy": "quarantine"}, []),
    ):
        assert found_in(site(dmarc=dmarc)) == codes


@pytest.mark.parametrize(
    ("dmarc", "used", "domains"),
    [
        ({"aspf": "s"}, ["example.com"], ""),
        ({"aspf": "r"}, ["m.example.com"], ""),
        ({"aspf": "s"}, None, ""),
        ({"aspf": "s"}, ["notexample.com"], ""),
        ({"aspf": "s"}, ["n.example.com", "example.com", "m.example.com"], "m.example.com, n.example.com"),
    ],
)
def test_an_envelope_that_is_none_of_the_domain_itself(
    dmarc: dict[str, Any], used: list[str] | None, domains: str
) -> None:
    text = f"aspf=s asks for example.com itself in the envelope, and mail is sent with {domains} there"
    assert said(site(dmarc=dmarc, queue={"sender_domains": used})) == ([text] if domains else [])


@pytest.mark.parametrize(
    ("adkim", "place", "above", "own", "found"),
    [
        ("s", "example.com", ["s1"], [], True),
        ("r", "example.com", ["s1"], [], False),
        ("s", "m.example.com", ["s1"], [], False),
        ("s", "example.com", ["s1"], ["s2"], False),
        ("s", "example.com", [], [], False),
        ("s", "elsewhere.example", ["s1"], [], False),
    ],
)
def test_a_signature_that_is_none_of_the_domain_itself(
    adkim: str, place: str, above: list[str], own: list[str], found: bool
) -> None:
    descriptions = [
        *described(ALICE, SERVER, dkim_selectors=above),
        *described(domain="m.example.com", dkim_selectors=own),
        *described(domain="z.example", dkim_selectors=["s1"]),
    ]
    records = {"m.example.com": shown({"spf": {}, "dns": {}, "dmarc": {"adkim": adkim, "place": place}})}
    text = "adkim=s asks for a signature of m.example.com itself, and only example.com has a selector"
    assert said(replace(site(descriptions=descriptions), dns=records)) == ([text] if found else [])


def test_each_key_is_looked_at() -> None:
    keys = [{**KEY, "exists": False}, KEY, {**KEY, "selector": "s2", "problems": ["it is short", "it is old"]}]
    assert said(site(dns={"dkim": keys})) == [
        "there is no DKIM key at s1._domainkey.example.com, which its description names",
        "of the DKIM key at s2._domainkey.example.com, it is short",
        "of the DKIM key at s2._domainkey.example.com, it is old",
    ]


@pytest.mark.parametrize(
    ("lacks", "lacking"),
    [
        ({"spf": {"included": False}}, "SPF"),
        ({"spf": {"included": None}}, ""),
        ({"dns": {"dkim": [{**KEY, "exists": False}]}}, "DKIM"),
        ({"dns": {"dkim": [{**KEY, "problems": ["it is short"]}]}}, "DKIM"),
        ({"dns": {"dkim": [{**KEY, "problems": ["it is short"]}, KEY]}}, ""),
        ({"dns": {"dkim": []}}, ""),
        ({"dmarc": {"place": "", "policy": ""}}, "DMARC"),
        ({"dmarc": {"policy": "none"}}, ""),
        ({"dns": {"dmarc": None}}, ""),
        ({"spf": {"included": False}, "dmarc": {"policy": ""}}, "SPF and DMARC"),
    ],
)
def test_what_big_receivers_ask_for(lacks: dict[str, Any], lacking: str) -> None:
    much = described({**ALICE, "limits": {"per_day": 5000}}, SERVER)
    sentence = f"its senders may send 5000 mails a day, and it lacks {lacking}"
    found = [one.what for one in dns.findings(site(descriptions=much, **lacks)) if one.code == "big_receivers"]
    assert found == ([sentence] if lacking else [])


@pytest.mark.parametrize(
    ("limits", "is_many"),
    [
        *(({"per_day": 5000}, True), ({"per_day": 4999}, False), ({"per_minute": 4}, True), ({"per_minute": 3}, False)),
        *(({"per_hour": 209}, True), ({"per_hour": 208}, False), ({"per_week": 35000}, True)),
        *(({"per_week": 34999}, False), ({"per_month": 140000}, True), ({"per_month": 139999}, False)),
        # The lowest holds, 0 and what is inherited say nothing, and no limit is no end.
        *(({"per_hour": 1000, "per_day": 10}, False), ({"per_day": 0}, False), ({"inherit": ["per_day"]}, False)),
        *(({"enabled": False}, True), ({"enabled": True, "per_day": 5000}, True), ({}, False)),
    ],
)
def test_who_sends_many(limits: dict[str, Any], is_many: bool) -> None:
    senders = {"username": "alice", "limits": limits}
    for one in (described(senders), described({"username": "gone", "state": "absent"}, senders)):
        seen = site(descriptions=one, spf={"included": False})
        assert ("big_receivers" in found_in(seen)) is is_many


@pytest.mark.parametrize(
    ("senders", "is_many"),
    [
        ([{"per_day": 2500}, {"per_day": 2500}], True),
        ([{"per_minute": 3}, {"per_day": 680}], True),
        ([{"per_minute": 3}, {"per_day": 679}], False),
        ([{"per_day": 4999}, {}], False),
    ],
)
def test_senders_together_send_many_and_who_is_gone_sends_nothing(senders: list[dict[str, Any]], is_many: bool) -> None:
    named = [{"username": f"u{number}", "limits": limits} for number, limits in enumerate(senders)]
    seen = site(descriptions=described(*named), spf={"included": False})
    assert ("big_receivers" in found_in(seen)) is is_many
    gone = site(descriptions=described(*({**one, "state": "absent"} for one in named)), spf={"included": False})
    assert "big_receivers" not in found_in(gone)


def test_a_domain_that_nobody_describes_is_looked_at_as_well() -> None:
    records = {"other.example": shown({"spf": {"included": False}, "dns": {"takes_mail": False}, "dmarc": {}})}
    assert found_in(replace(site(), dns=records)) == ["cannot_be_answered"]


def test_what_was_not_looked_at() -> None:
    everything = "SPF, DKIM, DMARC and MX of all domains"
    assert unseen(replace(site(), dns=None)) == [(everything, "nobody has asked")]
    assert unseen(replace(site(), dns=None, no_dns="no dnspython")) == [(everything, "no dnspython")]
    silent = {"spf": {"included": None}, "dns": {}, "dmarc": {}}
    records = {f"d{number}.example": shown(silent) for number in range(4)}
    parts = {"xn--bcher-kva.example": shown({"spf": {}, "dns": {"unanswered": ["MX (timeout)", "DMARC"]}, "dmarc": {}})}
    unnamed = described(ALICE, SERVER, dkim_selectors=[])
    assert unseen(replace(site(descriptions=unnamed), dns={**records, **parts})) == [
        ("SPF of d0.example, d1.example, d2.example and 1 more", "DNS gave no answer"),
        *((f"{what} of bücher.example", "DNS gave no answer") for what in ("MX (timeout)", "DMARC")),
        ("DKIM of example.com", "their descriptions name no dkim_selectors, which DNS does not list"),
    ]
