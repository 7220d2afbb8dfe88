# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What user.js and a policy set at each start, and when that is against what is asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird import overrides
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.errors import ThunderbirdError
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.overrides import Override, Overrides
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.preferences import Preferences

NONE = Overrides({}, {})


def user_js(profile: Path, content: str) -> dict[str, Any]:
    (profile / "user.js").write_text(content)
    return {name: override.value for name, override in overrides.of_profile(profile, NONE).forced.items()}


def test_no_user_js_sets_nothing(tmp_path: Path) -> None:
    assert overrides.of_profile(tmp_path, NONE) == NONE


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('user_pref("a", "1");\nuser_pref("a", "2");', {"a": "2"}),
        ("user_pref('a' , 'x, \"y\"') ;", {"a": 'x, "y"'}),
        ('user_pref("a",true);user_pref("b", -3);user_pref("c", false);', {"a": True, "b": -3, "c": False}),
        ('user_pref(\n  "a",\n  "b"\n);', {"a": "b"}),
        ('// user_pref("a", 1);\n# user_pref("b", 1);\n/* user_pref("c", 1);\n */ user_pref("d", 1);', {"d": 1}),
        # Comments and calls within a text are none.
        ('user_pref("a", "http://x/*"); user_pref("b", "*/");', {"a": "http://x/*", "b": "*/"}),
        ('user_pref("a", "user_pref(\\"b\\", 1);");', {"a": 'user_pref("b", 1);'}),
        # Those of a default do nothing where the profile has a value.
        ('pref("a", 1); sticky_pref("b", 1); my_user_pref("c", 1);', {}),
        ('user_pref("a", "\\x41\\\\");', {"a": "\\x41\\"}),
        ('user_pref("a", ); nonsense "\n user_pref("b", 1);', {"b": 1}),
        ("", {}),
    ],
)
def test_what_user_js_sets(tmp_path: Path, content: str, found: dict[str, Any]) -> None:
    assert user_js(tmp_path, content) == found


def test_a_user_js_that_is_a_link_is_read(tmp_path: Path) -> None:
    """As home-manager makes it."""
    (tmp_path / "store").write_text('user_pref("a", 1);')
    (tmp_path / "user.js").symlink_to("store")
    assert overrides.of_profile(tmp_path, NONE).forced == {"a": Override(tmp_path / "user.js", 1)}


@pytest.mark.parametrize(
    ("setting", "forced", "defaults"),
    [
        ("smtp1", {"a": "smtp1"}, {}),  # the old form locks
        ({"Value": "smtp1", "Status": "locked"}, {"a": "smtp1"}, {}),
        ({"Value": "smtp1", "Status": "user"}, {"a": "smtp1"}, {}),
        ({"Value": "smtp1", "Status": "default"}, {}, {"a": "smtp1"}),
        ({"Value": "smtp1"}, {}, {"a": "smtp1"}),
        ({"Status": "clear"}, {"a": None}, {}),
        ({"Value": ["smtp1"], "Status": "user"}, {}, {}),
        (None, {}, {}),
    ],
)
@pytest.mark.parametrize("as_text", [False, True])
def test_what_a_policy_sets(tmp_path: Path, setting: Any, forced: Any, defaults: Any, as_text: bool) -> None:
    preferences: Any = {"a": setting}
    content = {"policies": {"Preferences": json.dumps(preferences) if as_text else preferences}}
    (tmp_path / "policies.json").write_text(json.dumps(content))
    found = overrides.of_policies(tmp_path / "policies.json")
    assert {name: override.value for name, override in found.forced.items()} == forced
    assert found.defaults == defaults


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"policies": []}', '{"policies": {"Preferences": 1}}', '{"policies": {}}', "\xff"],
)
def test_a_policies_file_that_thunderbird_cannot_read_sets_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "policies.json").write_bytes(content.encode("latin-1"))
    assert overrides.of_policies(tmp_path / "policies.json") == NONE


def test_no_policies_file_sets_nothing(tmp_path: Path) -> None:
    assert overrides.of_policies(None) == NONE
    assert overrides.of_policies(tmp_path / "missing.json") == NONE


def test_a_policy_comes_after_user_js(tmp_path: Path) -> None:
    (tmp_path / "user.js").write_text('user_pref("a", 1);user_pref("b", 1);')
    policy = Overrides({"a": Override(Path("/p"), 2)}, {"c": 3})
    assert overrides.of_profile(tmp_path, policy) == Overrides(
        {"a": Override(Path("/p"), 2), "b": Override(tmp_path / "user.js", 1)}, {"c": 3}
    )


PRESENT = {
    "mail.smtpservers": "smtp1,ours",
    "mail.smtp.defaultserver": "ours",
    "mail.identity.id1.smtpServer": "ours",
    "mail.smtpserver.ours.hostname": "smarthost.test",
    "mail.smtpserver.ours.port": 587,
}
ABSENT = {"mail.smtpservers": "smtp1"}


def objection(planned: dict[str, Any], name: str, value: Any) -> str:
    preferences = Preferences(b"")
    for each, planned_value in planned.items():
        preferences.set(each, planned_value)
    forced = Overrides({name: Override(Path("/home/a/user.js"), value)}, {})
    try:
        overrides.require_harmony(preferences, "ours", forced, wanted=planned == PRESENT)
    except ThunderbirdError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("mail.smtpservers", "smtp1", "add ours to that list"),
        ("mail.smtpservers", "smtp1,oursx", "add ours to that list"),
        ("mail.smtpservers", None, "add ours to that list"),
        ("mail.smtpservers", 7, "add ours to that list"),
        ("mail.smtpservers", "ours,smtp2", ""),
        ("mail.smtp.defaultserver", "smtp1", "set it to ours there, or take it out"),
        ("mail.smtp.defaultserver", None, "set it to ours there, or take it out"),
        ("mail.smtp.defaultserver", "ours", ""),
        ("mail.identity.id1.smtpServer", "smtp1", "set it to ours there, or take it out"),
        ("mail.identity.id1.smtpServer", "ours", ""),
        ("mail.identity.id2.smtpServer", "smtp1", ""),
        ("mail.identity.id2.smtpServer", "ours", "take it out there"),
        ("mail.smtpserver.ours.hostname", "other.test", "make it smarthost.test there, or take it out"),
        ("mail.smtpserver.ours.port", 587, ""),
        ("mail.smtpserver.ours.uid", "x", ""),
        ("mail.smtpserver.smtp1.hostname", "other.test", ""),
        ("mail.identity.id1.useremail", "x@y", ""),
    ],
)
def test_what_is_against_a_server_that_should_be_there(name: str, value: Any, says: str) -> None:
    found = objection(PRESENT, name, value)
    assert bool(found) == bool(says)
    assert found.endswith(says)
    assert found.startswith(
        f"/home/a/user.js {'clears' if value is None else 'sets'} {name} at each start" if says else ""
    )


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("mail.smtpservers", "smtp1", ""),
        ("mail.smtpservers", "smtp1,ours", "take ours out of that list"),
        ("mail.smtp.defaultserver", "ours", "take it out there"),
        ("mail.smtp.defaultserver", "smtp1", ""),
        ("mail.identity.id1.smtpServer", "ours", "take it out there"),
        ("mail.smtpserver.ours.hostname", "other.test", ""),
    ],
)
def test_what_is_against_a_server_that_should_be_gone(name: str, value: Any, says: str) -> None:
    found = objection(ABSENT, name, value)
    assert bool(found) == bool(says)
    assert found.endswith(says)
