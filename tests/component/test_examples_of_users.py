# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples about outgoing users, in guides and modules: each works, predicts, and has no effect the second time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.documentation import COLLECTION, Block, examples, guide_blocks
from tests.support.emulator import Emulator
from tests.support.module import ModuleRun, run_module

API_MODULES = ("outgoing_users", "outgoing_user", "outgoing_user_info", "api_info")
MODULES = (*API_MODULES, "smtp_login_info")
GUIDES = ("docs/api-methods.md", "docs/authentication-methods.md", "docs/passwords.md", "docs/purge.md")
#: Who is there before.
USERS = ("alice", "info", "scanner", "cellar")


def blocks() -> list[Block]:
    # A description of a domain is no list of tasks.
    found = [block for block in guide_blocks() if block.source.startswith(GUIDES) and isinstance(block.data(), list)]
    return found + [examples("module", module) for module in API_MODULES]


def filled(value: Any, folder: Path) -> Any:
    """The value with something in place of its variables; every user has the password that is made of its name."""
    if isinstance(value, dict):
        return {name: filled(entry, folder) for name, entry in value.items()}
    if isinstance(value, list):
        return [filled(entry, folder) for entry in value]
    if not isinstance(value, str):
        return value
    if value.startswith("~/"):
        return str(folder / Path(value).name)
    value = value.replace("{{ password_folder }}", str(folder))
    return re.sub(r"\{\{ (\w+)_password \}\}", r"\1--Password-42", value)


def tasks(block: Block) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Module, arguments, and whether it is in check mode, of each task and item of a loop about outgoing users."""
    for task in block.data():
        for name, arguments in task.items():
            module = name.removeprefix(f"{COLLECTION}.")
            if module in MODULES:
                for item in task.get("loop", [{}]):
                    yield module, with_item(arguments or {}, item), bool(task.get("check_mode"))


def with_item(arguments: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    places = {f"{{{{ item.{name} }}}}": value for name, value in item.items()}
    return {name: places.get(value, value) if isinstance(value, str) else value for name, value in arguments.items()}


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.source)
def test_no_loop_prints_a_password(block: Block) -> None:
    """ansible-core up to 2.21 prints each item of a loop that has no label."""
    for task in block.data():
        if "password" in str(task.get("loop", "")):
            assert "password" not in task["loop_control"]["label"]


def run_twice(server: Emulator, block: Block, folder: Path) -> Iterator[tuple[ModuleRun, ModuleRun, ModuleRun]]:
    """Predict, run and run again each task of a block; an example that only looks does so three times."""
    for module, written, check in tasks(block):
        arguments = filled(written, folder)
        arguments.update(server.connection if module in API_MODULES else {})
        arguments.update({} if module in ("api_info", "outgoing_user_info") else server.smarthost_options)
        if module in ("outgoing_user", "outgoing_users"):
            arguments["use_discovered_methods"] = True
        predicted = run_module(module, arguments, check=True, diff=True)
        first = run_module(module, arguments, check=check, diff=True)
        server.reset_counters()
        second = run_module(module, arguments, check=check, diff=True)
        assert not any("Password-42" in done.raw for done in (predicted, first, second))
        assert server.counters()["effective_writes"] == 0
        assert check or not second.changed
        yield predicted, first, second


def seed(server: Emulator) -> None:
    users = [
        {"domain": "example.com", "username": name, "password": f"{name}--Password-42", "limit_per_day": 9}
        for name in USERS
    ]
    server.seed(domains=["example.com", "example.org"], users=users)


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.source)
def test_examples_work_where_the_server_offers_everything(emulator: Emulator, block: Block, tmp_path: Path) -> None:
    seed(emulator)
    for predicted, first, second in run_twice(emulator, block, tmp_path):
        assert not first.failed, first.message
        assert not second.failed, second.message
        for part in ("changed", "user", "users", "totals", "diff"):
            assert predicted.result.get(part) == first.result.get(part)


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.source)
def test_examples_say_what_is_missing_where_only_the_public_calls_are(
    documented_emulator: Emulator, block: Block, tmp_path: Path
) -> None:
    seed(documented_emulator)
    for _predicted, first, second in run_twice(documented_emulator, block, tmp_path):
        for done in (first, second):
            if done.failed:  # of a list that is named in the example, the server itself says it
                assert "no known API method" in done.message or "no permission to call" in done.message
