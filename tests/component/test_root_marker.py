# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is marked `root` is skipped without root, and only that."""

from __future__ import annotations

import os

import pytest

from tests.conftest import pytest_collection_modifyitems


@pytest.mark.parametrize(("user", "marked", "skipped"), [(1000, True, True), (1000, False, False), (0, True, False)])
def test_without_root_what_needs_it_is_skipped(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, user: int, marked: bool, skipped: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    if marked:
        request.node.add_marker("root")
    pytest_collection_modifyitems([request.node])
    assert bool(request.node.get_closest_marker("skip")) == skipped
