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
from tests.support.playbook import PlaybookRun, inventory_file
from tests.support.postfix import ScratchPostfix
from tests.support.site import Site


class DeclaredSite(Site):
    """One site at one emulator. Each scratch Postfix is a mail server, mail1 and so on."""

    def __init__(
        self, folder: Path, emulator: Emulator, *relays: ScratchPostfix, discovered: bool = True, **variables: Any
    ) -> None:
        super().__init__(folder, emulator, inventory_file(folder / "inventory.yml", emulator, *relays))
        self.start, self.store = folder, folder / "credentials.yml"
        self.api_options["use_discovered_methods"] = discovered
        self.variables: dict[str, Any] = {
            "spamexperts_result_file": str(folder / "result.json"),
            "spamexperts_store_is_kept": True,  # the tests may run in a container
            **variables,
        }
        self._has_vault = True

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

    @property
    def arguments(self) -> list[str]:
        """What every run needs."""
        return super().arguments if self._has_vault else ["-i", str(self.inventory)]

    def write_variables(self, variables: Mapping[str, Any]) -> Path:
        """Write a file for the option -e, with those of the site as well."""
        return super().write_variables({**self.variables, **variables})

    def apply(
        self,
        *options: str,
        vault: bool = True,
        playbook: str = "apply",
        environment: Mapping[str, str] | None = None,
        **variables: Any,
    ) -> PlaybookRun:
        """Run the playbook, or one that is made of it; no password is in what it prints."""
        self._has_vault = vault
        try:
            return self.run(playbook, *options, environment={**self.environment, **(environment or {})}, **variables)
        finally:
            self._has_vault = True

    def passwords(self) -> dict[str, str]:
        """The password in the store, by the name of its credential."""
        return {name: entry["current"] for name, entry in self.stored().items()}

    def result(self) -> dict[str, Any]:
        """What the last run has written into its result file."""
        found: dict[str, Any] = json.loads((self.folder / "result.json").read_text(encoding="utf-8"))
        self.check_secrets(json.dumps(found))
        return found
