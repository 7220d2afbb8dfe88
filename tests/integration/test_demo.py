# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo shows what it says, and leaves no password anywhere."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import demo
from tests.support.emulator import Emulator
from tests.support.playbook import ansible_environment

pytestmark = pytest.mark.root


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Everything temporary of the demo, in a path short enough for Postfix's sockets and open to its users."""
    with tempfile.TemporaryDirectory(prefix="demo-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        monkeypatch.setattr("tempfile.tempdir", name)
        monkeypatch.setenv("TMPDIR", name)
        yield Path(name)


def test_the_demo_changes_nothing_the_second_time_and_shows_no_password(
    tmp_path: Path, temporary: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    of_the_api: list[str] = []
    real = demo.emulator_environment

    def environment(emulator: Emulator) -> dict[str, str]:
        of_the_api.append(emulator.api_password)
        return real(emulator)

    monkeypatch.setattr(demo, "emulator_environment", environment)
    # Other tests use the usual folders at the same time.
    own = {**ansible_environment(temporary / "ansible"), "ANSIBLE_REMOTE_TEMP": str(temporary / "remote")}
    monkeypatch.setattr(demo, "ansible_environment", lambda: own)
    demo.demonstrate(folder)
    printed = capfd.readouterr()
    assert "changed=0, changed=0" in printed.out
    assert "login example.com, TLSv1" in printed.out

    files = {folder / name: (folder / name).read_text(encoding="utf-8").strip() for name in ("alice", "info", "domain")}
    assert len({len(password) for password in files.values()}) == 1
    contents = [printed.out.encode(), printed.err.encode()]
    contents += [
        file.read_bytes()
        for place in (temporary, folder)
        for file in place.rglob("*")
        if file.is_file() and file not in files
    ]
    assert of_the_api
    for password in (*files.values(), *of_the_api):
        assert not any(password.encode() in content for content in contents)
