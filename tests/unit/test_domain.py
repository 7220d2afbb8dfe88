# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of a domain: what options and answers mean, and which calls follow from them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._api.client import ApiError
from ansible_collections.smarthost.spamexperts.plugins.module_utils._api.session import read_present
from ansible_collections.smarthost.spamexperts.plugins.module_utils._domains.domain import (
    PRODUCTS,
    Destination,
    Domain,
    add_step,
    parse_destination,
    parse_wanted_domain,
    plan,
    read_contact,
    read_destinations,
    read_products,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._names import InputError
from hypothesis import given
from hypothesis import strategies as st

EMPTY: tuple[object, ...] = ([], {}, None, "")
NOTHING: dict[str, Any] = {"destinations": None, "abuse_contact": None, **dict.fromkeys(PRODUCTS)}


def wanted(**options: Any) -> Domain:
    return parse_wanted_domain({"domain": "example.com", **NOTHING, **options})


@pytest.mark.parametrize(
    ("text", "host", "port", "shown", "wire"),
    [
        ("mail.example.com", "mail.example.com", 25, "mail.example.com:25", "mail.example.com"),
        ("mail.example.com::25", "mail.example.com", 25, "mail.example.com:25", "mail.example.com"),
        ("mail.example.com:2525", "mail.example.com", 2525, "mail.example.com:2525", "mail.example.com:2525"),
        (" MAIL.example.com.:26 ", "mail.example.com", 26, "mail.example.com:26", "mail.example.com:26"),
        ("müller.example::26", "xn--mller-kva.example", 26, "müller.example:26", "xn--mller-kva.example:26"),
        ("192.0.2.7:26", "192.0.2.7", 26, "192.0.2.7:26", "192.0.2.7:26"),
        ("2001:db8::25", "2001:db8::25", 25, "[2001:db8::25]:25", "[2001:db8::25]"),
        ("2001:DB8:0::1::26", "2001:db8::1", 26, "[2001:db8::1]:26", "[2001:db8::1]:26"),
        ("[2001:db8::1]:26", "2001:db8::1", 26, "[2001:db8::1]:26", "[2001:db8::1]:26"),
        ("[2001:db8::1]::26", "2001:db8::1", 26, "[2001:db8::1]:26", "[2001:db8::1]:26"),
        ("[2001:db8::1]", "2001:db8::1", 25, "[2001:db8::1]:25", "[2001:db8::1]"),
    ],
)
def test_a_destination_is_read_in_every_form(text: str, host: str, port: int, shown: str, wire: str) -> None:
    destination = parse_destination(text)
    assert destination == Destination(host, port)
    assert str(destination) == shown
    assert destination.wire() == wire
    assert parse_destination(shown) == parse_destination(wire) == destination


HOSTS = st.one_of(
    st.from_regex(r"[a-z][a-z0-9]{0,20}(\.[a-z][a-z0-9]{0,20}){1,3}", fullmatch=True),
    st.ip_addresses().map(str),
)


@given(HOSTS, st.integers(1, 65535))
def test_what_is_shown_and_what_is_sent_is_the_same_destination(host: str, port: int) -> None:
    destination = Destination(host, port)
    assert parse_destination(str(destination)) == parse_destination(destination.wire()) == destination
    assert parse_destination(f"{host}::{port}") == destination  # as the API shows it


BAD_DESTINATIONS = [
    "",
    " ",
    ":25",
    "::25",
    "[",
    "[]",
    "[]:25",
    "localhost",
    "mail.example.com:",
    "mail.example.com:0",
    "a..b:25",
    "mail.example.com:65536",
    "mail.example.com:123456",
    "mail.example.com:-1",
    "mail.example.com:smtp",
    "1.2.3.4.5:x",
    "smtp://mail.example.com",
    "mail example.com",
    "mail.example.com:25:25",
    "mail.example.com/25",
    "user@example.com",
    "[2001:db8::1",
    "2001:db8::1::2::3",
    "mail.exa\nmple.com",
    "mail.example.com:²⁵",
    "*.example.com",
    "a_b.example",
]


@pytest.mark.parametrize("text", BAD_DESTINATIONS)
def test_a_bad_destination_is_one_sentence(text: str) -> None:
    with pytest.raises(InputError, match=r"^destinations\[1\]: .*; (give|it must) .*"):
        wanted(destinations=["mail.example.com", text])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abuse",
        "@example.com",
        "abuse@",
        "a b@example.com",
        "a\tb@example.com",
        "x" * 65 + "@example.com",
        "abuse@localhost",
        "<abuse@example.com>",
        "a@b@example.com",
        "abuse@exa mple.com",
        'a"@example.com',
        "a,b@example.com",
    ],
)
def test_a_bad_contact_is_one_sentence(text: str) -> None:
    with pytest.raises(InputError, match=r"^abuse_contact: .*"):
        wanted(abuse_contact=text)


@pytest.mark.parametrize(
    "text", ["", " ", ".", "com", "-a.example", "a..example", "exa mple.com", "a/b.example", "x" * 64 + ".de"]
)
def test_a_bad_domain_is_one_sentence(text: str) -> None:
    with pytest.raises(InputError, match=r"^domain: .*"):
        wanted(domain=text)


