# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook offboard_user: out of the maps first, then out of the filter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import site as common
from tests.support.emulator import Emulator
from tests.support.playbook import OUT_OF_REACH, PlaybookRun, inventory_file
from tests.support.postfix import ScratchPostfix, path_with_main_instance
from tests.support.relay import relay, snapshot
from tests.support.wire import PASSWORD

pytestmark = pytest.mark.root


@pytest.fixture
def other() -> Iterator[ScratchPostfix]:
    """A second mail server."""
    with ScratchPostfix() as running:
        yield running


class Site(common.Site):
    """One mail server with a login for the rest and one for alice."""

    def __init__(self, folder: Path, emulator: Emulator, *relays: ScratchPostfix) -> None:
        super().__init__(folder, emulator, folder / "inventory.yml")
        self.relays, self.old = relays, {"server@example.com": PASSWORD}
        emulator.seed(
            domains=["example.com"],
            users=[{"domain": "example.com", "username": name, "password": PASSWORD} for name in ("alice", "server")],
        )
        self._alice = {"login": "alice@example.com", "password": PASSWORD, "senders": ["alice@example.com"]}
        inventory_file(
            self.inventory,
            emulator,
            *relays,
            outgoing_mail_login="server@example.com",
            outgoing_mail_password=PASSWORD,
            outgoing_mail_logins=[self._alice],
        )

    def leave(self, *options: str, **leaving: Any) -> PlaybookRun:
        """Offboard somebody."""
        return self.run("offboard_user", *options, spamexperts_offboarding={"domain": "example.com", **leaving})

    def configure(self, *more: dict[str, Any]) -> None:
        """Set the mail servers up, with both logins, and with more of them."""
        own: dict[str, Any] = {"default_login": "server@example.com", "default_password": PASSWORD}
        for postfix in self.relays:
            run = relay(postfix, **self.emulator.smarthost_options, **own, logins=[self._alice, *more])
            assert not run.failed, run.message

    @contextmanager
    def changed_inventory(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """The variables of all hosts, and those of each mail server by its name; changes are written."""
        content = yaml.safe_load(self.inventory.read_text())
        yield content["all"]["vars"], content["all"]["children"]["mail_relays"]["hosts"]
        self.inventory.write_text(yaml.safe_dump(content))


def test_somebody_leaves(tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix) -> None:
    site = Site(tmp_path, emulator, postfix)
    site.configure()
    emulator.reset_counters()
    checked = site.leave("--check", usernames=["alice"])
    assert checked.returncode == 0, checked.output
    assert emulator.counters()["writes"] == 0
    assert set(site.users()) == {"alice", "server"}

    site.change_store(names=["alice@example.com", "server@example.com"])
    with site.changed_inventory() as (variables, _hosts):
        variables["spamexperts_credential_store"] = str(site.store)
    gone = site.leave(usernames=["alice"])
    assert gone.returncode == 0, gone.output
    assert "alice@example.com is still in the credential store" in gone.output
    assert "server@example.com is still" not in gone.output
    assert "alice removed" in gone.output
    assert "mail1: alice@example.com" in gone.output
    assert set(site.users()) == {"server"}
    postfix.inject("alice@example.com", "somebody@example.net", "after she left")
    postfix.wait_until_empty(30)
    assert [mail["login"] for mail in emulator.mails()] == ["server@example.com"]

    site.vault_file.write_text("another password\n", encoding="utf-8")
    again = site.leave(usernames=["alice"])
    assert again.returncode == 0, again.output
    assert again.changed() == 0, again.output
    assert "did not use them" in again.output
    assert "Whether the store still has them is not known: credential store" in again.output


def test_mail_servers_that_a_pattern_names_are_reported(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix
) -> None:
    """The pattern may stand in the inventory, which knows no group mail_relays."""
    site = Site(tmp_path, emulator, postfix)
    content = yaml.safe_load(site.inventory.read_text())
    hosts = content["all"]["children"].pop("mail_relays")["hosts"]
    groups = {"postfixes": {"hosts": {"post1": hosts["mail1"]}}, "desks": {"hosts": {"desk": OUT_OF_REACH}}}
    content["all"]["children"] = groups
    content["all"]["vars"]["spamexperts_relay_hosts"] = "post*:!localhost"
    site.inventory.write_text(yaml.safe_dump(content))
    configured = site.run("configure_relays")
    assert configured.returncode == 0, configured.output
    assert configured.recap()["post1"]["changed"] == 1
    run = site.leave(usernames=["alice"])
    assert run.returncode == 0, run.output
    assert "post1: alice@example.com" in run.output


def test_nobody_else_loses_a_login_that_the_inventory_does_not_name(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix
) -> None:
    """As where outgoing_mail_logins stands in a playbook of the administrator's own."""
    site = Site(tmp_path, emulator, postfix)
    emulator.seed(users=[{"domain": "example.com", "username": "bob", "password": PASSWORD}])
    site.configure({"login": "bob@example.com", "password": PASSWORD, "senders": ["bob@example.com"]})
    before = snapshot(postfix.config_directory)
    run = site.leave(usernames=["alice"])
    assert run.returncode != 0
    assert "mail1 also sends with bob@example.com, which its outgoing_mail_logins in the inventory do not" in run.output
    assert snapshot(postfix.config_directory) == before
    assert set(site.users()) == {"alice", "bob", "server"}


def test_an_empty_configuration_directory_is_the_main_instance(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix
) -> None:
    """As in the role; the variable may be there for the sake of other hosts."""
    site = Site(tmp_path, emulator, postfix)
    with site.changed_inventory() as (_shared, hosts):
        hosts["mail1"]["outgoing_mail_config_directory"] = ""
    site.environment["PATH"] = path_with_main_instance(postfix, tmp_path)
    run = site.leave("--check", usernames=["alice"])
    assert run.returncode == 0, run.output


def test_nothing_is_changed_where_the_filter_cannot_do_it(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix
) -> None:
    """The help page shows a call that locks, and nobody has said that it may be used."""
    site = Site(tmp_path, emulator, postfix)
    site.configure()
    before = snapshot(postfix.config_directory)
    del site.api_options["use_discovered_methods"]
    run = site.leave(usernames=["alice"], action="lock")
    assert run.returncode != 0
    assert "api_methods" in run.output
    assert snapshot(postfix.config_directory) == before


def test_a_mail_server_whose_own_login_the_inventory_does_not_know_is_named_first(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix
) -> None:
    """As after an onboarding, which gives it the login of the sender that is marked for it."""
    site = Site(tmp_path, emulator, postfix)
    site.configure()
    before = snapshot(postfix.config_directory)
    with site.changed_inventory() as (shared, _hosts):
        del shared["outgoing_mail_login"]
    run = site.leave(usernames=["alice"])
    assert run.returncode != 0
    assert "The inventory does not say how mail1 sends the rest of its mail" in run.output
    assert snapshot(postfix.config_directory) == before
    assert set(site.users()) == {"alice", "server"}


def test_a_mail_server_that_fails_still_has_the_login(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix, other: ScratchPostfix
) -> None:
    site = Site(tmp_path, emulator, postfix, other)
    site.configure()
    with site.changed_inventory() as (_shared, hosts):
        hosts["mail2"]["outgoing_mail_concurrency"] = 99
    run = site.leave(usernames=["alice"])
    assert run.returncode != 0
    assert "mail1: alice@example.com" in run.output
    assert "mail2: still has alice@example.com; run the playbook again" in run.output


def test_a_login_that_a_mail_server_needs_is_not_taken_away(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix
) -> None:
    site = Site(tmp_path, emulator, postfix)
    site.configure()
    run = site.leave(usernames=["server"], action="lock")
    assert run.returncode != 0
    assert "give it another outgoing_mail_login first" in run.output
    assert not any(user["locked"] for user in emulator.users())


def test_a_login_in_a_table_that_somebody_else_has_written_is_not_overlooked(
    tmp_path: Path, emulator: Emulator, other: ScratchPostfix
) -> None:
    site = Site(tmp_path, emulator, other)
    table = other.config_directory / "sasl"
    table.write_text(f"smarthost.example Alice@Example.com:{PASSWORD}\n", encoding="utf-8")
    other.set(smtp_sasl_password_maps=f"texthash:{table}")
    run = site.leave(usernames=["alice"])
    assert run.returncode != 0
    assert (
        "has Alice@Example.com in a table of smtp_sasl_password_maps that this collection has not written" in run.output
    )
    assert PASSWORD not in run.output
    assert set(site.users()) == {"alice", "server"}


def test_somebody_is_locked(tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix) -> None:
    site = Site(tmp_path, emulator, postfix)
    run = site.leave(usernames=["alice"], action="lock")
    assert run.returncode == 0, run.output
    assert {user["username"]: user["locked"] for user in emulator.users()} == {"alice": 1, "server": 0}


def test_bad_input_is_one_sentence(tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix) -> None:
    run = Site(tmp_path, emulator, postfix).leave(usernames=["a/b"])
    assert run.returncode != 0
    assert "is not the local part of an address" in run.output
    assert emulator.counters()["writes"] == 0


def test_a_slip_in_the_domain_is_no_success(tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix) -> None:
    site = Site(tmp_path, emulator, postfix)
    run = site.leave(domain="exampel.com", usernames=["alice"])
    assert run.returncode == 2
    assert "no such domain in this account: exampel.com (did you mean example.com?)" in run.output
    assert "Let the mail server send without the logins" not in run.output
    assert set(site.users()) == {"alice", "server"}


def test_an_account_that_is_not_there(tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix) -> None:
    site = Site(tmp_path, emulator, postfix)
    run = site.leave(usernames=["alice"], account="office")
    assert run.returncode == 2
    assert "names the account office, but spamexperts_accounts does not have it" in run.output
    assert set(site.users()) == {"alice", "server"}
    assert emulator.counters()["reads"] == emulator.counters()["writes"] == 0


def test_where_no_mail_server_can_be_reached_the_vendor_is_told_nevertheless(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix
) -> None:
    site = Site(tmp_path, emulator, postfix)
    site.configure()
    with site.changed_inventory() as (_shared, hosts):
        hosts["mail1"].update(OUT_OF_REACH)
    run = site.leave(usernames=["alice"])
    assert run.returncode != 0
    assert set(site.users()) == {"server"}
    assert "alice removed" in run.output
    assert "mail1: not reached; run the playbook again for it" in run.output
    assert run.recap()["localhost"]["changed"] == 2, "the change at the vendor, tried and made"
    assert "Gathering Facts" not in run.output


@pytest.mark.slow
def test_where_the_only_mail_server_fails_the_vendor_is_told_nevertheless(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix
) -> None:
    site = Site(tmp_path, emulator, postfix)
    site.configure()
    with site.changed_inventory() as (_shared, hosts):
        hosts["mail1"]["outgoing_mail_concurrency"] = 99
    run = site.leave(usernames=["alice"])
    assert run.returncode != 0
    assert set(site.users()) == {"server"}
    assert "mail1: still has alice@example.com; run the playbook again" in run.output


@pytest.mark.slow
def test_a_limit_does_not_leave_out_the_vendor(tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix) -> None:
    site = Site(tmp_path, emulator, postfix)
    site.configure()
    before = snapshot(postfix.config_directory)
    run = site.leave("--limit", "mail1", usernames=["alice"])
    assert run.returncode == 2
    assert "This run is limited to mail1, which leaves out localhost" in run.output
    assert snapshot(postfix.config_directory) == before
    assert set(site.users()) == {"alice", "server"}

    run = site.leave("--limit", "mail1,localhost", usernames=["alice"])
    assert run.returncode == 0, run.output
    assert "mail1: alice@example.com" in run.output
    assert set(site.users()) == {"server"}


@pytest.mark.slow
def test_a_test_mail_without_a_login_is_from_the_postmaster_of_the_host(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix
) -> None:
    site = Site(tmp_path, emulator, postfix)
    emulator.seed(users=[{"domain": "example.com", "username": "127.0.0.1", "authentication_method": "ip"}])
    with site.changed_inventory() as (shared, _hosts):
        del shared["outgoing_mail_login"], shared["outgoing_mail_password"]
        shared["outgoing_mail_authentication"] = "ip"
    site.configure()
    with site.changed_inventory() as (shared, _hosts):
        shared["outgoing_mail_test_recipient"] = "someone@elsewhere.example"
    run = site.leave(usernames=["alice"])
    assert run.returncode == 0, run.output
    assert [mail["mail_from"] for mail in emulator.mails()] == ["postmaster@client.test.example"]
