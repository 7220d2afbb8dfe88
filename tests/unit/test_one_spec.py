# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the code takes is what the documentation says: modules, their actions, and the role with its README."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from typing import Any
from unittest import mock

import pytest
import yaml
from ansible.module_utils.basic import AnsibleModule

from tests import ROOT
from tests.support.documentation import COLLECTION, documented, module_names, role_names
from tests.support.returned import problems, unseen

PACKAGE = f"ansible_collections.{COLLECTION}.plugins"
#: Modules that are only documentation; the action of the same name has their argument spec.
ACTIONS = sorted(path.stem for path in ROOT.glob("plugins/action/*.py"))


class _Captured(Exception):  # noqa: N818 - it is no error
    """Carries the arguments with which a module has made its AnsibleModule."""


def argument_spec(name: str) -> dict[str, Any]:
    """Return the argument spec that the module, or its action, really uses."""
    if name in ACTIONS:
        spec: dict[str, Any] = importlib.import_module(f"{PACKAGE}.action.{name}").ARGUMENT_SPEC
        return spec
    module = importlib.import_module(f"{PACKAGE}.modules.{name}")

    def capture(_module: AnsibleModule, *_arguments: Any, **options: Any) -> None:
        raise _Captured(options)

    with mock.patch.object(AnsibleModule, "__init__", capture), pytest.raises(_Captured) as caught:
        module.main()
    captured: dict[str, Any] = caught.value.args[0]["argument_spec"]
    return captured


def differences(spec: Mapping[str, Any], options: Mapping[str, Any], where: str = "") -> list[str]:
    """Return every difference between an argument spec and documented options, sub-options included."""
    found = [f"{where}{name} is only in the code" for name in sorted(set(spec) - set(options))]
    found += [f"{where}{name} is only documented" for name in sorted(set(options) - set(spec))]
    for name in sorted(set(spec) & set(options)):
        code, described = spec[name], options[name]
        for key, absent in (("type", "str"), ("required", False), ("elements", None), ("default", None)):
            one, other = code.get(key, absent), described.get(key, absent)
            if one != other or isinstance(one, bool) != isinstance(other, bool):
                found.append(f"{where}{name}.{key} is {one!r} in the code and {other!r} in the documentation")
        for key in ("choices", "aliases"):
            if list(code.get(key) or []) != list(described.get(key) or []):
                found.append(f"{where}{name}.{key} differ")
        inner = described.get("suboptions") or described.get("options") or {}
        found += differences(code.get("options") or {}, inner, f"{where}{name}.")
    return found


@pytest.mark.parametrize("name", module_names())
def test_argument_spec_of_a_module_is_its_documentation(name: str) -> None:
    assert differences(argument_spec(name), documented("module")[name]["doc"]["options"]) == []


def test_every_action_has_a_module_that_documents_it() -> None:
    assert set(ACTIONS) <= set(module_names())


def test_the_comparison_sees_what_differs() -> None:
    spec = {"one": {"type": "int", "default": 1}, "two": {"type": "list", "elements": "str", "choices": ["a"]}, "x": {}}
    options = {"one": {"type": "int", "default": True}, "two": {"type": "list", "elements": "int"}, "y": {}}
    assert len(differences(spec, options)) == 5
    assert differences(spec, spec) == []


def test_the_comparison_of_results_sees_what_differs() -> None:
    described = {
        "count": {"type": "int", "description": ["How many."]},
        "name": {"type": "str", "description": ["Null where there is none."]},
        "users": {
            "type": "list",
            "elements": "dict",
            "description": "",
            "contains": {"on": {"type": "bool", "description": ""}},
        },
    }
    right = {"changed": False, "count": 1, "name": None, "users": [{"on": True}]}
    assert problems(right, described) == []
    assert unseen([right], described) == ["name"]
    failure = {"code": {"type": "str", "description": "Why", "returned": "when it failed"}}
    assert unseen([right], {**described, **failure}) == ["name"]
    wrong = {"count": None, "name": 1, "other": 1, "users": [{"on": 1, "off": 1}, "user"]}
    assert len(problems(wrong, described)) == 6
    assert unseen([{"users": [{}]}], described) == ["count", "name", "users.on"]


def role_options(role: str) -> dict[str, Any]:
    """Return the options of all entry points of a role; one that several have must be the same in each."""
    specs = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    found: dict[str, Any] = {}
    for entry_point in specs.values():
        for name, option in entry_point["options"].items():
            assert differences({name: found.get(name, option)}, {name: option}) == []
            found[name] = option
    return found


@pytest.mark.parametrize("role", role_names())
def test_defaults_of_a_role_are_those_of_its_argument_spec(role: str) -> None:
    options = role_options(role)
    defaults: dict[str, Any] = yaml.safe_load((ROOT / "roles" / role / "defaults" / "main.yml").read_text())
    assert sorted(set(defaults) - set(options)) == []
    literal = {name: value for name, value in defaults.items() if "{{" not in str(value)}
    assert literal == {name: option["default"] for name, option in options.items() if "default" in option}


def as_cell(option: Mapping[str, Any]) -> str:
    """Return the default of an option as a table of the README shows it."""
    text = yaml.safe_dump(option["default"], default_flow_style=True).removesuffix("...\n").strip()
    return f"`{text}`"


@pytest.mark.parametrize("role", role_names())
def test_table_in_the_readme_of_a_role_has_every_option_with_its_default(role: str) -> None:
    options = role_options(role)
    text = (ROOT / "roles" / role / "README.md").read_text()
    table = dict(re.findall(rf"^\| `({role}_\w+)` \| ([^|]*?) *\| ", text, re.MULTILINE))
    assert sorted(table) == sorted(options)
    wrong = {
        name: cell
        for name, cell in table.items()
        if (cell != as_cell(options[name]) if "default" in options[name] else re.fullmatch("`[^`]*`", cell))
    }
    assert wrong == {}


def test_a_host_at_rest_is_compared_with_what_it_would_be_given() -> None:
    """The role says twice as what a host is to send: to the module that compares, and to the one that sets it up."""
    tasks = ROOT / "roles" / "outgoing_mail" / "tasks"
    compared = yaml.safe_load((tasks / "postfix_look.yml").read_text())[0]["smarthost.spamexperts.postfix_relay_info"]
    given = yaml.safe_load((tasks / "postfix_relay.yml").read_text())[0]["smarthost.spamexperts.postfix_relay"]
    only = {"state", "flush", "ignore_host_manager"}
    assert set(given) - only == set(given) & set(compared) == set(argument_spec("postfix_relay")) - only
    different = {name for name in set(given) & set(compared) if given[name] != compared[name]}
    # Of a host that is to send in another way no login counts, however wrong it is.
    assert different == {"default_login", "default_password", "logins"}
    for name in different:
        assert "outgoing_mail_state == 'present'" in compared[name]
