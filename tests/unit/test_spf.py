# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an SPF record allows and costs, and which one is recommended: RFC 7208 without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._domains.spf import (
    LookupFailure,
    RecordError,
    inspect,
    parse,
    recommend,
)
from hypothesis import given
from hypothesis import strategies as st

PROVIDER = "spf.antispamcloud.com"
INCLUDE = f"include:{PROVIDER}"
Records = Mapping[tuple[str, str], Sequence[str]]
BASE = {(PROVIDER, "TXT"): ["v=spf1 ip4:192.0.2.0/24 ~all"]}


class Zone:
    """Answers from a dictionary; a name in `broken` gives no answer."""

    def __init__(self, records: Records, broken: Sequence[str] = ()) -> None:
        self.records = {**BASE, **records}
        self.broken = broken
        self.asked: list[tuple[str, str]] = []

    def __call__(self, name: str, kind: str) -> Sequence[str]:
        self.asked.append((name, kind))
        if name in self.broken:
            raise LookupFailure("no nameserver answered")
        return self.records.get((name, kind), [])


def look(record: str | Sequence[str], more: Records | None = None, **options: Any) -> Any:
    """The report about example.com with this record, or these."""
    records = [record] if isinstance(record, str) else list(record)
    return inspect("example.com", PROVIDER, Zone({("example.com", "TXT"): records, **(more or {})}, **options))


def test_a_record_with_the_provider_is_right() -> None:
    report = look(f"v=spf1 {INCLUDE} ~all")
    assert (report.problems, report.cost.included, report.cost.lookups, report.cost.void_lookups) == ([], True, 1, 0)
    assert report.recommended == report.record == f"v=spf1 {INCLUDE} ~all"
    assert report.recommended_lookups == 1
    assert not report.cost.too_many


@pytest.mark.parametrize(
    ("record", "recommended"),
    [
        ("v=spf1 mx -all", f"v=spf1 mx {INCLUDE} -all"),
        ("V=SPF1 MX -ALL", f"v=spf1 MX {INCLUDE} -ALL"),
        ("v=spf1  a   ~all", f"v=spf1 a {INCLUDE} ~all"),
        ("v=spf1", f"v=spf1 {INCLUDE}"),
        ("v=spf1 mx", f"v=spf1 mx {INCLUDE}"),
        ("v=spf1 redirect=_spf.example.net", f"v=spf1 {INCLUDE} redirect=_spf.example.net"),
        ("v=spf1 mx -all ip4:192.0.2.1", f"v=spf1 mx {INCLUDE} -all"),
        (
            "v=spf1 mx -all redirect=_spf.example.net exp=why.example.com",
            f"v=spf1 mx {INCLUDE} -all exp=why.example.com",
        ),
        ("v=spf1 redirect=_spf.example.net -all", f"v=spf1 {INCLUDE} -all"),
        (f"v=spf1 -{INCLUDE} mx -all", f"v=spf1 mx {INCLUDE} -all"),
        (f"v=spf1 ?{INCLUDE}. ~all", f"v=spf1 {INCLUDE} ~all"),
        ("v=spf1 all", f"v=spf1 {INCLUDE} ~all"),
        ("v=spf1 mx +all", f"v=spf1 mx {INCLUDE} ~all"),
        ("v=spf1 a:4489.submission.antispamcloud.com a:release.antispamcloud.com -all", f"v=spf1 {INCLUDE} -all"),
        ("v=spf1 a:submission-trial.antispamcloud.com. mx", f"v=spf1 mx {INCLUDE}"),
        ("v=spf1 a:smtp.antispamcloud.com -all", f"v=spf1 a:smtp.antispamcloud.com {INCLUDE} -all"),
        ("v=spf1 mx include:gone.example ~all", f"v=spf1 mx {INCLUDE} ~all"),
        ("v=spf1 mx redirect=gone.example", f"v=spf1 mx {INCLUDE} ~all"),
    ],
)
def test_the_include_goes_before_what_ends_the_record(record: str, recommended: str) -> None:
    more = {
        ("_spf.example.net", "TXT"): ["v=spf1 ip6:2001:db8::/32 -all"],
        ("example.com", "MX"): ["mail.example.com"],
        ("example.com", "A"): ["192.0.2.1"],
    }
    report = look(record, more)
    assert report.recommended == recommended
    assert not report.cost.included
    assert PROVIDER in report.problems[0]
    assert look(recommended, more).cost.included


