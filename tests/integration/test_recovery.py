# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every command of docs/recovery.md runs as it stands there, and what it promises is true at the far end."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import ROOT
from tests.support.action import Controller
from tests.support.documentation import FENCE
from tests.support.machine import ADDRESS, Machine, machine
from tests.support.site import VAULT_PASSWORD, from_store
from tests.support.store import read_store

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(1200)]

WEB, SCANNER = "web1@example.com", "scanner@example.com"
NOW = {WEB: "the password of now", SCANNER: "the scanner's of now"}
BEFORE = {WEB: "the password from before", SCANNER: "the scanner's from before"}
GUIDE = ROOT / "docs" / "recovery.md"


def chapters() -> dict[str, list[str]]:
    """Each heading of the page -> its blocks of commands."""
    parts = re.split(r"^## (.+)$", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {
        title: [match["text"] for match in FENCE.finditer(text) if match["language"] == "console"]
        for title, text in zip(parts[::2], parts[1::2])
    }


class Site:
    """One mail server that sends as web1, and a scanner that nobody manages; store and vendor know both."""

    def __init__(self, host: Machine) -> None:
        self.host, self.folder = host, host.work
        self.store, self.vault = host.work / "credentials.yml", host.work / "FILE"
        self.printed = ""
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "ansible_become": False,
            "spamexperts_credential_store": "./credentials.yml",
            "outgoing_mail_login": from_store(WEB, "login"),
            "outgoing_mail_password": from_store(WEB),
        }
        hosts = {"all": {"vars": variables, "children": {"mail_relays": {"hosts": {"mail1": {}}}}}}
        (host.work / "inventory").write_text(yaml.safe_dump(hosts), encoding="utf-8")

    def set_up(self) -> None:
        """Everything fits, with the passwords of now."""
        self.host.emulator.reset()
        users = [{"domain": "example.com", "username": name.split("@")[0], "password": NOW[name]} for name in NOW]
        self.host.emulator.seed(domains=["example.com"], users=users)
        self.vault.write_text(f"{VAULT_PASSWORD}\n", encoding="utf-8")
        self.write_store(NOW)
        self.execute("ansible-playbook smarthost.spamexperts.configure_relays -i inventory --vault-password-file FILE")

    def write_store(self, passwords: dict[str, str]) -> None:
        """Have a store with exactly these."""
        self.store.unlink(missing_ok=True)
        controller = Controller(self.folder, [("default", VAULT_PASSWORD)])
        credentials = [{"name": name, "password": password} for name, password in passwords.items()]
        controller.run_action("credential_store", {"path": str(self.store), "credentials": credentials})

    def execute(self, commands: str) -> str:
        """Run lines of a shell on this machine; each has to succeed, and shows no password."""
        wrapper = [*self.host.wrapper, "env", f"--chdir={self.folder}", "sh", "-e"]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**self.host.environment(), "PATH": path}
        done = subprocess.run(
            wrapper, input=commands, env=environment, capture_output=True, text=True, check=False, timeout=280
        )
        self.printed = done.stdout + done.stderr
        assert done.returncode == 0, self.printed
        assert [secret for secret in (*NOW.values(), *BEFORE.values()) if secret in self.printed] == []
        return self.printed

    def follow(self, title: str, *numbers: int) -> list[str]:
        """Run these blocks of a chapter, or all; what each has printed."""
        blocks = chapters()[title]
        return [self.execute(blocks[number]) for number in numbers or range(len(blocks))]

    def stored(self) -> dict[str, dict[str, str]]:
        """What the store holds."""
        return read_store(self.store, self.vault.read_text(encoding="utf-8").strip())

    def accepts(self, login: str, password: str) -> bool:
        """Whether the smarthost takes this login."""
        return self.host.emulator.accepts(login, password, ADDRESS)

    def check(self, *names: str) -> None:
        """Store and vendor agree, and the mail server sends."""
        stored = self.stored()
        assert {name: self.accepts(stored[name]["login"], stored[name]["current"]) for name in names} == dict.fromkeys(
            names, True
        )
        before = len(self.host.emulator.mails())
        self.host.postfix.inject(WEB, "somebody@example.net", "after the recovery")
        self.host.postfix.wait_until_empty(30)
        assert [mail["login"] for mail in self.host.emulator.mails()[before:]] == [WEB]


@pytest.fixture(scope="module")
def whole_site() -> Iterator[Site]:
    with machine() as host:
        yield Site(host)


@pytest.fixture
def site(whole_site: Site) -> Site:
    whole_site.set_up()
    return whole_site


def test_the_store_is_lost(site: Site) -> None:
    site.store.unlink()
    taken, _new, agreed = site.follow("The store is lost")
    assert "New in the store, proven: 1 login; there before: 0." in taken
    assert "changed=0" in agreed
    assert "changed=1" not in agreed, "the mail server has what the store has"
    assert site.stored()[WEB]["current"] == NOW[WEB]
    assert not site.accepts(SCANNER, NOW[SCANNER])
    site.check(WEB, SCANNER)


def test_the_vault_password_is_lost(site: Site) -> None:
    site.follow("The vault password is lost")
    assert site.vault.read_text(encoding="utf-8").strip() != VAULT_PASSWORD
    assert site.vault.stat().st_mode & 0o777 == 0o600
    site.follow("The store is lost")
    assert site.stored()[WEB]["current"] == NOW[WEB]
    site.check(WEB, SCANNER)


def test_the_store_is_older_than_the_vendor(site: Site) -> None:
    site.write_store(BEFORE)
    title = "The store is older than the vendor"
    (seen,) = site.follow(title, 0)
    assert "it works, but the store has another password" in seen
    assert site.stored()[WEB]["current"] == BEFORE[WEB]
    site.follow(title, 1, 2, 3)
    assert site.stored()[WEB]["current"] == NOW[WEB]
    assert "Credentials in no rotation: 2." in site.printed
    assert site.accepts(SCANNER, BEFORE[SCANNER])
    site.check(WEB, SCANNER)


def test_a_mail_server_comes_back_from_a_backup(site: Site) -> None:
    backup = site.folder / "backup"
    shutil.copytree(site.host.postfix.config_directory, backup)
    site.host.emulator.set_password("example.com", "web1", BEFORE[WEB])  # any other one
    site.write_store({**NOW, WEB: BEFORE[WEB]})
    shutil.copytree(backup, site.host.postfix.config_directory, dirs_exist_ok=True)
    site.host.postfix.inject(WEB, "somebody@example.net", "of the backup")
    site.host.postfix.wait_until_quiet()
    assert len(site.host.postfix.queue()) == 1, "it waits, as the password of the backup is refused"
    _held, configured, looked = site.follow("A mail server comes back from a backup")
    assert "changed=1" in configured
    assert "somebody@example.net" in looked
    site.check(WEB)
    assert [mail["subject"] for mail in site.host.emulator.mails()] == ["after the recovery"]


def test_every_command_of_the_page_is_run_by_a_test_of_its_chapter() -> None:
    tests = Path(__file__).read_text(encoding="utf-8")
    counts: dict[str, Any] = {title: len(blocks) for title, blocks in chapters().items()}
    assert counts == {
        "The store is lost": 3,
        "The vault password is lost": 1,
        "The store is older than the vendor": 4,
        "A mail server comes back from a backup": 3,
    }
    assert all(f'"{title}"' in tests for title in counts)
