# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's entry point `thunderbird`, with the real ansible-playbook and people of the host."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.support.playbook import PlaybookRun, ansible_environment, run_playbook
from tests.support.thunderbird import PROGRAM_DIRECTORY
from tests.support.thunderbird_profile import make_profile, passwords, preferences_of, snapshot

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not PROGRAM_DIRECTORY.exists(), reason="Thunderbird is not installed"),
]

PASSWORD = "Quote\" back\\slash ' Ümläut 😀 {{ no }}"
PRIMARY = 'primary secret " \\'
ORIGIN = "smtp://4489.smtp.antispamcloud.com"
UIDS = {"alice": 40001, "bob": 40002}

# Only this playbook sees these users and these policies: they are mounted in a namespace of its own.
NAMESPACE = 'mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/thunderbird" /etc/thunderbird && exec "$@"'
PLAYBOOK = """
- name: Configure the clients
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Let Thunderbird send through the smarthost
      ansible.builtin.include_role:
        name: smarthost.spamexperts.outgoing_mail
        tasks_from: thunderbird
"""


@pytest.fixture
def host() -> Iterator[Path]:
    """A host with alice, who has a profile with a primary password, and bob, who has none."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        users = "".join(f"{user}:x:{uid}:{uid}::{root}/{user}:/bin/sh\n" for user, uid in UIDS.items())
        (root / "passwd").write_text(Path("/etc/passwd").read_text() + users)
        shutil.copytree("/etc/thunderbird", root / "thunderbird", symlinks=True)
        trustme.CA().cert_pem.write_to_path(str(root / "ca.pem"))
        (root / "ca.pem").chmod(0o644)
        (root / "play.yml").write_text(PLAYBOOK)
        for user, uid in UIDS.items():
            (root / user).mkdir(mode=0o700)
            os.chown(root / user, uid, uid)
        directory = root / "alice/.thunderbird"
        make_profile(directory / "used", library="libnss3.so", primary_password=PRIMARY)
        (directory / "profiles.ini").write_text(
            "[Profile0]\nName=x\nIsRelative=1\nPath=used\n\n[InstallFDC34C9F024745EB]\nDefault=used\nLocked=1\n"
        )
        for path in [directory, *directory.rglob("*")]:
            os.chown(path, UIDS["alice"], UIDS["alice"])
        yield root


def people(**alice: Any) -> dict[str, Any]:
    return {
        "ansible_python_interpreter": sys.executable,
        "outgoing_mail_thunderbird_people": [
            {
                "user": "alice",
                "login": "alice@example.com",
                "password": "{% raw %}" + PASSWORD + "{% endraw %}",
                "primary_password": PRIMARY,
                "identities": ["info@example.com"],
                **alice,
            },
            {"user": "bob", "login": "bob@example.com", "password": "Another-Horse-43", "default_server": True},
        ],
    }


def play(host: Path, variables: dict[str, Any], *options: str) -> PlaybookRun:
    """Run the playbook as somebody would: no secret in an argument of the process, and none in what it prints."""
    (host / "vars.json").write_text(json.dumps(variables))
    (host / "vars.json").chmod(0o600)
    arguments = ["--extra-vars", f"@{host}/vars.json", "-vvvv", "--diff", *options]
    wrapper = ["unshare", "--mount", "sh", "-c", NAMESPACE, str(host)]
    run = run_playbook(str(host / "play.yml"), arguments, ansible_environment(), wrapper)
    for secret in (PASSWORD, PRIMARY, "Another-Horse-43"):
        assert secret not in run.output
        assert json.dumps(secret)[1:-1] not in run.output
        assert json.dumps(secret, ensure_ascii=False)[1:-1] not in run.output
    return run


def test_two_people_from_the_first_run_to_absent(host: Path) -> None:
    before = snapshot(host / "alice", host / "bob")
    run = play(host, people(), "--check")
    assert (run.returncode, run.changed()) == (0, 1), run.output
    assert snapshot(host / "alice", host / "bob") == before

    run = play(host, people())
    assert (run.returncode, run.changed()) == (0, 1), run.output
    used = host / "alice/.thunderbird/used"
    (made,) = [path.parent for path in (host / "bob/.thunderbird").glob("*/prefs.js")]
    assert passwords(used, primary_password=PRIMARY)[ORIGIN, "alice@example.com"] == PASSWORD
    assert passwords(made) == {(ORIGIN, "bob@example.com"): "Another-Horse-43"}
    assert preferences_of(used)[b"mail.identity.id2.smtpServer"] == b"spamexperts"
    assert preferences_of(made)[b"mail.smtp.defaultserver"] == b"spamexperts"
    for user, uid in UIDS.items():
        assert {path.lstat().st_uid for path in (host / user).rglob("*")} == {uid}

    after = snapshot(host / "alice", host / "bob")
    run = play(host, people())
    assert (run.returncode, run.changed()) == (0, 0), run.output
    assert snapshot(host / "alice", host / "bob") == after

    # Somebody leaves, then everybody.
    run = play(host, people(state="absent"))
    assert (run.returncode, run.changed()) == (0, 1), run.output
    copy = b'user_pref("signon.rustMirror.migrationNeeded", true);\n'
    assert (used / "prefs.js").read_bytes() == before[str(used / "prefs.js")][2] + copy
    assert (ORIGIN, "bob@example.com") in passwords(made)
    run = play(host, {**people(), "outgoing_mail_thunderbird_state": "absent"})
    assert (run.returncode, run.changed()) == (0, 1), run.output
    assert passwords(made) == {}
    assert b"spamexperts" not in (made / "prefs.js").read_bytes()


def test_a_private_authority_comes_and_goes(host: Path) -> None:
    policies = host / "thunderbird/policies/policies.json"
    variables = {
        "ansible_python_interpreter": sys.executable,
        "outgoing_mail_thunderbird_ca_path": str(host / "ca.pem"),
    }
    run = play(host, variables, "--check")
    assert (run.returncode, run.changed()) == (0, 1), run.output
    assert not policies.exists()
    run = play(host, variables)
    assert (run.returncode, run.changed()) == (0, 1), run.output
    assert json.loads(policies.read_bytes()) == {"policies": {"Certificates": {"Install": [str(host / "ca.pem")]}}}
    run = play(host, variables)
    assert (run.returncode, run.changed()) == (0, 0), run.output
    run = play(host, {**variables, "outgoing_mail_thunderbird_state": "absent"})
    assert (run.returncode, run.changed()) == (0, 1), run.output
    assert not policies.exists()


def test_a_refused_profile_says_why_without_the_password(host: Path) -> None:
    run = play(host, people(primary_password="another secret"))
    assert run.returncode == 2
    assert f"{host}/alice/.thunderbird/used: " in run.output
    assert '"code": "primary_password"' in run.output
    # The other one is configured nevertheless.
    assert list((host / "bob/.thunderbird").glob("*/prefs.js"))


def test_a_person_whose_profile_is_not_named_is_refused(host: Path) -> None:
    variables = people()
    del variables["outgoing_mail_thunderbird_people"][1]["user"]
    run = play(host, variables)
    assert run.returncode == 2
    assert "(item=1) => " in run.output
    assert '"msg": "none of profile, users and all_users' in run.output
    assert passwords(host / "alice/.thunderbird/used", primary_password=PRIMARY)[ORIGIN, "alice@example.com"]


def test_nothing_is_installed_unless_told(host: Path) -> None:
    run = play(host, {"ansible_python_interpreter": sys.executable})
    assert (run.returncode, run.changed()) == (0, 0), run.output
    assert "skipping" in run.output.partition("Install Thunderbird")[2].partition("TASK")[0]