def test_without_a_record_a_lenient_one_is_recommended() -> None:
    report = look(["google-site-verification=1", "v=spf10 -all"])
    assert report.records == []
    assert report.record is None
    assert report.recommended == f"v=spf1 {INCLUDE} ~all"
    assert report.recommended_lookups == 1
    assert report.problems == ["example.com has no SPF record; add recommended_record to its DNS."]


@pytest.mark.parametrize(
    ("records", "recommended"),
    [
        (["v=spf1 mx -all", f"v=spf1 {INCLUDE} ~all"], f"v=spf1 mx {INCLUDE} ~all"),
        (["v=spf1 mx a -all", "v=spf1 mx -all"], f"v=spf1 mx a {INCLUDE} -all"),
        (["v=spf1 redirect=_spf.example.net", "v=spf1 mx"], f"v=spf1 include:_spf.example.net mx {INCLUDE} ~all"),
        (["v=spf1 mx ?all exp=why.example.com", "v=spf1 a -all"], f"v=spf1 mx a {INCLUDE} ?all"),
        (["v=spf1 mx include:gone.example", "v=spf1 a -all"], f"v=spf1 mx a {INCLUDE} -all"),
        (["v=spf1 mx +all", "v=spf1 a -all"], f"v=spf1 mx a {INCLUDE} ~all"),
        (["v=spf1 a:release.antispamcloud.com -all", "v=spf1 mx -all"], f"v=spf1 mx {INCLUDE} -all"),
    ],
)
def test_several_records_are_joined(records: list[str], recommended: str) -> None:
    report = look(records, {("_spf.example.net", "TXT"): ["v=spf1 ip4:192.0.2.9 -all"]})
    assert report.record is None
    assert report.records == records
    assert not report.cost.included
    assert report.recommended == recommended
    assert "example.com has 2 SPF records" in report.problems[0]


@pytest.mark.parametrize(
    ("record", "sentence", "recommended"),
    [
        (f"v=spf1 {INCLUDE} +all", "so that anyone may send; use ~all", f"v=spf1 {INCLUDE} ~all"),
        (
            f"v=spf1 a:4489.submission.antispamcloud.com {INCLUDE} -all",
            f"has a:4489.submission.antispamcloud.com, the old form of {INCLUDE}; replace it by recommended_record",
            f"v=spf1 {INCLUDE} -all",
        ),
        (f"v=spf1 include:gone.example {INCLUDE} -all", "remove that term", f"v=spf1 {INCLUDE} -all"),
        (
            f"v=spf1 {INCLUDE} include:example.com -all",
            "includes itself by include:example.com",
            f"v=spf1 {INCLUDE} -all",
        ),
        (f"v=spf1 {INCLUDE} redirect=gone.example", "redirect=gone.example breaks", f"v=spf1 {INCLUDE} ~all"),
    ],
)
def test_what_is_called_wrong_is_not_recommended(record: str, sentence: str, recommended: str) -> None:
    report = look(record)
    assert report.cost.included
    assert sentence in report.problems[0]
    assert report.recommended == recommended
    again = look(recommended)
    assert (again.problems, again.recommended) == ([], recommended)
    assert again.cost.lookups == report.recommended_lookups


def test_the_old_names_are_not_called_a_missing_permission() -> None:
    report = look("v=spf1 a:4489.submission.antispamcloud.com a:release.antispamcloud.com -all")
    assert report.problems[0] == (
        "The SPF record of example.com has a:4489.submission.antispamcloud.com and a:release.antispamcloud.com, "
        f"the old form of {INCLUDE}; replace it by recommended_record."
    )
    assert not [problem for problem in report.problems if "does not include" in problem]
    other = inspect(
        "example.com", "spf.mtaroutes.com", Zone({("example.com", "TXT"): ["v=spf1 a:release.antispamcloud.com"]})
    )
    assert "does not include spf.mtaroutes.com" in other.problems[0]


def test_an_included_record_that_lets_anyone_send_is_not_ours_to_change() -> None:
    report = look(f"v=spf1 include:open.example {INCLUDE} -all", {("open.example", "TXT"): ["v=spf1 +all"]})
    assert report.problems == [
        "The SPF record of open.example ends with +all, so that anyone may send; do not include it."
    ]


def test_a_name_of_the_provider_that_leads_nowhere_is_said_before_it_is_published() -> None:
    report = inspect("example.com", "spf.nowhere.example", Zone({("example.com", "TXT"): ["v=spf1 mx -all"]}))
    sentence = (
        "spf.nowhere.example, by which the provider is to send, has no SPF record; ask the provider for the name."
    )
    assert sentence in report.problems


