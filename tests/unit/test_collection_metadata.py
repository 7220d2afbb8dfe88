# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's own papers: what the artefact holds, licences, pins, and that it stands alone."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import ROOT
from tests.tools.artefact import strangers
from tests.tools.committed import committed_files
from tests.tools.matrix import CORES

FILES = committed_files()
# The changelog is written by antsibull-changelog, which keeps no comment.
SOURCES = [
    name
    for name in FILES
    if name.endswith((".py", ".yml", ".yaml", ".toml", ".cfg")) or (ROOT / name).read_bytes().startswith(b"#!")
    if name != "changelogs/changelog.yaml"
]


def ignored_by_build(name: str, patterns: list[str]) -> bool:
    """Tell whether ansible-galaxy leaves this file out: it matches, or a folder above it does."""
    parents = [str(parent) for parent in Path(name).parents if str(parent) != "."]
    return any(fnmatch.fnmatch(path, pattern) for path in [name, *parents] for pattern in patterns)


def test_artefact_holds_the_product_only() -> None:
    patterns = ["galaxy.yml", *yaml.safe_load((ROOT / "galaxy.yml").read_text())["build_ignore"]]
    packed = [name for name in FILES if not ignored_by_build(name, patterns)]
    assert strangers(packed) == []
    assert "tests/config.yml" in packed
    assert "meta/runtime.yml" in packed


def test_build_ignore_has_no_pattern_that_the_product_needs() -> None:
    patterns = yaml.safe_load((ROOT / "galaxy.yml").read_text())["build_ignore"]
    lost = [name for name in FILES if not strangers([name]) and ignored_by_build(name, patterns)]
    assert lost == []


def test_every_source_names_its_licence() -> None:
    wanted = ["# Copyright: smarthost.spamexperts maintainers", "# SPDX-License-Identifier: GPL-3.0-or-later"]
    heads = {name: (ROOT / name).read_text().splitlines()[:8] for name in SOURCES}
    assert [name for name, head in heads.items() if head and not set(wanted) <= set(head)] == []


def test_licence_is_the_one_that_is_named() -> None:
    assert "GNU GENERAL PUBLIC LICENSE\n                       Version 3" in (ROOT / "LICENSE").read_text()
    assert yaml.safe_load((ROOT / "galaxy.yml").read_text())["license"] == ["GPL-3.0-or-later"]


def test_the_project_stands_alone() -> None:
    """Nothing points at a folder beside the project, which nobody else has."""
    outside = re.compile(rb"\.\./shared(?!-)|/work/(main|shared)|design\.md|contract\.md|facts/")
    others = [ROOT / name for name in FILES if ROOT / name != Path(__file__)]
    assert [str(path) for path in others if outside.search(path.read_bytes())] == []


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("tests/**/requirements*.txt")), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_every_requirement_is_pinned(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith(("#", "-r "))]
    assert lines
    assert [line for line in lines if not re.match(r"^[A-Za-z0-9._-]+==[0-9][0-9a-z.]*(; .+)?$", line)] == []


def test_ansible_test_units_uses_the_same_versions() -> None:
    ours = (ROOT / "tests" / "requirements-test.txt").read_text().splitlines()
    theirs = [line for line in (ROOT / "tests" / "unit" / "requirements.txt").read_text().splitlines() if "==" in line]
    assert set(theirs) <= set(ours)


def test_no_sanity_test_is_ignored() -> None:
    statements = [line for path in ROOT.glob("tests/sanity/ignore-*.txt") for line in path.read_text().splitlines()]
    assert statements == []


def test_every_shell_script_is_checked() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (line,) = re.findall(r"^SHELL_SOURCES := (.*)$", makefile, re.MULTILINE)
    expanded = re.sub(
        r"\$\(addprefix ([^,]+),([^)]+)\)", lambda match: " ".join(match[1] + word for word in match[2].split()), line
    )
    shells = [name for name in SOURCES if re.match(rb"#!.*\b(ba|da)?sh\b", (ROOT / name).read_bytes())]
    assert sorted(expanded.split()) == shells


def test_what_is_phony_are_the_rules_that_make_no_file() -> None:
    makefile = (ROOT / "Makefile").read_text()
    rules = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    (phony,) = re.findall(r"^\.PHONY: ((?:.*\\\n)*.*)$", makefile, re.MULTILINE)
    assert set(phony.replace("\\\n", " ").split()) == rules


def test_folders_of_tests_are_packages() -> None:
    """Without that `make test-slow`, which reads all of them, stops at the first two files of one name."""
    folders = {Path(name).parent for name in FILES if re.fullmatch(r"tests/.*/test_\w+\.py", name)}
    assert [folder for folder in folders if not (ROOT / folder / "__init__.py").exists()] == []


def test_plays_that_carry_passwords_to_hosts_ask_for_pipelining() -> None:
    """Without it a task that is killed leaves its arguments in a temporary folder."""
    modules = ("import_site", "outgoing_mail", "outgoing_users", "rotation", "smtp_login_info")
    carriers = re.compile(rf"smarthost\.spamexperts\.({'|'.join(modules)})(?=[':\n])")
    playbooks = ROOT / "playbooks"
    plays = [play for path in playbooks.glob("*.yml") for play in yaml.safe_load(path.read_text())]

    def text(play: dict[str, Any]) -> str:
        """The play with the files of tasks that it imports."""
        imported = re.findall(r"'ansible\.builtin\.import_tasks': '([^']+)'", str(play))
        return "".join([str(play), *((playbooks / name).read_text() for name in imported)])

    carrying = [play for play in plays if carriers.search(text(play))]
    assert len(carrying) > 15
    asking = "ansible_pipelining"
    assert asking in (playbooks / "vars" / "hosts.yml").read_text()
    without = [play for play in carrying if "vars/hosts.yml" not in play.get("vars_files", [])]
    assert [play["name"] for play in without if asking not in play.get("vars", {})] == []


def test_the_readme_names_every_module_and_playbook() -> None:
    names = [path.stem for folder in ("plugins/modules", "playbooks") for path in ROOT.glob(f"{folder}/*.*")]
    readme = (ROOT / "README.md").read_text()
    assert [name for name in names if not re.search(rf"\b{name}\b", readme)] == []


def test_the_readme_names_the_ansible_cores_of_the_matrix() -> None:
    rows = re.findall(r"^\| (2\.[\w., ]+) \| (3\.\d+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    named = {version: python for versions, python in rows for version in versions.split(", ")}
    assert named == {core.version: core.pythons[0] for core in CORES}
