# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What descriptions of domains may hold, and what they say together."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration import description
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration.description import Given, Site
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # its types are another package

from tests.tools import schema

SITE = Site(
    groups={"mail_relays": ["mail1", "mail2"], "mail1": ["mail1"], "mail2": ["mail2"], "desk": ["desk"]},
    accounts=["default", "customer"],
)
EXAMPLE: dict[str, Any] = {
    "domain": "example.com",
    "abuse_contact": "postmaster@example.com",
    "senders": [
        {"username": "alice", "limits": {"per_hour": 200}},
        {"username": "info", "shared": True},
        {"username": "server1", "relay": True},
    ],
}


def read(*contents: object, defaults: object = None) -> tuple[list[description.Description], list[str]]:
    given = [Given(f"domains/{position}.yml", content) for position, content in enumerate(contents)]
    return description.read(given, {} if defaults is None else defaults, SITE)


def changed(sender: dict[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    """Return the example with other keys, and with this sender only."""
    content = {**copy.deepcopy(EXAMPLE), **keys}
    return content if sender is None else {**content, "senders": [sender]}


def users(*contents: object, defaults: object = None) -> list[dict[str, Any]]:
    descriptions, problems = read(*contents, defaults=defaults)
    assert problems == []
    return [dict(sender.user) for one in descriptions for sender in one.senders]


def test_a_description_as_the_readme_has_it() -> None:
    (one,), problems = read(EXAMPLE)
    assert problems == []
    assert (one.domain, one.options, one.purge) == ("example.com", {"abuse_contact": "postmaster@example.com"}, False)
    assert [(sender.login, sender.state, sender.relay, sender.shared) for sender in one.senders] == [
        ("alice@example.com", "present", False, False),
        ("info@example.com", "present", False, True),
        ("server1@example.com", "present", True, False),
    ]
    assert [sender.user.get("limits") for sender in one.senders] == [{"per_hour": 200}, {"enabled": False}, None]


class Encrypted(Sequence[str]):
    """A text that is encrypted in a variable, as an ansible-core before 2.19 hands it over."""

    def __getitem__(self, index: Any) -> Any:
        return "Correct-Horse-42"[index]

    def __len__(self) -> int:
        return len("Correct-Horse-42")

    def __str__(self) -> str:
        return "Correct-Horse-42"


def test_an_encrypted_text_is_a_text() -> None:
    assert read(changed({"username": "alice", "password": Encrypted()}))[1] == []


def test_the_domain_stands_in_the_users_as_it_is_known() -> None:
    assert {user["domain"] for user in users(changed(domain="Bücher.Example."))} == {"xn--bcher-kva.example"}


@pytest.mark.parametrize(
    ("sender", "defaults", "limits"),
    [
        ({}, {"limits": {"per_day": 5}}, {"per_day": 5}),
        ({"limits": {"per_day": 7}}, {"limits": {"per_day": 5, "per_hour": 1}}, {"per_day": 7, "per_hour": 1}),
        ({"limits": {"inherit": ["per_day"]}}, {"limits": {"per_day": 5}}, {"inherit": ["per_day"]}),
        (
            {"limits": {"per_day": 7}},
            {"limits": {"inherit": ["per_day", "per_hour"]}},
            {"per_day": 7, "inherit": ["per_hour"]},
        ),
        ({"shared": True}, {"limits": {"per_day": 5}}, {"enabled": False}),
        ({"shared": True}, {"shared_limits": {"per_day": 900}}, {"per_day": 900}),
        ({"shared": True, "limits": {"per_day": 7}}, {"shared_limits": {"per_hour": 9}}, {"per_day": 7, "per_hour": 9}),
        ({"limits": {}}, {}, None),
        ({"state": "absent"}, {"limits": {"per_day": 5}}, None),
    ],
)
def test_defaults_lie_beneath(sender: dict[str, Any], defaults: dict[str, Any], limits: dict[str, Any] | None) -> None:
    (user,) = users(changed({"username": "alice", **sender}), defaults=defaults)
    assert (user.get("limits") or None) == limits


def test_shared_limits_of_the_domain_lie_above_those_of_the_defaults() -> None:
    content = changed({"username": "info", "shared": True}, shared_limits={"per_day": 2})
    (user,) = users(content, defaults={"shared_limits": {"per_day": 1, "per_hour": 1}})
    assert user["limits"] == {"per_day": 2, "per_hour": 1}


def test_other_defaults_and_the_domains_own() -> None:
    defaults = {"account": "customer", "abuse_contact": "abuse@provider.example", "settings": {"a": 1, "b": 1}}
    content = changed({"username": "alice", "settings": {"b": 2}})
    (one,), problems = read(content, defaults=defaults)
    assert problems == []
    assert one.options == {"account": "customer", "abuse_contact": "postmaster@example.com"}
    assert one.senders[0].user["settings"] == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("sender", "state", "user"),
    [
        ({"state": "absent"}, "absent", {"state": "absent"}),
        ({"state": "locked"}, "locked", {"locked": True}),
        ({"locked": True}, "locked", {"locked": True}),
        ({"locked": False}, "present", {"locked": False}),
        ({"state": "present"}, "present", {}),
    ],
)
def test_states(sender: dict[str, Any], state: str, user: dict[str, Any]) -> None:
    (one,), problems = read(changed({"username": "alice", **sender}))
    assert problems == []
    assert one.senders[0].state == state
    assert one.senders[0].user == {"username": "alice", "domain": "example.com", **user}


#: Bad descriptions, each with the place and the beginning of what is said of it. The schema refuses those marked True.
BAD: list[tuple[object, str, bool]] = [
    (None, "is empty; it has to describe one domain", True),
    ([EXAMPLE], "is a list; it has to describe one domain", True),
    ("example.com", "is no dictionary; it has to describe one domain", True),
    ({}, "domain is missing", True),
    ({"domain": "example.com"}, "senders is missing", True),
    (changed(domian="x"), "domian is not known here; perhaps domain is meant", True),
    (changed(zebra="x"), "zebra is not known here; there are domain, account", True),
    (dict([*EXAMPLE.items(), (1, 2)]), "has a key that is no text, 1", True),
    (changed(domain=""), "domain cannot be: the domain is empty", False),
    (changed(domain="nowhere"), "domain cannot be: 'nowhere' is not a domain name", False),
    (changed(domain=12), "domain has to be text", True),
    (changed(abuse_contact=None), "abuse_contact is empty; give it a value, or leave it out", True),
    (changed(destinations="mail.example.com"), "destinations has to be a list", True),
    (changed(purge="no"), "purge has to be true or false", True),
    (
        changed(account="custmer"),
        "account names custmer, which spamexperts_accounts does not have; perhaps customer is meant",
        False,
    ),
    (changed(dkim_selectors=["s1", "s 2"]), "dkim_selectors[1] is 's 2', which is no name of a selector", False),
    (changed(shared_limits={"per_hour": -1}), "shared_limits cannot be: limit per_hour is -1", True),
    (changed(senders={"username": "alice"}), "senders has to be a list", True),
    (changed(senders=["alice"]), "senders[0] has to be keys with values", True),
    (changed({"usernames": "alice"}), "senders[0].usernames is not known here; perhaps username is meant", True),
    (changed({"username": ["alice"]}), "senders[0].username has to be text", True),
    (changed({"username": 12}), "senders[0].username has to be text", True),
    (changed({}), "senders[0] cannot be: username is missing", False),
    (
        changed({"username": "alice@example.net"}),
        "senders[0] cannot be: username 'alice@example.net' belongs to",
        False,
    ),
    (
        changed({"username": "a", "limits": {"per_hour": "100"}}),
        "senders[0].limits.per_hour has to be a whole number",
        True,
    ),
    (
        changed({"username": "a", "limits": {"per_hour": True}}),
        "senders[0].limits.per_hour has to be a whole number",
        True,
    ),
    (changed({"username": "a", "limits": {"hourly": 1}}), "senders[0].limits.hourly is not known here", True),
    (
        changed({"username": "a", "limits": {"inherit": ["x"]}}),
        "senders[0].limits.inherit[0] has to be one of per_",
        True,
    ),
    (changed({"username": "a", "shared": "yes"}), "senders[0].shared has to be true or false", True),
    (changed({"username": "a", "state": "gone"}), "senders[0].state has to be one of present, absent, locked", True),
    (
        changed({"username": "a", "authentication_method": "USER"}),
        "senders[0].authentication_method has to be one",
        True,
    ),
    (changed({"username": "a", "password": "short"}), "senders[0] cannot be: the password is shorter than", True),
    (changed({"username": "a", "password": 123456789012}), "senders[0].password has to be text", True),
    (changed({"username": "a", "relay": "mail1"}), "senders[0].relay has to be true, or a list of hosts", True),
    (changed({"username": "a", "relay": [1]}), "senders[0].relay[0] has to be the name of a host or group", True),
    (changed({"username": "a", "relay": ["mail3"]}), "senders[0].relay[0] names mail3, which is no host and", False),
    (changed({"username": "a", "default_for": "mail1"}), "senders[0].default_for has to be a list", True),
    (
        changed({"username": "a", "default_for": ["mial1"]}),
        "senders[0].default_for[0] names mial1, which is no host",
        False,
    ),
    (
        changed({"username": "a", "state": "absent", "relay": True}),
        "senders[0].relay has no meaning for a sender",
        False,
    ),
    (changed({"username": "a", "state": "locked", "locked": False}), "senders[0].locked is false, but state", False),
    (
        changed({"username": "192.0.2.1", "authentication_method": "ip", "relay": ["mail1"]}),
        "senders[0].relay has no meaning for an ip sender",
        False,
    ),
    (
        changed({"username": "a", "people": [{"user": "anna"}]}),
        "senders[0].people[0] has no host, which is needed",
        True,
    ),
    (
        changed({"username": "a", "people": [{"host": "desk"}]}),
        "senders[0].people[0] has neither user nor profile",
        False,
    ),
    (
        changed({"username": "a", "people": [{"host": "desc", "user": "anna"}]}),
        "senders[0].people[0].host names desc",
        False,
    ),
    (
        changed({"authentication_method": "domain", "people": [{"host": "desk", "user": "anna"}]}),
        "senders[0].people is for",
        False,
    ),
]


@pytest.mark.parametrize(("content", "text", "_schema"), BAD)
def test_bad_descriptions_are_sentences_with_their_place(content: object, text: str, _schema: bool) -> None:
    _descriptions, problems = read(content)
    assert any(problem.startswith(f"domains/0.yml: {text}") for problem in problems), problems
    assert all(problem.endswith(".") and not problem.endswith("..") for problem in problems)


def test_all_problems_of_all_places_are_said_at_once() -> None:
    bad = changed(purge="no", zebra=1)
    bad["senders"][0]["limits"] = {"per_hour": "x"}
    _descriptions, problems = read(bad, changed(domain=1), EXAMPLE)
    assert [problem.partition(" has")[0].partition(" is")[0] for problem in problems] == [
        "domains/0.yml: zebra",
        "domains/0.yml: purge",
        "domains/0.yml: senders[0].limits.per_hour",
        "domains/1.yml: domain",
    ]


def test_the_problems_of_each_sender_are_said_with_their_lines() -> None:
    bad = [{"username": "a", "password": "short", "relay": "x"}, {"username": "b"}, {"username": "c", "relay": ["d"]}]
    lines = {("senders", 0): 7, ("senders", 0, "relay"): 9, (): 1}
    given = [Given("d.yml", changed(senders=bad, account="nobody"), lines.get), Given("e.yml", {}, lines.get)]
    _descriptions, problems = description.read(given, {}, SITE)
    assert [problem.partition(" has to ")[0].partition(" cannot be")[0][:43] for problem in problems] == [
        "d.yml: account names nobody, which spamexpe",
        "d.yml, line 9: senders[0].relay",
        "d.yml, line 7: senders[0]",
        "d.yml: senders[2].relay[0] names d, which i",
        *("e.yml, line 1: domain is missing.", "e.yml, line 1: senders is missing."),
    ]


def test_a_name_like_no_other_is_to_be_corrected_or_added() -> None:
    for content, name in (
        (changed(account="zzz"), "zzz, which spamexperts_accounts does not have"),
        (changed({"username": "a", "relay": ["zzz"]}), "zzz, which is no host and no group of the inventory"),
    ):
        _descriptions, (problem,) = read(content)
        assert problem.endswith(f" names {name}; add it there, or correct the name.")


def test_any_account_may_be_named_where_nobody_knows_them() -> None:
    given = [Given("d.yml", changed(account="nobody"))]
    assert description.read(given, {}, Site(SITE.groups))[1] == []


@pytest.mark.parametrize(
    ("sender", "texts"),
    [
        ({"state": "locked", "default_for": ["mail1"]}, ["default_for has no meaning for a sender whose state is"]),
        (
            {"state": "absent", "relay": True, "people": [{"host": "desk", "user": "a"}]},
            ["relay has no meaning for a sender whose state is absent"],
        ),
        ({"state": "absent", "relay": False, "people": []}, []),
        ({"state": "locked"}, []),
        ({"state": "present", "relay": True, "locked": False}, []),
        ({"locked": True, "relay": True}, []),
        ({"people": [{"host": "desk", "profile": "/x"}]}, []),
        ({"people": [{"host": "desk", "user": "a"}, {"host": "desk"}]}, ["people[1] has neither user nor profile"]),
        (
            {"username": "192.0.2.1", "authentication_method": "ip", "people": [{"host": "desk", "user": "a"}]},
            ["people is for senders with an address of their own"],
        ),
        ({"username": "192.0.2.1", "authentication_method": "ip", "relay": True}, []),
        ({"username": "192.0.2.1", "authentication_method": "ip", "default_for": ["mail1"]}, []),
    ],
    ids=str,
)
def test_what_cannot_be_true_together(sender: dict[str, Any], texts: list[str]) -> None:
    _descriptions, problems = read(changed({"username": "a", "acknowledge_ip_risk": True, **sender}))
    assert len(problems) == len(texts), problems
    for problem, text in zip(problems, texts):
        assert problem.startswith(f"domains/0.yml: senders[0].{text}")


def test_what_a_sender_has_from_the_defaults_and_what_not() -> None:
    defaults = {"update_password": "always", "lock_timeout": 5, "dkim_selectors": ["s1"], "limits": {"per_day": 5}}
    content = changed({"username": "a", "lock_timeout": 7, "shared": True}, shared_limits={"per_hour": 1}, purge=True)
    (one,), problems = read(content, defaults=defaults)
    assert problems == []
    assert (one.options, one.purge) == (*({"abuse_contact": "postmaster@example.com", "dkim_selectors": ["s1"]}, True),)
    assert one.senders[0].user == {
        **{"username": "a", "domain": "example.com", "lock_timeout": 7, "update_password": "always"},
        "limits": {"per_hour": 1},
    }
    (one,), problems = read(changed({"username": "a", "state": "absent"}), defaults=defaults)
    assert (one.senders[0].user, problems) == ({"username": "a", "domain": "example.com", "state": "absent"}, [])


def test_what_is_said_of_a_sender_besides_its_user() -> None:
    person = {"host": "desk", "user": "anna"}
    sender = {"username": "a", "relay": ["mail1"], "default_for": ["mail2"], "people": [person]}
    (one,), problems = read(changed(sender))
    (first,) = one.senders
    assert problems == []
    assert (first.relay, first.default_for, first.people, first.source) == (
        *(["mail1"], ("mail2",), (person,), "domains/0.yml"),
    )
    assert first.place() == "domains/0.yml: senders[0]"
    for method, login in (("domain", "example.com"), ("ip", "")):
        name = {"username": "192.0.2.1", "acknowledge_ip_risk": True} if method == "ip" else {}
        (one,), problems = read(changed({"authentication_method": method, **name}))
        assert (one.senders[0].login, problems) == (login, [])


def test_a_domain_a_sender_or_an_address_twice() -> None:
    ip = {"username": "192.0.2.0/28", "authentication_method": "ip", "acknowledge_ip_risk": True}
    inside = {**ip, "username": "192.0.2.3"}
    _descriptions, problems = read(
        EXAMPLE,
        changed(domain="EXAMPLE.com."),
        changed(domain="a.example", senders=[{"username": "bob"}, {"username": "Bob@a.example"}, ip]),
        changed(inside, domain="b.example"),
    )
    assert problems == [
        "domains/1.yml: domain example.com is described in domains/0.yml as well; describe it in one place.",
        "domains/2.yml: senders[1] and domains/2.yml: senders[0] are both bob@a.example; keep one of them.",
        "domains/3.yml: senders[0] and domains/2.yml: senders[2] give 192.0.2.3 to two domains; an address belongs to "
        "one domain only.",
    ]


@pytest.mark.parametrize(
    ("defaults", "text"),
    [
        ([], "spamexperts_defaults: has to be keys with values."),
        ({"username": "x"}, "spamexperts_defaults: username is not known here"),
        ({"account": "nobody"}, "spamexperts_defaults: account names nobody, which spamexperts_accounts does not have"),
        ({"limits": {"per_hour": -1}}, "spamexperts_defaults: limits cannot be: limit per_hour is -1"),
        ({"limits": None}, "spamexperts_defaults: limits is empty"),
        ({"shared_limits": {"per_hour": -1}}, "spamexperts_defaults: shared_limits cannot be: limit per_hour is -1"),
        ({"settings": "x"}, "spamexperts_defaults: settings has to be keys with values"),
        ({"dkim_selectors": ["s 2"]}, "spamexperts_defaults: dkim_selectors[0] is 's 2', which is no name of"),
    ],
)
def test_bad_defaults(defaults: object, text: str) -> None:
    _descriptions, (problem,) = read(EXAMPLE, defaults=defaults)
    assert problem.startswith(text)


def test_no_message_has_a_password() -> None:
    secret = "Correct-Horse-42"
    for entry in (
        {"password": secret, "usernam": "x"},
        {"username": "a", "password": [secret]},
        {"username": "a", "password": secret, "password_file": "x"},
    ):
        _descriptions, problems = read(changed(entry))
        assert problems
        assert secret not in "".join(problems)
    person = {"host": "desk", "user": "a", "primary_password": secret}
    (one,), problems = read(changed({"username": "a", "password": secret, "people": [person]}))
    assert problems == []
    assert secret not in repr(one)


def test_the_order_has_no_meaning() -> None:
    contents = [changed(domain=f"{name}.example") for name in "cab"]
    forth, back = read(*contents)[0], read(*contents[::-1])[0]
    assert [one.domain for one in forth] == [one.domain for one in back] == ["a.example", "b.example", "c.example"]


def test_the_schema_for_editors_is_that_of_the_code() -> None:
    assert schema.FILE.read_text(encoding="utf-8") == schema.schema(), "run make schema"


@pytest.mark.parametrize(("content", "_text", "refused"), BAD)
def test_the_schema_refuses_what_needs_no_inventory(content: object, _text: str, refused: bool) -> None:
    validator = Draft202012Validator(json.loads(schema.FILE.read_text(encoding="utf-8")))
    assert validator.is_valid(EXAMPLE)
    assert validator.is_valid(content) is not refused
