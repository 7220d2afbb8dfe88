# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run that was killed has remembered, and what the next runs make of it."""

from __future__ import annotations

import json

import pytest

from tests.support.module import run_module
from tests.support.postfix import ScratchPostfix

pytestmark = pytest.mark.root

LIMIT = "smtp_destination_concurrency_limit"


def test_a_killed_change_that_is_taken_back_is_not_taken_for_a_change_by_hand() -> None:
    postfix = ScratchPostfix()
    try:
        options = {
            "config_directory": str(postfix.config_directory),
            "default_login": "web1@example.com",
            "default_password": "Correct-Horse-42",
        }
        before = postfix.parameters()
        assert not run_module("postfix_relay", {**options, "concurrency": 5}).failed
        # A run with concurrency 2 was killed before it had touched main.cf.
        remembered = postfix.config_directory / "smarthost_originals.json"
        content = json.loads(remembered.read_text())
        content["unfinished"] = True
        content["parameters"][LIMIT].update(ours="2", earlier=["5"])
        remembered.write_text(json.dumps(content))
        assert not run_module("postfix_relay", {**options, "concurrency": 5}).failed
        assert postfix.parameters()[LIMIT] == "5"
        gone = run_module("postfix_relay", {"state": "absent", "config_directory": str(postfix.config_directory)})
        assert not gone.failed
        assert "by hand" not in gone.warnings
        assert postfix.parameters() == before
    finally:
        postfix.close()
