# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action apply makes its store with the vault password that it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.action import Controller

ALICE = {"domain": "example.com", "senders": [{"username": "alice"}]}


def test_a_new_store_has_the_vault_id_that_is_named(tmp_path: Path) -> None:
    store = tmp_path / "credentials.yml"
    controller = Controller(tmp_path, [("dev", "one password"), ("prod", "another password")])
    given: dict[str, Any] = {"phase": "begin", "path": str(store), "domains": [ALICE]}
    given |= {"domains_path": str(tmp_path / "none"), "store_is_kept": True}
    refused = controller.run_action("apply", given)
    assert refused["failed"]
    assert "this run has several vault ids (dev, prod); choose one with vault_id" in refused["msg"]
    done = controller.run_action("apply", {**given, "vault_id": "prod"})
    assert not done.get("failed"), done
    assert store.read_bytes().startswith(b"$ANSIBLE_VAULT;1.2;AES256;prod\n")
