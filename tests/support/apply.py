# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder as an administrator has it: inventory, descriptions, store, vault password; and `apply` run from there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.emulator import Emulator
from tests.support.playbook import PlaybookRun, ansible_environment, inventory_file, run_playbook
from tests.support.postfix import ScratchPostfix
from tests.support.store import read_whole_store

VAULT_PASSWORD = "the vault's own password"


class DeclaredSite:
    """One site at one emulator. Each scratch Postfix is a mail server, mail1 and so on."""

    def __init__(
        self, folder: Path, emulator: Emulator, *relays: ScratchPostfix, discovered: bool = True, **variables: Any
    ) -> None:
        self.folder = folder
        self.emulator = emulator
        self.inventory = inventory_file(folder / "inventory.yml", emulator, *relays)
        self.store = folder / "credentials.yml"
        self.vault_password = folder / "vault-password"
        self.vault_password.write_text(f"{VAULT_PASSWORD}\n", encoding="utf-8")
        self.result = folder / "result.json"
        self.variables: dict[str, Any] = {
            "spamexperts_accounts": {
                "default": {**emulator.connection, "use_discovered_methods": discovered, "retries": 0}
            },
            "spamexperts_result_file": str(self.result),
            "spamexperts_store_is_kept": True,  # the tests may run in a container
            **variables,
        }

    def declare(self, domain: str, *senders: dict[str, Any], **keys: Any) -> Path:
        """Write the description of a domain."""
        path = self.folder / "domains" / f"{domain}.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump({"domain": domain, **keys, "senders": list(senders)}), encoding="utf-8")
        return path

    def change_host(self, name: str, *, group: str = "mail_relays", **variables: Any) -> None:
        """Give a host of the inventory further variables, or have a further host."""
        content = yaml.safe_load(self.inventory.read_text(encoding="utf-8"))
        members = content["all"]["children"].setdefault(group, {"hosts": {}})["hosts"]
        members.setdefault(name, {}).update(variables)
        self.inventory.write_text(yaml.safe_dump(content), encoding="utf-8")

    def apply(
        self,
        *options: str,
        vault: bool = True,
        playbook: str = "apply",
        environment: Mapping[str, str] | None = None,
        **variables: Any,
    ) -> PlaybookRun:
        """Run the playbook; no password is in what it prints."""
        extra = self.folder / "variables.yml"
        extra.write_text(yaml.safe_dump({**self.variables, **variables}), encoding="utf-8")
        arguments = ["-i", str(self.inventory), "-e", f"@{extra}", *options]
        if vault:
            arguments += ["--vault-password-file", str(self.vault_password)]
        run = run_playbook(
            f"smarthost.spamexperts.{playbook}",
            arguments,
            {**ansible_environment(), **(environment or {})},
            folder=self.folder,
        )
        for secret in self.secrets():
            assert secret not in run.output
        return run

    def stored(self) -> dict[str, Any]:
        """What the store holds, whole."""
        return read_whole_store(self.store, VAULT_PASSWORD)

    def passwords(self) -> dict[str, str]:
        """The password in the store, by the name of its credential."""
        return {name: entry["current"] for name, entry in self.stored()["credentials"].items()}

    def secrets(self) -> list[str]:
        """Everything that nobody may read anywhere."""
        return [self.emulator.api_password, *(self.passwords().values() if self.store.exists() else ())]

    def report(self) -> dict[str, Any]:
        """What the last run has written into its result file."""
        found: dict[str, Any] = json.loads(self.result.read_text(encoding="utf-8"))
        return found
