# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may import whom in module_utils: arrows go down, and there is no circle."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from tests import ROOT

UTILITIES = ROOT / "plugins" / "module_utils"
_GROUND = {"_names", "_redaction", "_environment", "_files", "_plain"}
_ABOVE_GROUND = {"_passwords", "_module", *_GROUND}
#: Each room -> the rooms that it may import, besides itself.
MAY_IMPORT: dict[str, set[str]] = {
    **{room: set() for room in _GROUND},
    **dict.fromkeys(("_passwords", "_module", "_api", "_smarthost"), _GROUND),
    **{room: {"_files", "_names"} for room in ("_postfix", "_thunderbird")},
    "_users": {"_api", "_smarthost", *_ABOVE_GROUND},
    "_domains": {"_users", "_api", "_smarthost", *_ABOVE_GROUND},
    "_declaration": {"_domains", "_users", "_api", "_smarthost", "_thunderbird.dialogue", *_ABOVE_GROUND},
    "_rotation": {"_declaration", "_domains", "_users", "_api", "_smarthost", *_ABOVE_GROUND},
    "_audit": {"_postfix.queue", "_declaration", "_domains", "_users", "_api", "_smarthost", *_ABOVE_GROUND},
}


def imported(path: Path, text: str) -> set[str]:
    """Return the files of module_utils that this one imports, as in `_users.plan`."""
    package = ("plugins", "module_utils", *path.relative_to(UTILITIES).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names]
            module = getattr(node, "module", None) or ""
            assert not any("ansible_collections" in name for name in (module, *names)), f"{path}: not relative"
            if isinstance(node, ast.ImportFrom) and node.level:
                start = [*package[: len(package) - node.level + 1], *(module.split(".") if module else [])]
                assert start[:2] == ["plugins", "module_utils"], f"{path}: {module} is above module_utils"
                target = ".".join(start[2:])
                is_file = UTILITIES.joinpath(*start[2:]).with_suffix(".py").is_file()
                found |= {target} if is_file else {f"{target}.{name}".strip(".") for name in names}
    return found


def trespasses(name: str, targets: set[str]) -> list[str]:
    """Return the targets that the room of this file may not import."""
    room = name.partition(".")[0]
    allowed = MAY_IMPORT[room] | {room}
    return sorted(target for target in targets if not allowed & {target, target.partition(".")[0]})


def test_arrows_go_down_and_there_is_no_circle() -> None:
    files = {".".join(path.relative_to(UTILITIES).with_suffix("").parts): path for path in UTILITIES.rglob("*.py")}
    graph = {name: imported(path, path.read_text(encoding="utf-8")) for name, path in files.items()}
    assert {name: found for name, targets in graph.items() if (found := trespasses(name, targets))} == {}
    assert set().union(*graph.values()) <= set(files), "what is imported is a file"
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError


def test_an_arrow_that_runs_up_is_found() -> None:
    text = "from .._users import plan\nfrom ..  import _names\nfrom .reply import ErrorKind\nimport os\n"
    targets = imported(UTILITIES / "_api" / "client.py", text)
    assert targets == {"_users.plan", "_names", "_api.reply"}
    assert trespasses("_api.client", targets) == ["_users.plan"]
