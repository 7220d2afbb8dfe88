# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a module fails, in a word for programs: `failure.code`, documented in the fragment `_failure` and in RETURN."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.doc_fragments._failure import ModuleDocFragment
from ansible_collections.smarthost.spamexperts.plugins.module_utils._api.reply import ErrorKind
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users import report
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.plan import Change
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.user import Key

from tests import ROOT
from tests.support.documentation import documented
from tests.support.module import run_module

#: The modules for mail servers and mail programs.
PREFIXES = ("postfix_", "thunderbird_", "smtp_login_info")
NAMES = sorted(path.stem for path in ROOT.glob("plugins/modules/*.py") if path.stem.startswith(PREFIXES))
FOLDERS = ("_postfix", "_thunderbird", "_smarthost")
#: The exceptions that take a code as their second argument.
CODED = ("PostfixError", "ThunderbirdError")


def sources() -> Iterator[tuple[Path, ast.AST]]:
    """Yield what a module of the collection may fail in."""
    files = [ROOT / "plugins" / "modules" / f"{name}.py" for name in NAMES]
    files += [path for name in FOLDERS for path in ROOT.glob(f"plugins/module_utils/{name}/*.py")]
    for path in files:
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def calls(tree: ast.AST, *names: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in names:
            yield node


def words_of_the_code() -> set[str]:
    """Return the words that stand in a call that fails."""
    found: set[str] = set()
    for _path, tree in sources():
        given: list[Any] = [call.args[1] for call in calls(tree, *CODED) if len(call.args) > 1]
        given += [word.value for call in calls(tree, "fail_json") for word in call.keywords if word.arg == "code"]
        found |= {str(word.value) for word in given if isinstance(word, ast.Constant)}
    return found


def words_of(text: object) -> set[str]:
    """Return the words that a documentation names as values."""
    return set(re.findall(r"\bV\(([a-z_]+)\)", str(text)))


def test_every_failure_has_a_word() -> None:
    silent = [
        f"{path.name}:{call.lineno}"
        for path, tree in sources()
        for call in calls(tree, "fail_json")
        if "code" not in {word.arg for word in call.keywords}
    ]
    assert silent == []


@pytest.mark.parametrize("name", NAMES)
def test_every_module_documents_its_failure_in_the_same_words(name: str) -> None:
    printed = documented("module")[name]
    failure = printed["return"]["failure"]
    first, *own = [failure["description"]] if isinstance(failure["description"], str) else failure["description"]
    assert first == "Why, in a word for programs. The notes say what C(code) can be."
    notes = [note for note in printed["doc"]["notes"] if "failure.code" in note]
    assert failure["sample"]["code"] in words_of([notes, own])


def test_every_word_is_documented_and_every_documented_word_is_one() -> None:
    sections = [ModuleDocFragment.DOCUMENTATION, ModuleDocFragment.HOST]
    said = words_of([sections, *(documented("module")[name]["return"]["failure"] for name in NAMES)])
    assert words_of_the_code() - said == set()
    nodes = [node for _path, tree in sources() for node in ast.walk(tree)]
    constants = {str(node.value) for node in nodes if isinstance(node, ast.Constant)}
    assert said - constants == set()


@pytest.mark.parametrize("name", ["postfix_test_mail", "smtp_login_info"])
def test_what_ansible_core_refuses_is_of_the_options(name: str) -> None:
    run = run_module(name, {"reciepient": "alice@example.com"})
    assert run.failed
    assert run.code == "invalid_options"


def test_every_kind_of_error_of_the_api_is_documented() -> None:
    words = set(re.findall(r"V\((\w+)\)", ModuleDocFragment.API))
    assert words == {kind.value for kind in ErrorKind} | {"missing_library", "not_offered"}


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("api_info", []),
        ("domain", [".DOMAINS"]),
        ("domain_info", []),
        ("domains", [".DOMAINS"]),
        ("outgoing_user", [".USERS"]),
        ("outgoing_user_info", []),
        ("outgoing_users", [".USERS"]),
    ],
)
def test_a_module_for_the_api_documents_the_words(name: str, own: list[str]) -> None:
    text = (ROOT / "plugins" / "modules" / f"{name}.py").read_text(encoding="utf-8")
    sections = re.findall(r"^  - smarthost\.spamexperts\._failure(\.\w+)?$", text, re.MULTILINE)
    assert sections == ["", ".API", *own]


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ([], ""),
        (["foreign"], "foreign"),
        (["other", "other"], "other"),
        (["other", "foreign"], "several_reasons"),
    ],
)
def test_users_that_failed_for_one_reason_fail_the_task_for_it(codes: list[str], code: str) -> None:
    changes = [Change(Key("a.example", "alice"), "user", "unchanged")]
    for position, one in enumerate(codes):
        changes.append(Change(Key("a.example", f"user{position}"), "user", "created"))
        changes[-1].fail("it is broken", one)
    text, word = report.failure(changes, stopped=False)
    assert (bool(text), word) == (bool(codes), code)
    assert [change.to_result().get("code", "") for change in changes] == ["", *codes]
