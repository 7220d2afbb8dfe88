# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The artefact, installed into an empty folder, does the main job from there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.emulator import Emulator
from tests.support.playbook import ansible_environment, run_playbook
from tests.tools.artefact import build, install


def test_the_installed_artefact_onboards_in_check_mode(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    installed = install(build(tmp_path / "artefact"), tmp_path / "installed")
    variables = {
        "spamexperts_accounts": {"default": {**emulator.connection, "use_discovered_methods": True}},
        "spamexperts_domains": [{"domain": "example.com", "senders": [{"username": "alice"}]}],
        "spamexperts_domain": "example.com",
    }
    (tmp_path / "variables.yml").write_text(yaml.safe_dump(variables), encoding="utf-8")
    environment = {
        **ansible_environment(),
        "ANSIBLE_COLLECTIONS_PATH": str(installed.parents[2]),
        "ANSIBLE_CONFIG": str(tmp_path / "installed" / "ansible.cfg"),
    }
    arguments = ["-e", f"@{tmp_path / 'variables.yml'}", "--check"]
    run = run_playbook("smarthost.spamexperts.onboard_domain", arguments, environment)
    assert run.returncode == 0, run.output
    assert "1 created" in run.output
    assert emulator.counters()["writes"] == 0
