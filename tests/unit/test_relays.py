# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As what a mail server sends, out of the descriptions of many domains."""

from __future__ import annotations

from typing import Any

from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration import description, relays
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration import hosts as hosts_module
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration.description import Given, Site
from hypothesis import given
from hypothesis import strategies as st

HOSTS = ("mail1", "mail2", "mail3")
GROUPS = {**{host: [host] for host in HOSTS}, "north": ["mail1", "mail2"], "desk": ["desk"]}
IP = {"username": "192.0.2.1", "authentication_method": "ip", "acknowledge_ip_risk": True}


def read(**domains: list[dict[str, Any]]) -> list[description.Description]:
    """Return the descriptions of these domains below .example, each with these senders."""
    contents = [{"domain": f"{name}.example", "senders": senders} for name, senders in domains.items()]
    descriptions, problems = description.read(
        [Given(f"{content['domain']}.yml", content) for content in contents], {}, Site(GROUPS)
    )
    assert problems == []
    return descriptions


def shown(descriptions: list[description.Description], *hosts: str) -> tuple[dict[str, Any], list[str]]:
    worked_out, problems = relays.logins_of_hosts(descriptions, hosts or HOSTS, GROUPS)
    servers = {host: hosts_module.server_of(logins, lambda sender: sender.login) for host, logins in worked_out.items()}
    for one in servers.values():
        for entry in (one, *one["logins"]):
            assert entry.pop("secret") == ({"credential": entry["login"]} if entry["login"] else {})
    return servers, problems


def server(**more: Any) -> dict[str, Any]:
    return {"username": "server", **more}


def test_one_domain_is_the_default_of_every_mail_server() -> None:
    logins, problems = shown(read(a=[server(relay=True), {"username": "alice"}]))
    assert problems == []
    assert logins == {host: {"authentication": "login", "login": "server@a.example", "logins": []} for host in HOSTS}


def test_a_host_that_nobody_names_is_left_alone() -> None:
    assert shown(read(a=[server(relay=["mail1"])])) == (
        {"mail1": {"authentication": "login", "login": "server@a.example", "logins": []}},
        [],
    )
    assert shown(read(a=[{"username": "alice"}])) == ({}, [])


def test_many_domains_each_with_its_own_login_and_one_default() -> None:
    logins, problems = shown(
        read(a=[server(relay=True)], b=[server(relay=["north"], default_for=["mail1"])], c=[server(relay=True)]),
        "mail1",
    )
    assert problems == []
    assert logins["mail1"] == {
        "authentication": "login",
        "login": "server@b.example",
        "logins": [
            {"login": "server@a.example", "senders": ["@a.example"]},
            {"login": "server@c.example", "senders": ["@c.example"]},
        ],
    }


def test_the_login_of_another_domain_may_be_the_default() -> None:
    """The vendor's practice: a domain of its own for the logins of servers."""
    logins, problems = shown(read(a=[server(relay=True)], servers=[server(default_for=["north"])]), "mail1")
    assert problems == []
    assert logins["mail1"]["login"] == "server@servers.example"
    assert logins["mail1"]["logins"] == [{"login": "server@a.example", "senders": ["@a.example"]}]


def test_who_names_the_host_goes_before_who_names_all() -> None:
    senders = [server(relay=True), {"username": "first", "relay": ["mail1"]}]
    logins, problems = shown(read(a=senders))
    assert problems == []
    assert {host: entry["login"] for host, entry in logins.items()} == {
        "mail1": "first@a.example",
        "mail2": "server@a.example",
        "mail3": "server@a.example",
    }


def test_nothing_is_guessed() -> None:
    logins, problems = shown(read(a=[server(relay=True)], b=[server(relay=True)]), "mail1")
    assert logins == {}
    assert problems == [
        "mail1 sends for 2 domains, and nothing says as what it sends its other mail, such as bounces; name mail1, or "
        "a group, in default_for of one of a.example.yml: senders[0] (server@a.example) and b.example.yml: senders[0] "
        "(server@b.example)."
    ]
    _logins, problems = shown(read(a=[server(relay=True), {"username": "two", "relay": True}]), "mail1")
    assert problems[0].startswith("mail1 cannot know as what it sends the mail of a.example: a.example.yml: senders[0]")
    _logins, problems = shown(read(a=[server(default_for=["mail1"])], b=[server(default_for=["north"])]), "mail1")
    assert problems[0].startswith("mail1 has more than one default: ")


