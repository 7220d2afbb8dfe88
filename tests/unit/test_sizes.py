# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing is longer than what one can hold in mind: files, functions and playbooks."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests import ROOT

SOURCES = sorted((ROOT / "plugins").rglob("*.py"))
_DOCUMENTS = {"DOCUMENTATION", "EXAMPLES", "RETURN"}


def lines_of_code(path: Path) -> int:
    """Without documentation, comments and empty lines."""
    text = path.read_text(encoding="utf-8")
    documents = {
        number
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in _DOCUMENTS
        for number in range(node.lineno, (node.end_lineno or 0) + 1)
    }
    lines = enumerate(text.splitlines(), 1)
    return sum(1 for number, line in lines if number not in documents and line.strip(" ")[:1] not in ("", "#"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "plugins")))
def test_a_file_and_its_functions_can_be_held_in_mind(path: Path) -> None:
    assert lines_of_code(path) <= 400
    functions = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)]
    assert {node.name: size for node in functions if (size := (node.end_lineno or 0) - node.lineno + 1) > 60} == {}


@pytest.mark.parametrize("path", sorted((ROOT / "playbooks").glob("*.yml")), ids=lambda path: path.name)
def test_a_playbook_can_be_held_in_mind(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 250