def test_includes_are_followed_to_their_end() -> None:
    more = {
        ("_spf.example.net", "TXT"): ["other", "v=spf1 a:mail.example.net mx:example.net redirect=_more.example.net"],
        ("_more.example.net", "TXT"): [f"v=spf1 exists:%{{i}}._spf.example.net ip4:192.0.2.1 {INCLUDE} -all"],
        ("mail.example.net", "AAAA"): ["2001:db8::1"],
        ("example.net", "MX"): ["mail.example.net"],
    }
    report = look("v=spf1 include:_SPF.example.net. -all", more)
    assert report.cost.included
    assert report.cost.lookups == 6  # include, a, mx, redirect, exists, include
    assert report.cost.void_lookups == 0
    assert report.problems == []


@pytest.mark.parametrize("qualifier", ["-", "~", "?"])
def test_an_include_that_does_not_pass_lets_nobody_send(qualifier: str) -> None:
    more = {("_spf.example.net", "TXT"): [f"v=spf1 {INCLUDE} -all"]}
    assert not look(f"v=spf1 {qualifier}include:_spf.example.net -all", more).cost.included
    assert look("v=spf1 +include:_spf.example.net -all", more).cost.included


def test_more_than_ten_lookups_are_a_problem() -> None:
    names = [f"_{number}.example.net" for number in range(10)]
    more = {(name, "TXT"): ["v=spf1 ip4:192.0.2.1 -all"] for name in names}
    ten = "v=spf1 " + " ".join(f"include:{name}" for name in names[:9]) + f" {INCLUDE} -all"
    assert look(ten, more).problems == []
    eleven = ten.replace("v=spf1", f"v=spf1 include:{names[9]}")
    report = look(eleven, more)
    assert report.cost.lookups == 11
    assert report.cost.too_many
    assert "needs 11 DNS lookups; receivers stop at 10" in report.problems[0]


def test_the_recommended_record_may_be_the_one_that_is_too_much() -> None:
    more = {(f"_{number}.example.net", "TXT"): ["v=spf1 -all"] for number in range(10)}
    report = look("v=spf1 " + " ".join(f"include:_{number}.example.net" for number in range(10)) + " -all", more)
    assert not report.cost.too_many
    assert report.recommended_lookups == 11
    assert "recommended record of example.com needs 11 DNS lookups" in report.problems[-1]


def test_lookups_that_find_nothing_are_counted() -> None:
    more = {("mail.example.com", "A"): ["192.0.2.1"]}
    record = f"v=spf1 a:mail.example.com. a mx exists:nothing.example.com/ {INCLUDE} ~all".replace("/ ", " ")
    report = look(record, more)
    assert (report.cost.lookups, report.cost.void_lookups) == (5, 3)
    assert report.cost.too_many
    assert "3 lookups of the SPF record of example.com find nothing" in report.problems[0]


@pytest.mark.parametrize(
    ("record", "more", "sentence"),
    [
        ("v=spf1 include:gone.example -all", {}, "include:gone.example breaks the SPF record of example.com"),
        ("v=spf1 include:two.example -all", {("two.example", "TXT"): ["v=spf1", "v=spf1"]}, "has 2 SPF records"),
        ("v=spf1 include:txt.example -all", {("txt.example", "TXT"): ["hello"]}, "txt.example has no SPF record"),
        ("v=spf1 include:bad.example -all", {("bad.example", "TXT"): ["v=spf1 what"]}, "'what' is not a term of SPF"),
        ("v=spf1 include:example.com -all", {}, "includes itself by include:example.com"),
        ("v=spf1 include:%{d2}.spf.example -all", {}, "depends on the sender"),
        ("v=spf1 redirect=%{d}.spf.example", {}, "depends on the sender"),
        ("v=spf1 ptr -all", {}, "ptr in the SPF record of example.com is slow"),
        ("v=spf1 +all", {}, "so that anyone may send"),
        ("v=spf1 mx -all", {("example.com", "MX"): [f"m{n}.example" for n in range(11)]}, "more than 10 mail servers"),
    ],
)
def test_what_is_wrong_is_named(record: str, more: dict[tuple[str, str], list[str]], sentence: str) -> None:
    report = look(record.replace("v=spf1", f"v=spf1 {INCLUDE}"), more)
    assert report.cost.included
    assert [problem for problem in report.problems if sentence in problem]
    assert all(problem.endswith(".") for problem in report.problems)


