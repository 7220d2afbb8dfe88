# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run has to do on each host, out of the descriptions of many domains, and when nobody uses a login any more."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration import description, relays
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration.description import Given, Sender, Site
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration.hosts import (
    is_stored,
    name_of,
    people_of_hosts,
    secret_of,
    server_of,
    still_used,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration.identities import Identity
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.user import Key
from hypothesis import given
from hypothesis import strategies as st

HOSTS = ("mail1", "mail2", "mail3")
GROUPS = {
    **{host: [host] for host in (*HOSTS, "d1", "d2")},
    **{"north": ["mail1", "mail2"], "mail_relays": HOSTS, "desks": ["d1", "d2"]},
}
IP = {"username": "192.0.2.1", "authentication_method": "ip", "acknowledge_ip_risk": True}


def read(*contents: dict[str, Any]) -> list[description.Description]:
    descriptions, problems = description.read(
        [Given(f"domains/{content['domain']}.yml", content) for content in contents], {}, Site(GROUPS)
    )
    assert problems == []
    return descriptions


def senders(*entries: dict[str, Any]) -> list[Sender]:
    (one,) = read({"domain": "a.example", "senders": list(entries)})
    return list(one.senders)


def own_login(sender: Sender) -> str:
    return sender.login


def servers_of(contents: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    worked_out, problems = relays.logins_of_hosts(read(*contents), HOSTS, GROUPS)
    assert problems == []
    return {host: server_of(logins, own_login) for host, logins in worked_out.items()}


def login_for(server: dict[str, Any], domain: str) -> str:
    """As what mail of this domain leaves, as Postfix looks it up: by its sender, or else with the default."""
    found = [entry["login"] for entry in server["logins"] if f"@{domain}" in entry["senders"]]
    assert len(found) <= 1
    return str(found[0]) if found else str(server["login"])


#: Where the relay of a domain is named, and whether by itself or by an address.
domain = st.sampled_from([True, ["mail_relays"], list(HOSTS), ["north", "mail3"], ["mail1", "mail2", "mail3", "north"]])


@given(st.lists(domain, min_size=2, max_size=10), st.integers(-1, 9), st.randoms(use_true_random=False))
def test_each_domains_mail_goes_out_as_its_own_login(relay: list[Any], default: int, random: Any) -> None:
    """Everything else goes out with the default, and no order changes that. default: -1 is that of another domain."""
    contents: list[dict[str, Any]] = [
        {"domain": f"d{number}.example", "senders": [{"username": "server", "relay": where}, {"username": "alice"}]}
        for number, where in enumerate(relay)
    ]
    chosen = default % len(relay) if default >= 0 else -1
    if chosen >= 0:
        contents[chosen]["senders"][0]["default_for"] = ["mail_relays"]
        name = f"server@d{chosen}.example"
    else:
        contents.append({"domain": "hosts.example", "senders": [{"username": "all", "default_for": ["mail_relays"]}]})
        name = "all@hosts.example"
    servers = servers_of(contents)
    assert set(servers) == set(HOSTS)
    for server in servers.values():
        for number in range(len(relay)):
            assert login_for(server, f"d{number}.example") == f"server@d{number}.example"
        for other in ("hosts.example", "elsewhere.example", ""):
            assert login_for(server, other) == name
        places = [server["secret"], *(entry["secret"] for entry in server["logins"])]
        assert [place["credential"] for place in places] == [server["login"], *(e["login"] for e in server["logins"])]
    mixed = list(contents)
    random.shuffle(mixed)
    for content in mixed:
        random.shuffle(content["senders"])
        for sender in content["senders"]:
            if isinstance(sender.get("relay"), list):
                random.shuffle(sender["relay"])
    assert servers_of(mixed) == servers


def test_two_domains_then_ten_in_every_order() -> None:
    contents: list[dict[str, Any]] = [
        {"domain": "a.example", "senders": [{"username": "server", "relay": True, "default_for": ["mail_relays"]}]},
        {"domain": "b.example", "senders": [{"username": "server", "relay": True}]},
        {"domain": "c.example", "senders": [{"username": "server", "relay": ["north"]}]},
        {"domain": "d.example", "senders": [{"username": "alice"}]},
    ]
    two = servers_of(contents[:2])
    assert login_for(two["mail1"], "b.example") == "server@b.example"
    found = [servers_of(list(order)) for order in itertools.permutations(contents)]
    assert all(servers == found[0] for servers in found)
    assert {host: login_for(server, "c.example") for host, server in found[0].items()} == {
        "mail1": "server@c.example",
        "mail2": "server@c.example",
        "mail3": "server@a.example",
    }
    # A domain more takes nothing from the others.
    for host, server in two.items():
        assert login_for(found[0][host], "b.example") == login_for(server, "b.example")
        assert found[0][host]["login"] == server["login"]


def test_a_host_that_sends_by_its_address_has_no_login() -> None:
    servers = servers_of([{"domain": "a.example", "senders": [{**IP, "default_for": ["mail1"]}]}])
    assert servers == {"mail1": {"authentication": "ip", "login": "", "secret": {}, "logins": []}}


# Where the passwords are


def test_a_password_is_where_it_is_named_or_in_the_store() -> None:
    named, in_file, stored, locked, gone, address = senders(
        {"username": "a", "password": "Correct-Horse-42"},
        {"username": "b", "password_file": "/somewhere"},
        {"username": "c"},
        {"username": "d", "state": "locked"},
        {"username": "e", "state": "absent"},
        IP,
    )
    assert [is_stored(one) for one in (named, in_file, stored, locked, gone, address)] == [
        *(False, False, True, True, False, False)
    ]
    assert secret_of(named) == {"place": "domains/a.example.yml", "sender": 0, "login": "a@a.example"}
    assert secret_of(stored) == {"credential": "c@a.example"}
    assert secret_of(address) == {}
    assert "Horse" not in repr([secret_of(one) for one in (named, in_file, stored)])


def test_people_are_set_up_where_they_are_and_taken_away_where_they_were() -> None:
    person = {"host": "desks", "user": "bob", "primary_password": "Secret-42", "default_server": False}
    leaver = Identity(
        *(Key("a.example", "alice"), "user", "default", "x", False),
        ({"host": "d1", "user": "alice"}, {"host": "scrapped", "profile": "/x"}),
    )
    bobs = senders({"username": "bob", "people": [person]})
    found = people_of_hosts(bobs, [leaver], {}, lambda _one: "bob-2@a.example", GROUPS)
    place = {"place": "domains/a.example.yml", "sender": 0, "login": "bob@a.example"}
    bob = {
        **{"identities": ["bob@a.example"], "user": "bob", "default_server": False, "login": "bob-2@a.example"},
        **{"secret": {"credential": "bob@a.example"}, "primary": {**place, "person": 0}},
    }
    assert found == {"d1": [bob, {"user": "alice", "login": "alice@a.example", "state": "absent"}], "d2": [bob]}
    assert "Secret" not in repr(found)


@pytest.mark.parametrize(
    ("person", "former", "left"),
    [
        ({"host": "d1", "user": "bob"}, {"host": "desks", "user": "bob"}, ["d2"]),
        ({"host": "desks", "user": "bob"}, {"host": "d1", "user": "bob"}, []),
        ({"host": "d1", "profile": "/x"}, {"host": "desks", "profile": "/x"}, ["d2"]),
        ({"host": "d1", "user": "bob"}, {"host": "desks", "user": "carol"}, ["d1", "d2"]),
        ({"host": "d1", "user": "bob"}, {"host": "desks", "profile": "/x"}, ["d1", "d2"]),
        ({"host": "d1", "user": "bob"}, {"host": "scrapped", "user": "bob"}, []),
    ],
)
def test_a_former_person_is_set_back_where_they_are_not_any_more(
    person: dict[str, str], former: dict[str, str], left: list[str]
) -> None:
    bobs = senders({"username": "bob", "people": [person]})
    found = people_of_hosts(bobs, [], {bobs[0].wanted.key: [former]}, lambda _one: "bob-2@a.example", GROUPS)
    gone = [(host, one) for host, listed in found.items() for one in listed if one.get("state") == "absent"]
    back = {**{name: value for name, value in former.items() if name != "host"}, "login": "bob-2@a.example"}
    assert gone == [(host, {**back, "state": "absent"}) for host in left]


def test_a_person_is_called_by_name_and_otherwise_by_profile() -> None:
    assert [name_of(one) for one in ({"user": "bob", "profile": "/x"}, {"profile": "/x"})] == ["bob", "/x"]


# Who uses a login still


SEEN = {"seen": True, "done": True, "logins": ["other@a.example"]}
SERVER = Identity(Key("a.example", "server"), "user", "default", "", relay=True)
PERSON = Identity(Key("a.example", "alice"), "user", "default", "")
DOMAIN = Identity(Key("a.example", ""), "domain", "default", "")
ADDRESS = Identity(Key("a.example", "192.0.2.1"), "ip", "default", "", relay=True)


@pytest.mark.parametrize(
    ("one", "state", "is_declared", "words"),
    [
        (SERVER, SEEN, True, ""),
        (SERVER, {"seen": True, "logins": []}, True, ""),
        (SERVER, {}, True, "was not looked at"),
        (SERVER, {"seen": True, "logins": ["server@a.example"]}, True, "mend what mail1 has met"),
        (SERVER, {"seen": True, "done": True, "logins": ["Server@A.Example"]}, False, "say as what mail1 is to send"),
        (SERVER, {"seen": True, "logins": ["", None, 7, "no login", "@", "server@a.example"]}, True, "still sends"),
        (PERSON, {}, True, ""),
        (PERSON, {"seen": True, "logins": ["alice@a.example"]}, False, "still sends as it"),
        (
            DOMAIN,
            {"seen": True, "logins": ["@a.example"]},
            True,
            "still",
        ),
        (DOMAIN, {"seen": True, "logins": ["b@a.example"]}, True, ""),
        (ADDRESS, {**SEEN, "by_address": False}, False, ""),
        (ADDRESS, {**SEEN, "by_address": True}, False, "mail1 sends by its address, and may be known by this one"),
        (ADDRESS, {**SEEN, "by_address": True}, True, ""),
        (ADDRESS, {}, True, "was not looked at"),
    ],
)
def test_nobody_is_removed_whom_a_mail_server_may_send_as(
    one: Identity, state: dict[str, Any], is_declared: bool, words: str
) -> None:
    reason = still_used(one, [one.key], {"mail2": SEEN, "mail1": state}, ["mail1"] if is_declared else [])
    assert words in reason if words else reason == ""


def test_the_second_login_of_a_rotation_is_the_same_sender() -> None:
    keys = [Key("a.example", "server-b"), Key("a.example", "server")]
    for login in ("server-b@a.example", "server@a.example"):
        assert still_used(SERVER, keys, {"mail1": {"seen": True, "logins": [login]}}, ())
