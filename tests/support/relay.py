# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run postfix_relay on a scratch Postfix, and look at what it left there."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._module import SecretSafeModule

from tests.support.module import ModuleRun, run_module
from tests.support.postfix import ScratchPostfix

#: As what the mail server of most tests logs in.
LOGIN: dict[str, Any] = {"default_login": "server@example.com", "default_password": 'Zitrone "x\\ {a} $b # ü😀'}


def relay(postfix: ScratchPostfix, *, check: bool = False, **options: Any) -> ModuleRun:
    """Run the module on the scratch instance, with these options."""
    given = {"config_directory": str(postfix.config_directory), **options}
    return run_module("postfix_relay", given, check=check, diff=True)


def collect_warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the module warns of; inside pytest ansible-core would print it as if this were the controller."""
    texts: list[str] = []
    monkeypatch.setattr(SecretSafeModule, "warn", lambda _, text: texts.append(text), raising=False)
    return texts


def snapshot(folder: Path) -> dict[str, tuple[str, int]]:
    """Every file of the configuration directory: a hash of its content, and its mode."""
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mode)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def lookup(postfix: ScratchPostfix, table: str, key: str) -> str:
    """What a map answers, as postmap prints it."""
    return postfix.run("postmap", "-q", key, table, check=False).rstrip("\n")
