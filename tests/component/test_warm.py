# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is forked from a warm process prints, does and returns what the program does."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import warm
from tests.support.playbook import ansible_environment, run_playbook, run_program

PLAY = """
- name: What a run is given
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Show it
      ansible.builtin.debug:
        msg:
          - "{{ lookup('ansible.builtin.env', 'GIVEN') }}"
          - "{{ lookup('ansible.builtin.pipe', 'pwd; cat' if whole | default(true) else 'exit 3') }}"
          - "{{ lookup('ansible.builtin.config', 'DEFAULT_FORKS') }} forks"
"""


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["play.yml"], {"GIVEN": "ä\n'\""}),
        (["play.yml"], {"ANSIBLE_FORKS": "7"}),
        (["play.yml", "-e", '{"whole": false}'], {}),
        (["play.yml", "-v"], {"ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml", "ANSIBLE_HOME": "home"}),
        (["nothing.yml"], {}),
        (["--no-such-option"], {}),
        (["play.yml"], {"ANSIBLE_STRATEGY": "no such strategy"}),
        (["play.yml"], {"ANSIBLE_TIMEOUT": "long"}),
    ],
)
def test_it_is_as_the_program(tmp_path: Path, arguments: list[str], variables: dict[str, str]) -> None:
    (tmp_path / "play.yml").write_text(PLAY)
    environment = {**ansible_environment(tmp_path), "ANSIBLE_LOCALHOST_WARNING": "false", **variables}
    program = run_program([warm.PROGRAM, *arguments], environment, folder=tmp_path)
    first, *others = arguments
    assert run_playbook(first, others, environment, folder=tmp_path) == program
    assert ("7 forks" in program.output) == ("ANSIBLE_FORKS" in variables), "the settings are those of the run"


def test_a_run_that_takes_too_long_is_killed_and_the_next_one_is_not_harmed(tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks: [{pause: {seconds: 100}}]\n"
    )
    begin = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        warm.run(["play.yml"], ansible_environment(tmp_path), tmp_path, timeout=3)
    assert time.monotonic() - begin < 60
    code, output = warm.run(["--version"], ansible_environment(tmp_path), tmp_path, timeout=100)
    assert code == 0
    assert output.startswith("ansible-playbook [core ")


def test_a_python_that_would_start_in_another_way_is_started() -> None:
    environment = ansible_environment()
    assert warm.can_run(environment)
    assert not warm.can_run({**environment, "PYTHONWARNINGS": "error"})


def test_a_module_is_packed_once_for_all_runs_with_the_same_collections(tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text("- hosts: localhost\n  gather_facts: false\n  tasks: [{ping: {}}]\n")
    environment, here = ansible_environment(tmp_path), ["-i", "localhost,", "-c", "local"]

    def packed() -> set[tuple[Path, int]]:
        """After a run: what is packed, and when."""
        run = run_playbook(
            "play.yml", [*here, "-e", f"ansible_python_interpreter={sys.executable}"], environment, folder=tmp_path
        )
        assert not run.returncode, run.output
        return {
            (path, path.stat().st_mtime_ns)
            for path in Path(warm.packed_modules()).rglob("*.ping-*")
            if path.suffix != ".lock"
        }

    first = packed()
    assert packed() == first
    environment["ANSIBLE_COLLECTIONS_PATH"] += f":{tmp_path}"
    assert len(packed() - first) == 1


def test_each_run_has_the_place_for_temporary_files_of_its_environment(tmp_path: Path, short_path: Path) -> None:
    (tmp_path / "play.yml").write_text(
        "- hosts: localhost\n  gather_facts: false\n"
        '  tasks: [{tempfile: {}, register: made}, {debug: {msg: "at {{ made.path | dirname }}."}}]\n'
    )
    here = ["-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}"]
    for name in ("one", "two", "one"):
        (short_path / name).mkdir(exist_ok=True)
        environment = {**ansible_environment(tmp_path), "TMPDIR": str(short_path / name)}
        run = run_playbook("play.yml", here, environment, folder=tmp_path)
        assert f"at {short_path / name}." in run.output, run.output


def test_packed_modules_do_not_lie_where_a_test_has_its_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    warm.packed_modules.cache_clear()
    assert Path(warm.packed_modules()).parent != tmp_path
