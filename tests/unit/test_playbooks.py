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
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._tags import ignored_tags, is_named

from tests import ROOT

PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
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
    ("wanted", "refused"),
    [(["all"], False), (["untagged", "x"], False), (["x"], True), (["tagged"], True), (["always"], True)],
)
def test_tags_that_leave_everything_out(wanted: list[str], refused: bool) -> None:
    assert bool(ignored_tags(wanted)) is refused


def test_a_playbook_that_is_imported_is_not_the_one_that_was_named(tmp_path: Path) -> None:
    playbook = tmp_path / "configure_relays.yml"
    link = tmp_path / "link.yml"
    link.symlink_to(playbook)
    assert is_named(str(playbook), ["smarthost.spamexperts.configure_relays"])
    assert is_named(str(playbook), ["other.yml", str(link)])
    assert not is_named(str(playbook), ["site.yml", "smarthost.spamexperts.onboard_domain"])
