# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an administrator has: an inventory, a credential store with its vault password, and playbooks to run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.action import Controller
from tests.support.emulator import Emulator
from tests.support.playbook import PlaybookRun, ansible_environment, run_playbook
from tests.support.store import read_store

VAULT_PASSWORD = "the vault's own password"


def from_store(name: str, part: str = "password") -> str:
    """What a variable says that takes a login or a password from the store."""
    return f"{{{{ lookup('smarthost.spamexperts.credential', '{name}', part='{part}') }}}}"


class Site:
    """Runs playbooks, none of which may print a password."""

    def __init__(self, folder: Path, emulator: Emulator, inventory: Path) -> None:
        self.folder, self.emulator, self.inventory = folder, emulator, inventory
        self.store, self.report_file = folder / "store.yml", folder / "report.json"
        self.vault_file = folder / "vault"
        self.vault_file.write_text(f"{VAULT_PASSWORD}\n", encoding="utf-8")
        self.environment = ansible_environment(folder)
        #: From where runs are started; None for wherever the tests are.
        self.start: Path | None = None
        #: What a run says of the API besides its address and its login.
        self.api_options: dict[str, Any] = {"use_discovered_methods": True, "retries": 0}
        #: The passwords from before, by the names of the credentials.
        self.old: dict[str, str] = {}

    # Runs

    @property
    def arguments(self) -> list[str]:
        """What every run needs."""
        return ["-i", str(self.inventory), f"--vault-password-file={self.vault_file}"]

    def write_variables(self, variables: Mapping[str, Any]) -> Path:
        """Write a file for the option -e, with the account as well."""
        path = self.folder / "variables.yml"
        account = {**self.emulator.connection, **self.api_options}
        content = {"spamexperts_accounts": {"default": account}, **variables}
        path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
        return path

    def run(
        self, playbook: str, *arguments: str, environment: Mapping[str, str] | None = None, **variables: Any
    ) -> PlaybookRun:
        """Run a playbook of the collection, or one in a file."""
        name = playbook if os.sep in playbook else f"smarthost.spamexperts.{playbook}"
        given = ["-e", f"@{self.write_variables(variables)}"]
        run = run_playbook(
            name, [*self.arguments, *given, *arguments], environment or self.environment, folder=self.start
        )
        self.check_secrets(run.output)
        return run

    def succeed(self, playbook: str, *arguments: str, **variables: Any) -> PlaybookRun:
        """The same, without a failure."""
        run = self.run(playbook, *arguments, **variables)
        assert run.returncode == 0, run.output
        return run

    def play(self, *tasks: Mapping[str, Any], hosts: str = "localhost") -> PlaybookRun:
        """Run a few tasks."""
        book = self.folder / "tasks.yml"
        play = {"hosts": hosts, "gather_facts": False, "tasks": list(tasks)}
        book.write_text(yaml.safe_dump([play]), encoding="utf-8")
        return self.succeed(str(book))

    def described(self, rotation: Mapping[str, Any]) -> dict[str, Any]:
        """The rotation, of everything unless it says otherwise."""
        return {"everything": True, "report": str(self.report_file), "store_is_kept": True, **rotation}

    def rotate(self, *arguments: str, **rotation: Any) -> PlaybookRun:
        """Run a rotation."""
        return self.run("rotate_credentials", *arguments, spamexperts_rotation=self.described(rotation))

    # The store

    def fill_store(self, passwords: Mapping[str, str]) -> None:
        """Have these credentials in the store, without a run."""
        credentials = [{"name": name, "password": password} for name, password in passwords.items()]
        self.change_store(credentials=credentials)
        self.old.update(passwords)

    def change_store(self, **options: Any) -> None:
        """Change the store by its module, without a run."""
        controller = Controller(self.folder, [("default", VAULT_PASSWORD)])
        controller.run_action("credential_store", {"path": str(self.store), **options})

    def stored(self) -> dict[str, dict[str, str]]:
        """What the store holds; nothing where there is none yet."""
        return read_store(self.store, VAULT_PASSWORD) if self.store.exists() else {}

    # What is true

    def secrets(self) -> list[str]:
        """Every password that there is or was."""
        parts = ("current", "next", "former")
        now = [entry[part] for entry in self.stored().values() for part in parts if part in entry]
        return [self.emulator.api_password, *self.old.values(), *now]

    def check_secrets(self, text: str) -> None:
        """No password stands in the text."""
        assert [secret for secret in self.secrets() if secret in text] == []

    def report(self) -> dict[str, Any]:
        """The report of the last rotation."""
        text = self.report_file.read_text(encoding="utf-8")
        self.check_secrets(text)
        data: dict[str, Any] = json.loads(text)
        return data

    def outcomes(self) -> dict[str, str]:
        """What became of each credential in it."""
        return {entry["name"]: entry["outcome"] for entry in self.report()["credentials"]}

    def users(self) -> dict[str, dict[str, Any]]:
        """The outgoing users at the vendor, by username."""
        return {user["username"]: user for user in self.emulator.users()}
