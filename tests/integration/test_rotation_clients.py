# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People's Thunderbird takes part in the rotation; people whose program is not managed are named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fleet import SMARTHOST_NAME, why_impossible
from tests.support.people import make_person, profile_of, saved
from tests.support.rotation import RotationSite
from tests.support.site import from_store
from tests.support.thunderbird import PROGRAM_DIRECTORY
from tests.support.thunderbird_profile import in_use, make_profile

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(why_impossible()), reason=why_impossible()),
    pytest.mark.skipif(not PROGRAM_DIRECTORY.exists(), reason="Thunderbird is not installed"),
]

#: Whose Thunderbird is on which host; bob's is on none that is managed.
PEOPLE = {"alice": "h1", "carol": "h2"}
LOGINS = [f"{person}@example.com" for person in (*PEOPLE, "bob")]


@pytest.fixture
def clients(site: RotationSite, tmp_path: Path) -> Iterator[Path]:
    """An inventory beside the site's own, with the people's Thunderbird."""
    hosts = {host.name: host for host in site.fleet.hosts}
    store = {"path": str(site.store), "names": LOGINS}
    inventory = site.folder / "clients.yml"
    try:
        site.play({"smarthost.spamexperts.credential_store": store})
        for login in LOGINS:
            entry = {"domain": "example.com", "username": login.partition("@")[0]}
            site.emulator.seed(users=[{**entry, "password": site.stored()[login]["current"]}])
        members: dict[str, dict[str, Any]] = {}
        for person, name in PEOPLE.items():
            make_person(hosts[name], person, make_profile(tmp_path / "made" / person))
            login = f"{person}@example.com"
            password = from_store(login)
            members[name] = {
                "outgoing_mail_thunderbird_people": [{"user": person, "login": login, "password": password}]
            }
        # Alice is declared.
        alice = {"username": "alice", "people": [{"host": PEOPLE["alice"], "user": "alice"}]}
        del members[PEOPLE["alice"]]
        variables = {"spamexperts_domains": [{"domain": "example.com", "senders": [alice]}]}
        content = {"all": {"vars": variables}, "mail_clients": {"hosts": members}}
        inventory.write_text(yaml.safe_dump(content), encoding="utf-8")
        yield inventory
    finally:
        for person, name in PEOPLE.items():
            hosts[name].run("userdel", "--remove", person, check=False)
        site.play({"smarthost.spamexperts.credential_store": {**store, "state": "absent"}})
        for login in LOGINS:
            site.emulator.call("outgoingusers/remove", domain="example.com", username=login.partition("@")[0])


def test_saved_logins_change_and_the_others_are_told(site: RotationSite, clients: Path, tmp_path: Path) -> None:
    first, second = site.fleet.hosts
    site.remember()
    origin = f"smtp://{SMARTHOST_NAME}"
    with in_use(profile_of(second, "carol")):
        run = site.rotate("-i", str(clients))
    assert run.returncode == 2, run.output
    site.check_rotated([*site.names, "alice@example.com", "bob@example.com"])
    stored = site.stored()
    assert saved(first, "alice", tmp_path)[origin, "alice@example.com"] == stored["alice@example.com"]["current"]
    assert (origin, "carol@example.com") not in saved(second, "carol", tmp_path)
    report = site.report()
    assert {host: person["state"] for host, (person,) in report["clients"].items()} == {"h1": "updated", "h2": "failed"}
    assert "is in use by" in report["clients"]["h2"][0]["reason"]
    assert site.outcomes()["carol@example.com"] == "pending"
    assert report["tell"] == ["bob@example.com", "carol@example.com"]
    assert "tell the people who do: bob@example.com, carol@example.com" in " ".join(run.output.split())
    # Once more: alice has a password that Thunderbird has saved, and carol gets the one that the vendor has already.
    following = stored["carol@example.com"]["next"]
    site.remember()
    run = site.rotate("-i", str(clients), everything=False, logins=["alice@example.com", "carol@example.com"])
    assert run.returncode == 0, run.output
    stored = site.stored()
    assert saved(first, "alice", tmp_path)[origin, "alice@example.com"] == stored["alice@example.com"]["current"]
    assert stored["carol@example.com"]["current"] == following
    assert saved(second, "carol", tmp_path)[origin, "carol@example.com"] == following
    assert site.report()["tell"] == []
    assert saved(first, "alice", tmp_path)["smtp://smtp.example.org", "alice"] == "Alice's own"


@pytest.mark.slow
def test_two_people_of_one_host_of_whom_one_has_thunderbird_open(
    site: RotationSite, clients: Path, tmp_path: Path
) -> None:
    host = site.fleet.hosts[0]
    make_person(host, "bob", make_profile(tmp_path / "bobs"))
    people = [
        {
            "user": person,
            "login": f"{person}@example.com",
            "password": from_store(f"{person}@example.com"),
        }
        for person in ("alice", "bob")
    ]
    members = {host.name: {"outgoing_mail_thunderbird_people": people}}
    clients.write_text(yaml.safe_dump({"mail_clients": {"hosts": members}}), encoding="utf-8")
    logins, origin = ["alice@example.com", "bob@example.com"], f"smtp://{SMARTHOST_NAME}"
    site.remember()
    try:
        with in_use(profile_of(host, "bob")):
            run = site.rotate("-i", str(clients), everything=False, logins=logins)
        assert run.returncode == 2, run.output
        assert site.outcomes() == {"alice@example.com": "committed", "bob@example.com": "pending"}
        assert [person["state"] for person in site.report()["clients"]["h1"]] == ["updated", "failed"]
        assert site.report()["tell"] == ["bob@example.com"]
        following = site.stored()["bob@example.com"]["next"]
        run = site.rotate("-i", str(clients), everything=False, logins=["bob@example.com"])
        assert run.returncode == 0, run.output
        assert site.stored()["bob@example.com"]["current"] == following
        assert saved(host, "bob", tmp_path)[origin, "bob@example.com"] == following
    finally:
        host.run("userdel", "--remove", "bob", check=False)


@pytest.mark.slow
def test_a_login_is_not_removed_while_a_thunderbird_may_use_it(
    site: RotationSite, clients: Path, tmp_path: Path
) -> None:
    """Carol sends with the login of her mail server, which moves to its second one."""
    host = site.fleet.hosts[1]
    name = site.name(host.name)
    person = {
        "user": "carol",
        "login": from_store(name, "login"),
        "password": from_store(name),
    }
    shared = tmp_path / "shared.yml"
    variables = {"outgoing_mail_thunderbird_people": [person]}
    shared.write_text(yaml.safe_dump({"mail_clients": {"hosts": {host.name: variables}}}), encoding="utf-8")
    inventories = ("-i", str(clients), "-i", str(shared))
    site.remember()
    first = site.stored()[name]["login"]
    with in_use(profile_of(host, "carol")):
        run = site.rotate(*inventories, strategy="alternate", everything=False, logins=[name])
    assert run.returncode == 2, run.output
    assert f"{first} works as well, until nobody uses it and a run has removed it" in run.output
    second = site.stored()[name]["next_login"]
    assert site.outcomes() == {name: "pending"}
    assert site.accepts(first, site.old[name])
    assert site.accepts(second, site.stored()[name]["next"])
    run = site.rotate(*inventories, everything=False, logins=[name])
    assert run.returncode == 0, run.output
    assert saved(host, "carol", tmp_path)[f"smtp://{SMARTHOST_NAME}", second] == site.stored()[name]["current"]
    site.check_rotated([name])