@pytest.mark.parametrize(
    "term",
    [
        "includ:example.net",
        "ip4:192.0.2.300",
        "ip4",
        "ip4:2001:db8::1",
        "ip6:192.0.2.1",
        "include:",
        "include",
        "exists",
        "all:example.net",
        "-all/24",
        "a:",
        "a/b",
        "mx/24/24",
        "ptr/8",
        "redirect=",
        "include:example.net/24",
        "%",
        "a:exämple.net",
        "1=2",
        "redirect=a.example redirect=b.example",
        "exp=a.example exp=b.example",
    ],
)
def test_a_broken_record_is_not_mended(term: str) -> None:
    report = look(f"v=spf1 {term} {INCLUDE} -all".replace("-all -all", "-all"))
    assert not report.cost.included
    assert report.recommended is None
    assert report.recommended_lookups is None
    assert "is broken, so that receivers do not use it" in report.problems[0]


@pytest.mark.parametrize(
    "term",
    [
        "a/24",
        "a//64",
        "a:mail.example.net/24//64",
        "mx:example.net",
        "ip6:2001:db8::/32",
        "ip4:192.0.2.1/24",
        "exists:%{ir}.%{l1r+-/}.example.net",
        "ptr:example.net",
        "unknown=anything",
        "exp=why.example.com",
    ],
)
def test_every_form_of_a_term_is_read(term: str) -> None:
    assert [parsed.text for parsed in parse(f"v=spf1 {term}")] == [term]


def test_a_circle_ends() -> None:
    more = {
        ("one.example", "TXT"): ["v=spf1 include:two.example -all"],
        ("two.example", "TXT"): ["v=spf1 include:one.example -all"],
    }
    report = look(f"v=spf1 {INCLUDE} include:one.example -all", more)
    assert report.cost.lookups == 4
    assert "The SPF record of two.example includes itself by include:one.example" in report.problems[0]


def test_records_that_multiply_end_the_walk() -> None:
    more = {
        (f"l{level}.example", "TXT"): ["v=spf1 " + f"include:l{level + 1}.example " * 10 + "-all"] for level in range(9)
    }
    zone = Zone({**more, ("example.com", "TXT"): [f"v=spf1 {INCLUDE} include:l0.example -all"]})
    report = inspect("example.com", PROVIDER, zone)
    assert "needs more than 100 DNS lookups" in report.problems[-2]
    assert len(zone.asked) < 300


def test_no_answer_is_said_and_breaks_nothing() -> None:
    nothing = look("v=spf1 -all", broken=["example.com"])
    assert nothing.cost is None
    assert nothing.recommended is None
    assert nothing.problems == [
        "DNS gave no answer about example.com, so that nothing is known of its SPF: no nameserver answered."
    ]
    half = look(f"v=spf1 include:broken.example a:broken.example {INCLUDE} -all", broken=["broken.example"])
    assert half.cost.included
    assert (half.cost.lookups, half.cost.void_lookups) == (3, 0)
    assert half.problems == [
        "DNS gave no answer about broken.example (no nameserver answered), so that not everything is counted."
    ]


def test_sentences_name_the_domain_as_people_write_it() -> None:
    report = inspect("xn--mller-kva.example", PROVIDER, Zone({}))
    assert report.problems == ["müller.example has no SPF record; add recommended_record to its DNS."]


TERMS = st.lists(
    st.sampled_from(
        [
            "mx",
            "a",
            "ip4:192.0.2.1",
            "ip6:2001:db8::1",
            "include:_spf.example.net",
            f"-{INCLUDE}",
            INCLUDE,
            "-all",
            "~all",
            "?all",
            "+all",
            "a:4489.submission.antispamcloud.com",
            "include:gone.example",
            "exp=why.example",
            "redirect=_spf.example.net",
            "exists:%{i}.example",
            "x=y",
        ]
    ),
    max_size=6,
)


@given(st.lists(TERMS, max_size=3))
def test_the_recommended_record_always_includes_the_provider(records: list[list[str]]) -> None:
    texts = [" ".join(["v=spf1", *terms]) for terms in records]
    there = {
        ("_spf.example.net", "TXT"): ["v=spf1 ip4:192.0.2.9 -all"],
        ("example.com", "A"): ["192.0.2.9"],
        ("example.com", "MX"): ["mail.example.com"],
    }
    zone = Zone({**there, ("example.com", "TXT"): texts})
    report = inspect("example.com", PROVIDER, zone)
    if report.recommended is None:
        with pytest.raises(RecordError):
            recommend(texts, PROVIDER)
        return
    again = inspect("example.com", PROVIDER, Zone({**zone.records, ("example.com", "TXT"): [report.recommended]}))
    assert again.cost is not None
    assert again.cost.included
    assert again.recommended == report.recommended
    assert not again.problems
    assert again.cost.lookups == report.recommended_lookups
