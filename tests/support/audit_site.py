# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site as the action audit sees it, in the process of the tests: emulator, name server, and what is given to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.vault import VaultLib, VaultSecret

from tests.support.action import Controller
from tests.support.dns_server import DnsServer
from tests.support.emulator import Emulator
from tests.support.store import read_whole_store

PASSWORD = "Correct-Horse-42"
SENDERS = [{"username": "alice", "limits": {"per_hour": 200}}, {"username": "server1", "relay": True}]
LOGINS = ["alice@example.com", "server1@example.com"]


class Audited:
    """A site as the action sees it. No host is asked in a test of this file."""

    def __init__(self, folder: Path, emulator: Emulator, names: DnsServer) -> None:
        self.folder, self.emulator = folder, emulator
        self.controller = Controller(folder, [("default", "vault password one")])
        self.controller.variables["groups"] = {"all": ["mail1"], "mail_relays": ["mail1"]}
        self.store = folder / "store.yml"
        self.options: dict[str, Any] = {
            **{"path": str(self.store), "domains_path": str(folder / "none"), "folder": str(folder / "audit")},
            "domains": [{"domain": "example.com", "senders": SENDERS}],
            "accounts": {"default": {**emulator.connection, "use_discovered_methods": True, "retries": 0}},
            **{"mail_servers": ["mail1"], "nameservers": [names.host], "port": names.port},
            **emulator.smarthost_options,
        }

    def keep(self, passwords: dict[str, str]) -> None:
        """Have these passwords in the store."""
        credentials = [{"name": name, "password": password} for name, password in passwords.items()]
        self.controller.run_action("credential_store", {"path": str(self.store), "credentials": credentials})

    def remember(self, declared: dict[str, Any]) -> None:
        """Have been told earlier of these domains with these senders."""
        password = "vault password one"
        whole = {**read_whole_store(self.store, password), "declared": declared}
        secret = VaultSecret(password.encode())
        self.store.write_bytes(VaultLib([("any", secret)]).encrypt(json.dumps(whole), secret))

    def audit(self, **options: Any) -> dict[str, Any]:
        """Run it; nothing is written at the vendor, and no password is in what it gives or writes."""
        self.emulator.reset_counters()
        result = self.controller.run_action("audit", {**self.options, **options})
        assert self.emulator.counters()["writes"] == 0
        texts = [path.read_text(encoding="utf-8") for path in sorted((self.folder / "audit").iterdir())]
        assert not [text for text in [json.dumps(result), *texts] if PASSWORD in text]
        return result

    def refused(self, **options: Any) -> str:
        """Why it does not begin."""
        with pytest.raises(AnsibleActionFail) as caught:
            self.controller.run_action("audit", {**self.options, **options})
        assert not (self.folder / "audit").exists() or not list((self.folder / "audit").iterdir())
        return str(caught.value)

    def written(self) -> dict[str, Any]:
        """The file for programs."""
        found: dict[str, Any] = json.loads((self.folder / "audit" / "audit.json").read_text(encoding="utf-8"))
        return found

    def unseen(self) -> dict[str, str]:
        """What was not looked at -> why."""
        return {one["area"]: one["why"] for one in self.written()["not_looked_at"]}
