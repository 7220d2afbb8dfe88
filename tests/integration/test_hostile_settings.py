# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every playbook under settings of somebody's ansible.cfg that change what plays mean."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.apply import DeclaredSite
from tests.support.emulator import Emulator
from tests.support.hostile import hostile_settings
from tests.support.playbook import OUT_OF_REACH
from tests.support.postfix import ScratchPostfix
from tests.support.relay import relay

pytestmark = pytest.mark.root

WEB, ALICE = "web1@example.com", "alice@example.net"
OLD = {WEB: "the password from before", ALICE: "alice's own password"}


class Site(DeclaredSite):
    """Two mail servers with a login for all mail and one for that of example.net; a third one may be out of reach."""

    def __init__(self, folder: Path, emulator: Emulator, *relays: ScratchPostfix) -> None:
        super().__init__(folder, emulator, *relays)
        self.relays, self.old = relays, dict(OLD)
        self.environment.update(hostile_settings(folder))
        for number, _relay in enumerate(relays, 1):
            self.change_host(f"mail{number}", ansible_become=False)
        web = {"username": "web1", "relay": True, "default_for": ["mail_relays"]}
        self.declare("example.com", web, abuse_contact="postmaster@example.com")
        self.declare("example.net", {"username": "alice", "relay": True}, {"username": "bob"})

    def check_secrets(self, text: str) -> None:
        """None stands in a report of a callback either."""
        reports = [path for name in ("junit", "facts") for path in (self.folder / name).rglob("*")]
        super().check_secrets(text + "".join(path.read_text(encoding="utf-8") for path in reports if path.is_file()))

    def fill_vendor(self) -> None:
        """Have the logins from before at the vendor."""
        users = [(login.split("@"), password) for login, password in OLD.items()]
        self.emulator.seed(
            domains=["example.com", "example.net"],
            users=[{"domain": domain, "username": name, "password": password} for (name, domain), password in users],
        )

    def set_up(self) -> None:
        """Have the passwords at the vendor, in the store, and on the mail servers, without a run."""
        self.fill_vendor()
        self.fill_store(OLD)
        for postfix in self.relays:
            run = relay(
                postfix,
                **self.emulator.smarthost_options,
                default_login=WEB,
                default_password=OLD[WEB],
                logins=[{"login": ALICE, "password": OLD[ALICE], "senders": ["@example.net"]}],
            )
            assert not run.failed, run.message

    def check_mail(self, sender: str, login: str) -> None:
        """Mail of this sender leaves every mail server with this login."""
        before = len(self.emulator.mails())
        for postfix in self.relays:
            postfix.inject(sender, "somebody@example.org", "through the smarthost")
            postfix.wait_until_empty(30)
        assert [mail["login"] for mail in self.emulator.mails()[before:]] == [login] * len(self.relays)


@pytest.fixture
def site(tmp_path: Path, emulator: Emulator) -> Iterator[Site]:
    with ScratchPostfix() as first, ScratchPostfix() as second:
        yield Site(tmp_path, emulator, first, second)


@pytest.mark.slow
def test_logins_are_taken_in_declared_and_onboarded(site: Site) -> None:
    site.fill_vendor()
    table = site.folder / "users.csv"
    lines = [f"{name.replace('@', ',')},{password}\n" for name, password in OLD.items()]
    table.write_text("username,domain,password\n" + "".join(lines), encoding="utf-8")
    site.succeed("import_site", spamexperts_credentials_csv=str(table))
    assert site.passwords() == OLD
    summary = site.succeed("onboard_domain", spamexperts_domain="example.com").output.partition("TASK [Summary]")[2]
    assert "changed, sends as web1@example.com" in summary
    site.succeed("apply", "--diff")
    assert {name: password for name, password in site.passwords().items() if name in OLD} == OLD
    assert site.succeed("apply").changed() == 0
    assert site.succeed("configure_relays").changed() == 0
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
    site.succeed("apply")
    site.declare("example.net", {"username": "bob"})
    site.succeed("offboard_user", spamexperts_leaving=ALICE)
    assert set(site.passwords()) == {WEB, "bob@example.net"}
    assert set(site.users()) == {"web1", "bob"}
    site.check_mail(ALICE, WEB)


def test_one_mail_server_that_fails_ends_no_rotation(site: Site) -> None:
    """Its failure comes when the vendor has the new passwords already."""
    site.set_up()
    site.change_host("down", **OUT_OF_REACH)
    site.environment["ANSIBLE_CALLBACK_RESULT_FORMAT"] = "json"
    rotation = {"everything": True, "store_is_kept": True, "emergency": True}
    run = site.run("rotate_credentials", spamexperts_rotation=rotation)
    assert run.returncode == 4, "a host could not be reached"
    assert "Not everything is done, see the report" in run.output
    for postfix in site.relays:
        table = (postfix.config_directory / "smarthost_passwords").read_text(encoding="utf-8")
        assert site.stored()[WEB]["next"] in table
    site.check_mail(WEB, WEB)


@pytest.mark.slow
def test_one_mail_server_that_fails_ends_no_apply(site: Site) -> None:
    """The others are set up, and whoever it may send as stays."""
    site.set_up()
    site.change_host("down", **OUT_OF_REACH)
    run = site.run("apply", spamexperts_prove="all")
    assert run.returncode == 4, run.output
    assert "FAILED: mail server down: not reached" in " ".join(run.output.split())
    assert set(site.users()) == {"web1", "alice", "bob"}
    site.declare("example.net", {"username": "bob"})
    site.declare("example.com", {"username": "web1", "relay": True})
    run = site.run("apply", spamexperts_remove=True)
    assert run.returncode == 4, run.output
    assert f"{ALICE} is not removed: down was not looked at, and may send as it" in " ".join(run.output.split())
    assert set(site.users()) == {"web1", "alice", "bob"}
    site.check_mail(ALICE, WEB)
