# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How rotate_credentials tells that it is in a container, wherever these tests run."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._container import in_container

MARKS = ("/run/.containerenv", "/.dockerenv")


@pytest.mark.parametrize(
    ("marks", "folder", "container"),
    [
        ([], None, False),
        ([], "", False),
        ([], "/runner", True),  # AWX, and ansible-runner
        (["/run/.containerenv"], None, True),  # Podman
        (["/.dockerenv"], None, True),  # Docker
    ],
)
def test_a_container_is_recognised(
    monkeypatch: pytest.MonkeyPatch, marks: list[str], folder: str | None, container: bool
) -> None:
    real = os.stat

    def stat(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
        if str(path) in MARKS and str(path) not in marks:
            raise FileNotFoundError(errno.ENOENT, "not there")
        return real("/" if str(path) in MARKS else path, *arguments, **options)

    monkeypatch.delenv("AWX_PRIVATE_DATA_DIR", raising=False)
    if folder is not None:
        monkeypatch.setenv("AWX_PRIVATE_DATA_DIR", folder)
    monkeypatch.setattr(os, "stat", stat)
    assert in_container() is container