def test_everything_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(InputError) as problem:
        wanted(domain="com", destinations=["a.example", "A.example:25", "?"], abuse_contact="nobody")
    text = str(problem.value)
    assert [part in text for part in ("domain: ", "destinations[1]: ", "destinations[2]: ", "abuse_contact: ")] == [
        True
    ] * 4
    assert "a.example:25 is there twice" in text
    with pytest.raises(InputError, match="destinations is empty; leave it out"):
        wanted(destinations=[])


@pytest.mark.parametrize(
    ("answer", "present"),
    [
        ({"present": 1}, True),
        ({"present": "1"}, True),
        ({"present": True}, True),
        (1, True),
        ("true", True),
        ({"present": 0}, False),
        ({"present": "0"}, False),
        ({"present": False}, False),
        (0, False),
        ({"present": ""}, False),
    ],
)
def test_presence_is_read_in_every_form(answer: object, present: bool) -> None:
    assert read_present(answer) is present


@pytest.mark.parametrize(
    "answer", [None, {}, [], {"present": None}, {"present": 2}, "yes, sir", {"present": {}}, ["1", "0"]]
)
def test_presence_is_never_guessed(answer: object) -> None:
    with pytest.raises(ApiError, match="domain/exists did not answer with 1 or 0"):
        read_present(answer)


def test_products_are_read_in_every_form() -> None:
    answer = {"incoming": 1, "outgoing": "0", "archiving": True, "whitelabel": 1}
    assert read_products(answer) == {"incoming": True, "outgoing": False, "archiving": True}
    assert read_products({"incoming": "perhaps"}) == {}
    assert [read_products(empty) for empty in EMPTY] == [{}] * 4
    for odd in (["incoming"], "incoming", 7):
        with pytest.raises(ApiError, match="domain/getproducts did not answer"):
            read_products(odd)


def test_destinations_are_read_in_every_form() -> None:
    mail = Destination("mail.example.com", 25)
    forms: list[object] = [["mail.example.com::25"], {"0": "mail.example.com::25"}, "mail.example.com::25"]
    assert [read_destinations(form) for form in forms] == [(mail,)] * 3
    assert [read_destinations(empty) for empty in EMPTY] == [()] * 4
    assert read_destinations(["Mail_1::26", "intern"]) == (Destination("mail_1", 26), Destination("intern", 25))
    with pytest.raises(ApiError, match="domain/getroute did not answer"):
        read_destinations(7)


def test_a_contact_is_read_in_every_form() -> None:
    assert read_contact("Abuse@EXAMPLE.com") == "abuse@example.com"
    assert read_contact(["abuse@müller.example"]) == "abuse@xn--mller-kva.example"
    assert [read_contact(empty) for empty in EMPTY] == [""] * 4
    assert read_contact(" Root@localhost ") == "root@localhost"


def test_a_domain_is_shown_as_people_write_it() -> None:
    domain = wanted(
        domain="MÜLLER.example", destinations=["müller.example"], abuse_contact="a@müller.example", incoming=True
    )
    assert domain.name == "xn--mller-kva.example"
    assert domain.to_result() == {
        "domain": "müller.example",
        "exists": True,
        "products": {"incoming": True},
        "destinations": ["müller.example:25"],
        "abuse_contact": "a@müller.example",
    }
    assert wanted().given() == {"domain": "example.com", "exists": True}


def test_the_calls_send_the_products_that_are_not_given_as_they_were_read() -> None:
    current = Domain("example.com", {"incoming": True, "outgoing": False, "archiving": True})
    (step,) = plan(current, wanted(outgoing=True, archiving=True))
    flags = [("incoming", "1"), ("outgoing", "1"), ("archiving", "1")]
    assert step == ("domain/setproducts", [("domain", "example.com"), *flags])
    assert plan(current, wanted(incoming=True)) == []
    # A product that the server does not show is not sent, unless it is wanted.
    (step,) = plan(Domain("example.com", {"incoming": True}), wanted(outgoing=False))
    assert step.parameters[1:] == [("incoming", "1"), ("outgoing", "0")]


def test_the_order_of_destinations_counts() -> None:
    current = Domain("example.com", destinations=read_destinations(["a.example::25", "b.example::26"]))
    assert plan(current, wanted(destinations=["a.example", "b.example:26"])) == []
    (step,) = plan(current, wanted(destinations=["b.example:26", "a.example"]))
    assert step == ("domain/edit", [("domain", "example.com"), ("destinations", '["b.example:26","a.example"]')])


def test_a_new_domain_gets_its_destinations_at_once() -> None:
    assert add_step(wanted()).parameters == [("domain", "example.com")]
    step = add_step(wanted(destinations=["müller.example"]))
    assert step.parameters[1] == ("destinations", '["xn--mller-kva.example"]')


DOMAINS = st.builds(
    Domain,
    st.just("example.com"),
    st.dictionaries(st.sampled_from(PRODUCTS), st.booleans()),
    st.none() | st.lists(st.builds(Destination, HOSTS, st.integers(1, 65535)), min_size=1, max_size=3).map(tuple),
    st.none() | st.sampled_from(["abuse@example.com", "root@example.com"]),
)


@given(DOMAINS, DOMAINS)
def test_after_the_plan_a_second_plan_is_empty(current: Domain, target: Domain) -> None:
    after = current.merged(target)
    assert plan(after, target) == []
    assert bool(plan(current, target)) == (after != current)
    for step in plan(current, target):  # nothing that is empty reaches the wire
        assert all(value for _name, value in step.parameters)
