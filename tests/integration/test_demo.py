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
from tests.support.postfix import ScratchPostfix
from tests.support.store import read_store

pytestmark = pytest.mark.root


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Everything temporary of the demo, in a path short enough for Postfix's sockets and open to its users."""
    with tempfile.TemporaryDirectory(prefix="demo-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        monkeypatch.setattr("tempfile.tempdir", name)
        monkeypatch.setenv("TMPDIR", name)
        yield Path(name)


def test_the_demo_shows_what_it_says_and_no_password(
    tmp_path: Path, temporary: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    vault, store = folder / "vault-password", folder / "credentials.yml"
    secret: list[str] = []
    real = demo.show_mail

    def show_mail(emulator: Emulator, postfix: ScratchPostfix) -> None:
        vault_password = vault.read_text(encoding="utf-8")
        stored = read_store(store, vault_password)
        assert set(stored) == {"alice@example.com", "info@example.com", "server1@example.com"}
        secret.extend([emulator.api_password, vault_password, *(entry["current"] for entry in stored.values())])
        real(emulator, postfix)

    monkeypatch.setattr(demo, "show_mail", show_mail)
    # Other tests use the usual folders at the same time.
    own = {**ansible_environment(temporary / "ansible"), "ANSIBLE_REMOTE_TEMP": str(temporary / "remote")}
    monkeypatch.setattr(demo, "ansible_environment", lambda: own)
    demo.demonstrate(folder)
    printed = capfd.readouterr()
    assert "changed=0, changed=0" in printed.out
    assert "login server1@example.com, TLSv1" in printed.out
    assert "at the vendor: info@example.com, server1@example.com\n" in printed.out

    assert set(read_store(store, vault.read_text(encoding="utf-8"))) == {"info@example.com", "server1@example.com"}
    contents = [printed.out.encode(), printed.err.encode()]
    contents += [
        file.read_bytes()
        for place in (temporary, folder)
        for file in place.rglob("*")
        if file.is_file() and file != vault
    ]
    assert len(secret) == 5
    for password in secret:
        assert not any(password.encode() in content for content in contents)
