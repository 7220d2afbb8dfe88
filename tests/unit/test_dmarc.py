# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What DMARC records ask for, which DKIM keys can be used, and which domains can be answered."""

from __future__ import annotations

import base64

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._domains.dmarc import (
    find_dmarc,
    is_selector,
    problems_of_key,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._domains.sender_dns import (
    Asked,
    can_be_answered,
    look_up,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._domains.spf import LookupFailure

ED25519 = base64.b64encode(bytes(32)).decode()


class Zone(dict[tuple[str, str], list[str]]):
    """(name, type) -> records; asked: every question."""

    asked: list[tuple[str, str]]

    def lookup(self, name: str, kind: str) -> list[str]:
        self.__dict__.setdefault("asked", []).append((name, kind))
        if name.startswith("silent"):
            raise LookupFailure("timeout")
        return self.get((name, kind), [])


def dmarc_zone(**records: str | list[str]) -> Zone:
    names = {name.replace("_", ".").replace("..", "_"): text for name, text in records.items()}
    return Zone({(f"_dmarc.{name}", "TXT"): [text] if isinstance(text, str) else text for name, text in names.items()})


@pytest.mark.parametrize(
    ("record", "policy", "piece"),
    [
        ("v=DMARC1; p=reject", "reject", ""),
        ("v=DMARC1;p=Quarantine;rua=mailto:a@x.example,mailto:b@x.example;", "quarantine", ""),
        (" v = DMARC1 ; p = none ; pct=100", "none", ""),
        ("v=DMARC1; p=reject; unknown=1", "reject", ""),
        ("v=DMARC1 p=reject", "", "does not begin with 'v=DMARC1;'"),
        ("v=dmarc1; p=reject", "", "does not begin with 'v=DMARC1;'"),
        ("v=DMARC1", "", "it has no p="),
        ("v=DMARC1; p=all", "", "p=all is none of none, quarantine, reject"),
        ("v=DMARC1; p=reject; p=none", "reject", "p= more than once"),
        ("v=DMARC1; p=reject; adkim=strict", "reject", "adkim=strict is none of r, s"),
        ("v=DMARC1; p=reject; pct=much", "reject", "pct=much is no number"),
        ("v=DMARC1; p=reject; rua=a@x.example", "reject", "rua has to be a list of mailto:"),
        ("v=DMARC1; p=reject; and so on", "reject", "'and so on' is no tag"),
    ],
)
def test_a_record_is_read_as_receivers_read_it(record: str, policy: str, piece: str) -> None:
    found = find_dmarc("x.example", dmarc_zone(x_example=[record, "something else"]).lookup)
    assert (found.place, found.policy) == ("x.example", policy)
    assert piece in "".join(found.problems)
    assert bool(piece) == bool(found.problems)


def test_a_record_above_the_domain_counts() -> None:
    zone = dmarc_zone(example="v=DMARC1; p=reject", x_example="v=DMARC1; p=reject; sp=none; aspf=s")
    found = find_dmarc("a.b.x.example", zone.lookup)
    assert (found.place, found.policy, found.aspf, found.adkim) == ("x.example", "none", "s", "r")
    assert find_dmarc("other.example", zone.lookup).place == "", "nobody is asked about a top-level domain"
    several = find_dmarc("x.example", dmarc_zone(x_example=["v=DMARC1; p=none"] * 2).lookup)
    assert "2 records" in several.problems[0]


def test_a_long_name_costs_eight_questions() -> None:
    zone = Zone()
    find_dmarc(".".join(["a"] * 60 + ["example"]), zone.lookup)
    assert len(zone.asked) <= 8


@pytest.mark.parametrize(
    ("records", "piece"),
    [
        ([f"v=DKIM1; k=ed25519; p={ED25519}"], ""),
        ([f"p={base64.b64encode(bytes(294)).decode()}"], ""),
        ([f"v=DKIM1; p={base64.b64encode(bytes(126)).decode()}"], "less than 1024 bits"),
        ([f"v=DKIM1; k=ed25519; p={base64.b64encode(bytes(31)).decode()}"], "none of ed25519"),
        (["v=DKIM1; p="], "withdrawn"),
        (["v=DKIM1; k=rsa"], "it has no p="),
        (["v=DKIM1; p=MIGfMA0GCSq"], "not base64"),
        (["v=DKIM2; p=AAAA"], "not DKIM1"),
        ([f"k=dsa; p={ED25519}"], "neither rsa nor ed25519"),
        ([f"k=ed25519; t=y:s; p={ED25519}"], "test (t=y)"),
        (["p=AAAA", "p=BBBB"], "2 records"),
    ],
)
def test_a_key_that_receivers_can_use(records: list[str], piece: str) -> None:
    problems = problems_of_key(records)
    assert bool(problems) == bool(piece)
    assert piece in "".join(problems)


@pytest.mark.parametrize(
    ("zone", "answer"),
    [
        (Zone({("x", "MX"): ["mx.x"], ("mx.x", "A"): ["192.0.2.1"]}), True),
        (Zone({("x", "MX"): ["gone.x", "mx.x"], ("mx.x", "AAAA"): ["::1"]}), True),
        (Zone({("x", "A"): ["192.0.2.1"]}), True),
        (Zone({("x", "MX"): ["gone.x"], ("x", "A"): ["192.0.2.1"]}), False),
        (Zone({("x", "MX"): ["."], ("x", "A"): ["192.0.2.1"]}), False),
        (Zone(), False),
    ],
)
def test_whether_mail_can_be_answered(zone: Zone, answer: bool) -> None:
    assert can_be_answered("x", zone.lookup) is answer


def test_what_dns_does_not_answer_is_not_known() -> None:
    zone = Zone({("x.example", "TXT"): ["v=spf1 -all"], ("x.example", "MX"): ["silent.x.example"]})
    shown = look_up(Asked("x.example", "spf.example", ["silent"]), zone.lookup)
    assert (shown["takes_mail"], shown["dkim"]) == (None, [])
    assert shown["unanswered"] == ["the DKIM selector silent (timeout)", "MX (timeout)"]
    zone = Zone()
    shown = look_up(Asked("silent.example", "spf.example", ["s1"]), zone.lookup)
    assert (shown["dmarc"], shown["takes_mail"], len(shown["unanswered"])) == (None, None, 3)
    assert len(zone.asked) == 1, "who does not answer is not asked again"


def test_names_of_selectors() -> None:
    good = ("s1", "google", "2024-01", "a.b", "x_y", "S1")
    bad = ("", ".", "s1.", "-s", "s 1", "s1\n", "a..b", "ü", "s*")
    assert [is_selector(text) for text in (*good, *bad)] == [True] * len(good) + [False] * len(bad)
