# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run postfix_relay on a scratch Postfix, and look at what it left there."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._module import Module

from tests.support.module import ModuleRun, run_module
from tests.support.postfix import ScratchPostfix

PASSWORD = 'Zitrone "x\\ {a} $b # ü😀'
#: As what the mail server of most tests logs in.
LOGIN: dict[str, Any] = {"default_login": "server@example.com", "default_password": PASSWORD}
BY_ADDRESS: dict[str, Any] = {"authentication": "ip", "default_login": None, "default_password": None}
#: The smarthost gets a transport of its own.
OWN: dict[str, Any] = {"dedicated_transport": True}


def relay(postfix: ScratchPostfix, *, check: bool = False, **options: Any) -> ModuleRun:
    """Run the module on the scratch instance, with these options; in main.cf, unless they say otherwise.

    Of the host's own mail, whose domain no login of most tests is for, it says nothing.
    """
    shared = {} if options.get("only_named_senders") else {"dedicated_transport": False}
    usual = {"config_directory": str(postfix.config_directory), "system_sender": "false"}
    given = {**usual, **shared, **options}
    return run_module("postfix_relay", given, check=check, diff=True)


def configure(postfix: ScratchPostfix, *, check: bool = False, **options: Any) -> ModuleRun:
    """Use a smarthost that nobody asks, with the login of most tests unless the options have another."""
    return relay(postfix, check=check, **{"smarthost": "smarthost.example", **LOGIN, **options})


def assert_refused(postfix: ScratchPostfix, *pieces: str, code: str = "conflict", **options: Any) -> None:
    """The module fails for this reason and names these pieces, in check mode and without, and nothing has changed."""
    before = snapshot(postfix.config_directory)
    for check in (True, False):
        run = configure(postfix, check=check, **options)
        assert run.code == code, run.message
        for piece in pieces:
            assert piece in run.message, run.message
    assert snapshot(postfix.config_directory) == before


def collect_warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the module warns of; inside pytest ansible-core would print it as if this were the controller."""
    texts: list[str] = []
    monkeypatch.setattr(Module, "warn", lambda _, text: texts.append(text), raising=False)
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
