# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module is documented whole, and every example uses only what exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests import ROOT
from tests.support.documentation import (
    COLLECTION,
    Block,
    documented,
    examples,
    guide_blocks,
    guides,
    mappings,
    messages_of_the_code,
    module_names,
    module_options,
    plugin_names,
    problems,
    role_names,
    role_options,
)

MODULES = module_names()
MODULE_ATTRIBUTES = {"check_mode", "diff_mode", "idempotent", "platform"}
ROLE_ACTIONS = {"ansible.builtin.include_role", "ansible.builtin.import_role"}


def extends(name: str, fragment: str) -> bool:
    """Tell whether the module's own documentation names a fragment of this collection."""
    text = (ROOT / "plugins" / "modules" / f"{name}.py").read_text()
    return bool(re.search(rf"^\s*- {re.escape(COLLECTION)}\.{fragment}(\.|$)", text, re.MULTILINE))


def leaves(described: dict[str, Any], below: str, prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (path, description) for every option or return value and what is `below` it (suboptions or contains)."""
    for key, value in described.items():
        yield prefix + key, value
        yield from leaves(value.get(below) or {}, below, f"{prefix}{key}.")


@pytest.mark.parametrize("name", MODULES)
def test_module_is_documented_whole(name: str) -> None:
    printed = documented("module")[name]
    doc = printed["doc"]
    assert doc["short_description"]
    assert doc["description"]
    assert doc["version_added"]
    assert set(doc["attributes"]) >= MODULE_ATTRIBUTES
    assert yaml.safe_load(printed["examples"])
    undescribed = [path for path, option in leaves(module_options(name), "suboptions") if not option.get("description")]
    assert not undescribed


@pytest.mark.parametrize("name", MODULES)
def test_every_return_value_says_type_when_and_sample(name: str) -> None:
    returned = documented("module")[name]["return"]
    assert returned
    incomplete = [
        path
        for path, value in leaves(returned, "contains")
        if not (value.get("description") and value.get("type"))
        or (value["type"] == "list" and not value.get("elements"))
        or not (value.get("returned") and "sample" in value)
    ]
    assert not incomplete


@pytest.mark.parametrize("name", MODULES)
def test_a_reason_in_a_sample_is_one_of_the_code(name: str) -> None:
    returned = leaves(documented("module")[name]["return"], "contains")
    shown = {value["sample"] for path, value in returned if path.endswith(".reason")}
    assert shown - {"", *messages_of_the_code()} == set()


@pytest.mark.parametrize("name", MODULES)
def test_action_group_holds_exactly_the_modules_with_a_connection(name: str) -> None:
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
    assert (name in groups["api"]) == extends(name, "_api")
    assert ("action_group" in documented("module")[name]["doc"]["attributes"]) == extends(name, "_api")


def test_action_group_names_only_modules() -> None:
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
    assert list(groups) == ["api"]
    assert groups["api"] == sorted(groups["api"])
    assert set(groups["api"]) <= set(MODULES)


def connection_options() -> dict[str, Any]:
    """Return the options that all modules of the action group share."""
    members = [module_options(name) for name in MODULES if extends(name, "_api")]
    return {name: option for name, option in members[0].items() if all(name in member for member in members)}


def problems_of(mapping: dict[Any, Any]) -> list[str]:
    """Return what is wrong with the modules, roles and module defaults that this one mapping names."""
    found = []
    for key, value in mapping.items():
        name = str(key).removeprefix(f"{COLLECTION}.")
        if name in MODULES and str(key) != name:
            complete = "args" not in mapping and "module_defaults" not in str(mapping)
            found += problems(value or {}, module_options(name), str(key), complete=complete)
        elif name in role_names() and str(key) != name:
            found.append(f"{key} is a role, not a module")
        elif str(key) == f"group/{COLLECTION}.api":
            found += problems(value, connection_options(), str(key), complete=False)
    for action in ROLE_ACTIONS & set(mapping):
        found += problems_of_role(mapping[action].get("name", ""), mapping, mapping[action].get("tasks_from", "main"))
    if "role" in mapping:
        found += problems_of_role(mapping["role"], mapping, "main")
    return found


def problems_of_role(name: str, mapping: dict[Any, Any], entry_point: str) -> list[str]:
    """Return what the role's argument spec does not allow in the variables that are given beside it."""
    role = name.removeprefix(f"{COLLECTION}.")
    if role == name:
        return []
    if role not in role_names():
        return [f"there is no role {name}"]
    given = {key: value for key, value in (mapping.get("vars") or mapping).items() if key.startswith(f"{role}_")}
    return problems(given, role_options(role, entry_point), name, complete=False)


def wrong_in(block: Block) -> list[str]:
    """Return everything that is wrong in one block."""
    return [problem for mapping in mappings(block.data()) for problem in problems_of(mapping)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_use_only_what_exists(name: str) -> None:
    block = examples("module", name)
    assert f"{COLLECTION}.{name}:" in block.text
    assert wrong_in(block) == []


@pytest.mark.parametrize("name", plugin_names("lookup"))
def test_a_lookup_is_documented_whole(name: str) -> None:
    doc = documented("lookup")[name]["doc"]
    assert doc["short_description"]
    assert doc["version_added"]
    assert [path for path, option in leaves(doc["options"], "suboptions") if not option.get("description")] == []
    assert list(documented("lookup")[name]["return"]) == ["_value"]
    block = examples("lookup", name)
    assert f"{COLLECTION}.{name}" in block.text
    assert wrong_in(block) == []


@pytest.mark.parametrize("block", list(guide_blocks()), ids=lambda block: block.source)
def test_guides_use_only_what_exists(block: Block) -> None:
    assert wrong_in(block) == []


def test_the_check_of_examples_sees_what_is_wrong() -> None:
    options = {
        "count": {"type": "int", "required": True},
        "kind": {"type": "str", "choices": ["a", "b"]},
        "users": {"type": "list", "elements": "dict", "suboptions": {"on": {"type": "bool"}}},
    }
    given = {"kind": "c", "typo": 1, "users": [{"on": "yes"}, {"off": True}]}
    assert len(problems(given, options, "module")) == 5
    assert not problems({"count": "{{ n }}", "kind": "a", "users": [{"on": True}]}, options, "module")


def known_names() -> set[str]:
    """Return every name that may stand behind the collection's name."""
    playbooks = {path.stem for path in ROOT.glob("playbooks/*.yml")}
    fragments = {path.stem for path in ROOT.glob("plugins/doc_fragments/*.py")}
    others = [*(path.stem for path in ROOT.glob("plugins/action/*.py")), *plugin_names("lookup")]
    return {*MODULES, *role_names(), *playbooks, *fragments, *others, "api", "plugins"}


def test_every_full_name_in_the_texts_exists() -> None:
    sources = [
        *guides(),
        *ROOT.glob("plugins/**/*.py"),
        *ROOT.glob("plugins/**/*.yml"),
        *ROOT.glob("playbooks/**/*.yml"),
        *ROOT.glob("roles/**/*.yml"),
        *ROOT.glob("meta/*.yml"),
    ]
    known = known_names()
    pattern = re.compile(rf"\b{re.escape(COLLECTION)}\.([a-z_]+)")
    unknown = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in sources
        for match in pattern.finditer(path.read_text())
        if match[1] not in known
    }
    assert not unknown
