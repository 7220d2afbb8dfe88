# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmarks make of what they have measured, and what they say where they cannot; nothing is timed here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.apply import growth
from benchmarks.fleet import kind_of_task, rotation_figures, tasks_of_core
from benchmarks.measure import at_least, at_most, in_turn, own_part
from benchmarks.relay import PEER_ROLES, figures, why_missing
from benchmarks.table import conditions, table
from tests import ROOT

_LIVES = {
    "": [{"first apply": 5.0, "at rest": 2.0, "a changed password": 4.0}],
    "tasks by hand": [{"first apply": 12.0, "at rest": 5.0, "a changed password": 12.0}],
    "linux-system-roles.postfix": [{"first apply": 40.0, "at rest": 12.0, "a changed password": 20.0}],
}


def test_sides_are_measured_in_turn() -> None:
    order: list[str] = []

    def side(name: str) -> float:
        order.append(name)
        return float(len(order))

    assert in_turn([lambda: side("ours"), lambda: side("theirs"), lambda: side("core")], 2) == [[1, 4], [2, 5], [3, 6]]
    assert order == ["ours", "theirs", "core"] * 2


def test_a_goal_may_be_missed_and_a_figure_may_have_none() -> None:
    assert [at_most("x", [3.0], [1.0], most).holds for most in (3, 2.9, None)] == [True, False, True]
    assert [at_least("x", [1.0], [3.0], least).holds for least in (3, 3.1, None)] == [True, False, True]
    assert at_least("x", [1.0], [3.0], None).goal == ""


def test_our_own_part_is_what_is_left_of_each_run_without_that_of_ansible_core_beside_it() -> None:
    assert own_part([3.0, 9.0], [1.0, 2.0]) == [2.0, 7.0]


def test_growth_is_one_where_each_further_sender_costs_the_same_whatever_a_run_costs_by_itself() -> None:
    assert growth({5: 9.9, 300: 10.0, 3000: 20.0, 9000: 20 + 10 / 2700 * 6000}) == pytest.approx(1)
    assert growth({300: 0.09, 3000: 9.0, 9000: 81.0}) > 3  # quadratic


def test_what_ansible_core_does_alone_has_as_many_tasks_of_each_kind() -> None:
    entries = [
        {"outcome": "ok", "action": "smarthost.spamexperts.postfix_relay"},
        {"outcome": "ok", "action": "ansible.builtin.assert"},
        {"outcome": "skipped", "action": "ansible.builtin.setup"},
        {"outcome": "skipped", "action": "ansible.builtin.assert"},
    ]
    assert [kind_of_task(entry) for entry in entries] == ["host", "controller", "left out", "left out"]
    tasks = tasks_of_core({"host": 1, "controller": 1, "left out": 2})
    assert ["ansible.builtin.ping" in task for task in tasks] == [True, False, True, True]
    assert [task.get("when") for task in tasks] == [None, None, False, False]


def test_the_window_of_mail_servers_has_a_goal_of_its_own() -> None:
    measured = {"10 hosts": [(20.0, 1.0), (30.0, 2.0)], "20 hosts": [(51.0, 3.5)], "1 logins": [(6.0, 9.0)]}
    assert {figure.name: figure.holds for figure in rotation_figures(measured) if figure.goal} == {
        "B8 rotation, 10 hosts: window": True,
        "B8 rotation, 20 hosts: window": False,
        "B8 rotation, 20 hosts / 10 hosts, forks=10": False,
    }


def test_the_role_is_held_to_its_goals_beside_others_at_rest_alone() -> None:
    found = {figure.name: figure for figure in figures(_LIVES)}
    assert {name: figure.holds for name, figure in found.items() if figure.goal} == {
        "B16 tasks by hand, at rest, 10 hosts": False,
        "B16 linux-system-roles.postfix, at rest, 10 hosts": True,
    }
    assert len(found) == 6


def test_a_role_of_others_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    role = "oefenweb.postfix"
    assert f"{PEER_ROLES} does not say" in why_missing(role, {})
    assert f"no role {role} in {tmp_path}" in why_missing(role, {PEER_ROLES: str(tmp_path)})
    (tmp_path / role / "tasks").mkdir(parents=True)
    assert why_missing(role, {PEER_ROLES: str(tmp_path)}) == ""


def test_the_table_says_when_and_on_what_it_was_measured() -> None:
    line = conditions({"B2": 0.25, "B16": 7.0})
    assert line.startswith("20")
    assert " processors, " in line
    assert line.endswith("B2 0.2, B16 7.0")


def test_a_figure_without_a_goal_has_an_empty_cell() -> None:
    text = table([at_least("B16 x", [1.0], [3.0], None)])
    assert text.splitlines()[1].split() == ["B16", "x", "1", "s", "3", "s", "3.00", "yes"]


def test_each_row_is_explained() -> None:
    rows = re.findall(r'"(B\d+)":', (ROOT / "benchmarks/__main__.py").read_text())
    guide = (ROOT / "benchmarks/README.md").read_text()
    assert len(rows) > 10
    assert [row for row in rows if f"\n| {row} | " not in guide] == []
