# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways in which the guide lets an audit run each night, as far as they can run here."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.report import FAIL_ON

from tests import ROOT
from tests.support.postfix import ScratchPostfix

TEXT = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")


def units() -> dict[str, str]:
    """The units of the guide, by their names."""
    (block,) = re.findall(r"```ini\n(.*?)```", TEXT, re.DOTALL)
    parts = re.split(r"^# /etc/systemd/system/(\S+)\n", block, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2]))


def command(unit: str) -> list[str]:
    """What systemd runs: continued lines are one, and a backslash in quotes is written twice."""
    joined = units()[unit].replace("\\\n", " ")
    (line,) = re.findall(r"^ExecStart=(.*)$", joined, re.MULTILINE)
    return shlex.split(line.replace("%i", "spamexperts-audit.service"))


def blocks() -> list[Any]:
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for name, text in units().items():
        there = text.replace("/home/ansible/smarthost-venv/bin/ansible-playbook", "/bin/true")
        (tmp_path / name).write_text(there.replace("/usr/sbin/sendmail", "/bin/true"), encoding="utf-8")
    instance = tmp_path / "mail-root@spamexperts-audit.service.service"
    instance.write_text((tmp_path / "mail-root@.service").read_text(encoding="utf-8"), encoding="utf-8")
    named = [str(path) for path in sorted(tmp_path.iterdir()) if path.name != "mail-root@.service"]
    done = subprocess.run(["systemd-analyze", "verify", *named], capture_output=True, text=True, check=False)
    # Of the machine's own units it says things as well.
    ours = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "spamexperts" in line]
    assert ours == []


def test_each_way_runs_the_same_command() -> None:
    nightly = next(one for one in blocks() if isinstance(one, dict) and set(one) == {"spamexperts_fail_on"})
    assert set(nightly["spamexperts_fail_on"]) <= set(FAIL_ON)
    job = next(one["audit"] for one in blocks() if isinstance(one, dict) and "audit" in one)
    (script,) = job["script"]
    timer = command("spamexperts-audit.service")
    assert Path(timer[0]).name == "ansible-playbook"
    without_password = [word for word in shlex.split(script) if word != "$VAULT_PASSWORD_FILE"]
    assert without_password == ["ansible-playbook", *(word for word in timer[1:] if word != "/home/ansible/.vault")]
    (schedule,) = next(one for one in blocks() if isinstance(one, list) and "awx.awx.schedule" in one[0])
    assert schedule["awx.awx.schedule"]["extra_data"]["spamexperts_fail_on"] == nightly["spamexperts_fail_on"]
    assert job["artifacts"]["paths"] == ["audit/"]


@pytest.mark.root
@pytest.mark.skipif(not shutil.which("journalctl"), reason="there is no systemd")
def test_root_gets_a_mail_when_it_fails(instance: ScratchPostfix) -> None:
    instance.run("postconf", "-e", "default_transport = retry:no", "local_transport = retry:no")
    instance.reload()
    environment = {**os.environ, "MAIL_CONFIG": str(instance.config_directory)}
    words = [word.replace("\\\\", "\\") for word in command("mail-root@.service")]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    instance.wait_until_quiet()
    (mail,) = instance.queue()
    shown = instance.run("postcat", "-q", str(mail["queue_id"]))
    assert "Subject: spamexperts-audit.service has failed" in shown
    assert mail["recipients"][0]["address"].startswith("root@")
