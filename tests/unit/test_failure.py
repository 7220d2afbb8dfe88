# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a module fails, in a word for programs."""

from __future__ import annotations

import re

import pytest
from ansible_collections.smarthost.spamexperts.plugins.doc_fragments import _failure
from ansible_collections.smarthost.spamexperts.plugins.module_utils._api.reply import ErrorKind
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users import report
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.plan import Change
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.user import Key

from tests import ROOT
from tests.support.module import run_module


@pytest.mark.parametrize("name", ["postfix_test_mail", "smtp_login_info"])
def test_what_ansible_core_refuses_is_of_the_options(name: str) -> None:
    run = run_module(name, {"reciepient": "alice@example.com"})
    assert run.failed
    assert run.code == "invalid_options"


def test_every_kind_of_error_of_the_api_is_documented() -> None:
    words = set(re.findall(r"V\((\w+)\)", _failure.ModuleDocFragment.API))
    assert words == {kind.value for kind in ErrorKind} | {"missing_library", "not_offered"}


@pytest.mark.parametrize("name", ["api_info", "outgoing_user", "outgoing_user_info", "outgoing_users"])
def test_a_module_for_the_api_documents_the_words(name: str) -> None:
    text = (ROOT / "plugins" / "modules" / f"{name}.py").read_text(encoding="utf-8")
    sections = re.findall(r"^  - smarthost\.spamexperts\._failure(\.\w+)?$", text, re.MULTILINE)
    assert sections == ["", ".API", *([".USERS"] if name in ("outgoing_user", "outgoing_users") else [])]


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
