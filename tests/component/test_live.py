# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make live`: what a maintainer tries on a real account only reads, and shows nothing of the account's data."""

from __future__ import annotations

import pytest

from tests.support.emulator import Emulator
from tests.tools import live


def use(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("url", "username", "password"):
        monkeypatch.setenv(f"SPAMEXPERTS_API_{name.upper()}", emulator.connection[f"api_{name}"])
    monkeypatch.setenv("SPAMEXPERTS_CA_PATH", emulator.connection["ca_path"])


def test_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in live.NEEDED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPAMEXPERTS_API_URL", "https://panel.example.com/")
    assert live.main() == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert "Set SPAMEXPERTS_API_USERNAME, SPAMEXPERTS_API_PASSWORD" in line


def test_it_reads_only(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    use(emulator, monkeypatch)
    emulator.seed(
        domains=["example.com"], users=[{"domain": "example.com", "username": "alice", "password": "Wyvern-Plinth-7"}]
    )
    assert live.main() == 0
    printed = capsys.readouterr().out
    lines = dict(line.split(maxsplit=1) for line in printed.splitlines() if not line.startswith("call"))
    assert "read_users" in lines["works"]
    assert int(lines["users"]) == len(emulator.users()) > 0
    assert emulator.counters()["writes"] == 0
    assert not [secret for secret in ("alice", "Wyvern", emulator.api_password) if secret in printed]


def test_it_passes_on_why_the_server_refuses(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(emulator, monkeypatch)
    monkeypatch.setenv("SPAMEXPERTS_API_PASSWORD", "Gryphon-Lintel-3")
    assert live.main() == 1
    printed = capsys.readouterr().out
    assert printed.startswith("api_info: ")
    assert "Gryphon" not in printed
