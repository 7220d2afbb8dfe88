# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every playbook under settings of somebody's ansible.cfg that change what plays mean."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import site as common
from tests.support.emulator import Emulator
from tests.support.hostile import hostile_settings
from tests.support.playbook import OUT_OF_REACH, inventory_file
from tests.support.postfix import ScratchPostfix
from tests.support.relay import relay
from tests.support.site import from_store

pytestmark = pytest.mark.root

WEB, ALICE = "web1@example.com", "alice@example.com"
OLD = {WEB: "the password from before", ALICE: "alice's own password"}


class Site(common.Site):
    """Two mail servers with a login for all mail and one for alice's; a third one may be out of reach."""

    def __init__(self, folder: Path, emulator: Emulator, *relays: ScratchPostfix) -> None:
        super().__init__(folder, emulator, folder / "inventory.yml")
        self.relays, self.old = relays, dict(OLD)
        self.environment.update(hostile_settings(folder))
        users = [{"domain": "example.com", "username": name.split("@")[0], "password": OLD[name]} for name in OLD]
        emulator.seed(domains=["example.com"], users=users)
        alice = {"login": ALICE, "password": from_store(ALICE), "senders": [ALICE]}
        variables: dict[str, Any] = {
            "spamexperts_credential_store": str(self.store),
            "outgoing_mail_login": from_store(WEB, "login"),
            "outgoing_mail_password": from_store(WEB),
            "outgoing_mail_logins": [alice],
        }
        inventory_file(self.inventory, emulator, *relays, **variables)
        self.change_hosts({f"mail{number}": {"ansible_become": False} for number, _relay in enumerate(relays, 1)})

    def change_hosts(self, hosts: dict[str, dict[str, Any]]) -> None:
        """Give mail servers further variables, or have further mail servers."""
        content = yaml.safe_load(self.inventory.read_text(encoding="utf-8"))
        known = content["all"]["children"]["mail_relays"]["hosts"]
        for name, variables in hosts.items():
            known.setdefault(name, {}).update(variables)
        self.inventory.write_text(yaml.safe_dump(content), encoding="utf-8")

    def check_secrets(self, text: str) -> None:
        """None stands in a report of a callback either."""
        reports = [path for name in ("junit", "facts") for path in (self.folder / name).rglob("*")]
        super().check_secrets(text + "".join(path.read_text(encoding="utf-8") for path in reports if path.is_file()))

    def set_up(self) -> None:
        """Have the passwords in the store, and on the mail servers, without a run."""
        self.fill_store(OLD)
        for postfix in self.relays:
            run = relay(
                postfix,
                **self.emulator.smarthost_options,
                default_login=WEB,
                default_password=OLD[WEB],
                logins=[{"login": ALICE, "password": OLD[ALICE], "senders": [ALICE]}],
            )
            assert not run.failed, run.message

    def check_mail(self, sender: str, login: str) -> None:
        """Mail of this sender leaves every mail server with this login."""
        before = len(self.emulator.mails())
        for postfix in self.relays:
            postfix.inject(sender, "somebody@example.net", "through the smarthost")
            postfix.wait_until_empty(30)
        assert [mail["login"] for mail in self.emulator.mails()[before:]] == [login] * len(self.relays)


@pytest.fixture
def site(tmp_path: Path, emulator: Emulator) -> Iterator[Site]:
    with ScratchPostfix() as first, ScratchPostfix() as second:
        yield Site(tmp_path, emulator, first, second)


@pytest.mark.slow
def test_logins_are_adopted_and_a_domain_is_onboarded(site: Site) -> None:
    table = site.folder / "users.csv"
    lines = [f"{name.split('@')[0]},example.com,{OLD[name]}\n" for name in OLD]
    table.write_text("username,domain,password\n" + "".join(lines), encoding="utf-8")
    site.succeed("adopt_credentials", spamexperts_credentials_csv=str(table))
    assert {name: entry["current"] for name, entry in site.stored().items()} == OLD
    site.succeed("configure_relays")
    description = {
        "domain": "example.com",
        "abuse_contact": "postmaster@example.com",
        "senders": [
            {"username": "alice", "password": from_store(ALICE), "limits": {"per_hour": 200}},
            {"username": "web1", "password": from_store(WEB), "relay": True},
        ],
    }
    onboarded = site.succeed("onboard_domain", spamexperts_onboarding=description)
    # The callback for YAML breaks long lines.
    assert "its login is proven from there" in " ".join(onboarded.output.split())
    assert site.run("onboard_domain", spamexperts_onboarding=description).changed() == 0
    site.check_mail(ALICE, ALICE)


@pytest.mark.slow
def test_passwords_are_rotated_and_somebody_leaves(site: Site) -> None:
    site.set_up()
    site.succeed("rotate_credentials", spamexperts_rotation={"everything": True, "store_is_kept": True})
    for name, entry in site.stored().items():
        assert entry["current"] != OLD[name]
        assert "next" not in entry
    assert "Credentials in no rotation: 2." in site.succeed("rotation_status").output
    site.check_mail(ALICE, ALICE)
    leaving = {"domain": "example.com", "usernames": ["alice"]}
    gone = site.succeed("offboard_user", spamexperts_offboarding=leaving)
    assert [gone.output.count(f"mail{number}: {ALICE}") for number in (1, 2)] == [1, 1]
    shown = " ".join(gone.output.split())  # YAML folds long lines
    assert f"{ALICE} is still in the credential store" in shown
    assert f"{WEB} is still" not in shown
    assert {user["username"] for user in site.emulator.users()} == {"web1"}
    site.check_mail(ALICE, WEB)


def test_one_mail_server_that_fails_ends_no_rotation(site: Site) -> None:
    """Its failure comes when the vendor has the new passwords already."""
    site.set_up()
    site.change_hosts({"down": OUT_OF_REACH})
    site.environment["ANSIBLE_CALLBACK_RESULT_FORMAT"] = "json"
    rotation = {"everything": True, "store_is_kept": True, "emergency": True}
    run = site.run("rotate_credentials", spamexperts_rotation=rotation)
    assert run.returncode == 4, "a host could not be reached"
    assert "Not everything is done, see the report" in run.output
    for postfix in site.relays:
        table = (postfix.config_directory / "smarthost_passwords").read_text(encoding="utf-8")
        assert site.stored()[WEB]["next"] in table
    site.check_mail(WEB, WEB)


def test_whoever_a_mail_server_needs_stays(site: Site) -> None:
    """One mail server refuses, so no other is changed, nor the vendor."""
    site.set_up()
    site.change_hosts({"mail2": {"outgoing_mail_login": "", "outgoing_mail_password": ""}})
    leaving = {"domain": "example.com", "usernames": ["alice"]}
    run = site.run("offboard_user", spamexperts_offboarding=leaving)
    assert run.returncode == 2
    assert "The inventory does not say how mail2 sends the rest of its mail" in run.output
    assert {user["username"] for user in site.emulator.users()} == {"alice", "web1"}
    site.check_mail(ALICE, ALICE)