def test_a_message_about_many_domains_names_three() -> None:
    for number, rest in ((2, ""), (3, ""), (4, " and 1 more"), (300, " and 297 more")):
        domains = [f"d{each:03}" for each in range(number)]
        _logins, (problem,) = shown(read(**{domain: [server(relay=True)] for domain in domains}), "mail1")
        assert problem.startswith(f"mail1 sends for {number} domains")
        named = " and ".join(f"{domain}.example.yml: senders[0] (server@{domain}.example)" for domain in domains[:3])
        assert problem.endswith(f" of {named}{rest}.")
    _logins, (problem,) = shown(read(a=[server(relay=True), {**IP, "relay": True}]), "mail1")
    assert " and a.example.yml: senders[1] (192.0.2.1 of a.example) are both its relay; " in problem


def test_an_ip_sender_can_only_be_the_default() -> None:
    assert shown(read(a=[{**IP, "relay": True}]), "mail1")[0]["mail1"] == {
        "authentication": "ip",
        "login": "",
        "logins": [],
    }
    both = {"a": [{**IP, "relay": True, "default_for": ["mail1"]}], "b": [server(relay=True)]}
    assert shown(read(**both), "mail1")[0]["mail1"] == {
        "authentication": "ip",
        "login": "",
        "logins": [{"login": "server@b.example", "senders": ["@b.example"]}],
    }
    _logins, problems = shown(read(a=[{**IP, "relay": True}], b=[server(relay=True, default_for=["mail1"])]), "mail1")
    assert problems[0].startswith("mail1 cannot send the mail of one domain by its address and all other mail with")


def test_a_sender_that_is_gone_or_locked_is_nobodys_login() -> None:
    descriptions = read(a=[{"username": "old", "state": "absent"}, {"username": "bad", "locked": True, "relay": True}])
    assert shown(descriptions) == ({}, [])


def test_a_host_that_is_no_mail_server_is_said() -> None:
    logins, problems = shown(read(a=[server(relay=["desk"])]))
    assert logins == {}
    assert problems == [
        "a.example.yml: senders[0] names desk, where no host is a mail server; add the host to the mail servers of the "
        "inventory (group mail_relays, or spamexperts_relay_hosts), or correct the name."
    ]


_SENDERS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "relay": st.sampled_from([True, ["mail1"], ["north"], ["mail2", "mail3"]]),
            "default_for": st.sampled_from([["mail1"], ["north"], ["mail3"]]),
        },
    ),
    max_size=3,
)


@given(st.lists(_SENDERS, max_size=5), st.randoms(use_true_random=False))
def test_no_order_changes_what_a_host_sends_as(sites: list[list[dict[str, Any]]], random: Any) -> None:
    domains = {
        f"d{number}": [{"username": f"u{position}", **sender} for position, sender in enumerate(senders)]
        for number, senders in enumerate(sites)
    }
    descriptions = read(**domains)
    expected, problems = shown(descriptions)
    shuffled = random.sample(descriptions, len(descriptions))
    again, found = shown([*read(**dict(random.sample(sorted(domains.items()), len(domains))))])
    assert again == expected
    assert sorted(found) == sorted(problems)
    assert shown(shuffled)[0] == expected
    for host, logins in expected.items():
        # Each domain that names the host has exactly one login there, the default or one of its own.
        keys = [key for entry in logins["logins"] for key in entry["senders"]]
        assert len(keys) == len(set(keys))
        named = [
            one.domain
            for one in descriptions
            if any(s.relay is True or (s.relay and any(host in GROUPS[n] for n in s.relay)) for s in one.senders)
        ]
        covered = {key.removeprefix("@") for key in keys} | {logins["login"].partition("@")[2]}
        assert set(named) <= covered
