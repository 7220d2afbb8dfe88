# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How rotate_credentials tells that it is in a container, wherever these tests run."""

from __future__ import annotations

import os
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from tests import ROOT

try:
    from ansible.template import trust_as_template
except ImportError:  # before ansible-core 2.19 every text is trusted

    def trust_as_template(value: Any) -> Any:
        return value


MARKS = ("/run/.containerenv", "/.dockerenv")


@pytest.fixture
def expression() -> Any:
    """The variable as the playbook has it."""
    plays = DataLoader().load_from_file(str(ROOT / "playbooks" / "rotate_credentials.yml"))
    (task,) = [task for task in plays[0]["tasks"] if task["name"] == "Check that the store stays"]
    return trust_as_template(task["vars"]["spamexperts_container"])


@pytest.mark.parametrize(
    ("marks", "folder", "container"),
    [
        ([], None, False),
        ([], "", False),
        ([], "/runner", True),  # AWX, and ansible-runner
        (["/run/.containerenv"], None, True),  # Podman
        (["/.dockerenv"], None, True),  # Docker
    ],
)
def test_a_container_is_recognised(
    monkeypatch: pytest.MonkeyPatch, expression: Any, marks: list[str], folder: str | None, container: bool
) -> None:
    real = os.stat

    def stat(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
        if path in MARKS and path not in marks:
            raise FileNotFoundError(path)
        return real("/" if path in MARKS else path, *arguments, **options)

    monkeypatch.delenv("AWX_PRIVATE_DATA_DIR", raising=False)
    if folder is not None:
        monkeypatch.setenv("AWX_PRIVATE_DATA_DIR", folder)
    monkeypatch.setattr(os, "stat", stat)
    found = Templar(loader=DataLoader(), variables={}).template(expression)
    assert bool(found) is container
    assert str(found).strip() in {"True", "False"}, "a text would always be true"
