# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How rotate_credentials tells that it is in a container, wherever these tests run."""

from __future__ import annotations

from pathlib import Path
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
    real = Path.exists

    def exists(path: Path, **options: Any) -> bool:
        return str(path) in marks if str(path) in MARKS else real(path, **options)

    monkeypatch.delenv("AWX_PRIVATE_DATA_DIR", raising=False)
    if folder is not None:
        monkeypatch.setenv("AWX_PRIVATE_DATA_DIR", folder)
    monkeypatch.setattr(Path, "exists", exists)
    assert in_container() is container
