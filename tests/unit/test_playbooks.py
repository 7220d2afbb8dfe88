# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every play has to say itself, as somebody's ansible.cfg would otherwise decide it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._tags import ignored_tags

from tests import ROOT

PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
TASKS = sorted([*ROOT.glob("playbooks/tasks/**/*.yml"), *ROOT.glob("roles/*/*/*.yml")])
SECTIONS = ("pre_tasks", "tasks", "post_tasks", "handlers", "block", "rescue", "always")


def tasks_of(part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every task and block of a play or block."""
    for section in SECTIONS:
        for task in part.get(section) or ():
            yield task
            yield from tasks_of(task)


def problems_of(play: dict[str, Any]) -> list[str]:
    """What a play leaves to somebody's settings."""
    problems = [] if play.get("any_errors_fatal") is False else ["one host that fails would end it for all"]
    if any("run_once" in task for task in tasks_of(play)):
        problems.append("what runs once is lost with its host")
    if (
        any(task.get("any_errors_fatal") for task in tasks_of(play))
        and play.get("strategy") != "ansible.builtin.linear"
    ):
        problems.append("with the strategy free, any_errors_fatal stops nobody else")
    variables: dict[str, Any] = play.get("vars") or {}
    if play.get("connection") == "local" and variables.get("ansible_become") is not False:
        problems.append("it would become root on the controller")
    return problems


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_play_says_itself_what_settings_could_change(playbook: Path) -> None:
    plays = yaml.safe_load(playbook.read_text(encoding="utf-8"))
    assert {play["name"]: found for play in plays if (found := problems_of(play))} == {}


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_playbook_begins_with_the_check_of_the_tags(playbook: Path) -> None:
    first, *_others = yaml.safe_load(playbook.read_text(encoding="utf-8"))
    task = next(tasks_of(first))
    assert task["tags"] == "always"
    assert "smarthost.spamexperts.check_tags" in task


@pytest.mark.parametrize(
    ("own", "wanted", "refused"),
    [
        (["always"], ["all"], False),
        (["always"], ["untagged"], False),
        (["always"], ["mail"], True),
        (["always"], ["tagged"], True),
        (["always"], ["always"], True),
        (["always"], ["mail", "all"], False),
        (["always", "mail"], ["mail"], False),
        (["always", "mail"], ["other"], False),
    ],
)
def test_tags_that_leave_everything_out(own: list[str], wanted: list[str], refused: bool) -> None:
    """Whoever has given tags to an import_playbook leaves things out on purpose."""
    assert bool(ignored_tags(own, wanted)) is refused


@pytest.mark.parametrize("file", TASKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_task_runs_once(file: Path) -> None:
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    tasks = content if isinstance(content, list) else []
    assert [task for task in tasks_of({"tasks": tasks}) if "run_once" in task] == []


def test_the_problems_are_found() -> None:
    once = {"name": "once", "run_once": True}
    play = {"connection": "local", "tasks": [{"block": [{"any_errors_fatal": True}], "rescue": [once]}]}
    assert len(problems_of(play)) == 4
