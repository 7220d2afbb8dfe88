# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a module fails, in a word for programs."""

from __future__ import annotations

import pytest

from tests.support.module import run_module


@pytest.mark.parametrize("name", ["postfix_test_mail", "smtp_login_info"])
def test_what_ansible_core_refuses_is_of_the_options(name: str) -> None:
    run = run_module(name, {"reciepient": "alice@example.com"})
    assert run.failed
    assert run.code == "invalid_options"
