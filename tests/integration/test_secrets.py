# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret anywhere: output, results, log, process arguments and folders of real runs of ansible-playbook."""

from __future__ import annotations

import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from tests.support.apply import DeclaredSite
from tests.support.emulator import Emulator
from tests.support.playbook import ansible_environment
from tests.support.postfix import ScratchPostfix
from tests.support.secrecy import CALLBACK, SITE, ProcessArguments, files_in, forms, leaks
from tests.support.site import VAULT_PASSWORD

pytestmark = pytest.mark.root
#: Quotes, backslashes, everything that an address, a shell and a template may stumble over, and other alphabets.
PASSWORDS = [
    "q'uo\"te-\\back\\\\slash-'\"n",
    "Pässwörd-für-Ключ-鍵-😀",
    "sl/ash%2Fand%and?q#h&amp+plus=x;$HOME`id`",
    "Plain-Password-9x7",
]
MARKER = "marker-5b1fd1"
NAMES = ["alice", "bob", "carol", "dave"]


def task(module: str, *, fails: bool = False, **options: Any) -> dict[str, Any]:
    return {"name": f"Run {module}", f"smarthost.spamexperts.{module}": options, "ignore_errors": fails}


def secret(number: int) -> str:
    return f"{{{{ secrets[{number}] }}}}"


def users(**options: Any) -> list[dict[str, Any]]:
    return [
        {"domain": "example.com", "username": name, "password": secret(number), **options}
        for number, name in enumerate(NAMES)
    ]


def playbook() -> list[dict[str, Any]]:
    """Successes and failures of every module that is told a secret."""
    alice = users()[0]
    logins = [{"login": f"{name}@example.com", "password": secret(number)} for number, name in enumerate(NAMES)]
    server: dict[str, Any] = {"api_username": "admin@example.test", "api_password": "{{ api_password }}"}
    smarthost: dict[str, Any] = {
        name: f"{{{{ {name} }}}}" for name in ("smarthost", "smarthost_port", "smarthost_ca_path")
    }
    api = {"api_url": "{{ api_url }}", "ca_path": "{{ ca_path }}", **server, "use_discovered_methods": True}
    both = {**api, **smarthost}
    tasks = [
        {"name": "A control", "ansible.builtin.command": {"argv": ["sleep", "0.3"]}, "environment": {"MARK": MARKER}},
        {"name": "Another", "ansible.builtin.command": {"argv": ["sh", "-c", f"sleep 0.3; echo {MARKER}"]}},
        task("api_info", **api),
        task("api_info", fails=True, **{**api, "api_password": secret(2)}),
        task("domain", **api, domain="example.com", outgoing=True),
        task("outgoing_users", **both, users=users()),
        task("outgoing_users", **both, users=users(), return_unchanged=True),
        task("outgoing_users", **both, users=users(limits={"per_hour": 5}), update_password="always"),
        task("outgoing_users", fails=True, **both, users=[*users(), alice]),
        task("outgoing_users", fails=True, **both, users=users(lock_timeout=0)),
        task("outgoing_users", fails=True, **both, users=users(limit="unknown")),
        task("outgoing_users", fails=True, **{**both, "api_url": "https://localhost:1"}, users=users(), retries=0),
        task("outgoing_users", fails=True, **{**both, "proxy": "http://u:{{ secrets[3] }}@localhost:1"}, users=users()),
        # One after the other these meet the faults that the test has laid out.
        *(
            {
                **task("outgoing_user", fails=True, **both, **entry, update_password="always", retries=0),
                "when": "not ansible_check_mode",
            }
            for entry in (users()[number] for number in TURNS)
        ),
        task("outgoing_user_info", **api, domains=["example.com"]),
        {**task("smtp_login_info", **smarthost, logins=logins), "when": "not ansible_check_mode"},
        task("smtp_login_info", fails=True, **smarthost, logins=[{**logins[0], "password": secret(1)}]),
        task("smtp_login_info", fails=True, **smarthost, logins=[{**logins[0], "username": secret(1)}]),
        task("postfix_relay", **smarthost, **RELAY, logins=[{**logins[1], "senders": ["@example.com"]}]),
        task("postfix_relay", fails=True, **smarthost, **RELAY, logins=[{**logins[0], "senders": ["bad sender"]}]),
        task("outgoing_users", **api, users=[{"domain": "example.com", "username": "alice", "state": "absent"}]),
    ]
    return [{"hosts": "localhost", "gather_facts": False, "connection": "local", "tasks": tasks}]


#: Whose password is sent to meet each fault.
TURNS = (0, 2, 0, 2, 0, 2, 0, 2, 0)
RELAY: dict[str, Any] = {
    "config_directory": "{{ config_directory }}",
    "default_login": "alice@example.com",
    "default_password": "{{ secrets[0] }}",
}


def faults() -> list[dict[str, Any]]:
    """What a server may answer to a call with a password in its address; each once, and not in the first round."""
    return [
        {"match": "outgoingusers/setpassword", "times": 1, "skip": len(NAMES), **answers(PASSWORDS[who])[number]}
        for number, who in enumerate(TURNS)
    ]


def answers(password: str) -> list[dict[str, Any]]:
    """What a server may do with a password: repeat it in other words, or fail."""
    path = f"/api/outgoingusers/setpassword/password/{quote(password, safe='')}/"
    return [
        {"kind": "reset_before"},
        {"kind": "redirect", "location": f"https://evil.example{path}"},
        {"kind": "redirect", "location": f"https://u:{quote(password, safe='')}@evil.example/"},
        {"kind": "body", "text": f"<html><head><title>Not found: {path}</title></head><body>{password}</body></html>"},
        {"kind": "body", "text": f"ERROR: The password '{password}' is too weak\n"},
        {"kind": "body", "text": f"ERROR: GET {path} and {path.lower()} failed\n"},
        {"kind": "body", "text": f"fatal at {password!r} : SQLSTATE[42000] near {password!a}"},
        {"kind": "half_reply"},
        {"kind": "status", "code": 500},
    ]


@pytest.fixture
def postfix() -> Iterator[ScratchPostfix]:
    with ScratchPostfix({"local_transport": "discard:"}) as instance:
        yield instance


class Run:
    """One run of ansible-playbook, and everything that it has left behind."""

    def __init__(self, folder: Path, arguments: list[str], *, pipelining: bool = True):
        """folder: holds the secrets as well, in `secrets`."""
        self.folder = folder
        self._work = folder / "work"
        for name in ("local", "remote", "home", "callbacks", "site", "tmp"):
            (self._work / name).mkdir(parents=True)
        (self._work / "callbacks" / "everything.py").write_text(CALLBACK, encoding="utf-8")
        (self._work / "site" / "sitecustomize.py").write_text(SITE, encoding="utf-8")
        with ProcessArguments() as seen:
            done = subprocess.run(
                [str(Path(sys.executable).with_name("ansible-playbook")), *arguments],
                env=self._environment(pipelining),
                cwd=self._work,
                capture_output=True,
                check=False,
                timeout=200,
            )
        self.code = done.returncode
        self.material = {"stdout": done.stdout, "stderr": done.stderr, "arguments": seen.seen()}
        self.material.update(files_in(self._work))

    def _environment(self, pipelining: bool) -> dict[str, str]:
        work = self._work
        return {
            **ansible_environment(),
            "ANSIBLE_LOCAL_TEMP": str(work / "local"),
            "ANSIBLE_REMOTE_TEMP": str(work / "remote"),
            "ANSIBLE_REMOTE_TMP": str(work / "remote"),
            "ANSIBLE_HOME": str(work / "home"),
            "ANSIBLE_LOG_PATH": str(work / "controller.log"),
            "ANSIBLE_CALLBACK_PLUGINS": str(work / "callbacks"),
            "ANSIBLE_PIPELINING": str(int(pipelining)),
            "CAPTURED_SYSLOG": str(work / "syslog"),
            "CAPTURED_RESULTS": str(work / "results"),
            "PYTHONPATH": os.pathsep.join([str(work / "site"), os.environ.get("PYTHONPATH", "")]),
            "TMPDIR": str(work / "tmp"),
        }

    def captured(self, name: str) -> bytes:
        return self.material[str(self._work / name)]


def run_modules(
    folder: Path, emulator: Emulator, postfix: ScratchPostfix, *options: str, pipelining: bool = True
) -> Run:
    """Run the playbook of all modules."""
    variables = {
        "secrets": PASSWORDS,
        "api_url": emulator.api_url,
        "api_password": emulator.api_password,
        "ca_path": emulator.ca_file,
        "smarthost": emulator.smtp_host,
        "smarthost_port": emulator.smtp_port,
        "smarthost_ca_path": emulator.ca_file,
        "config_directory": str(postfix.config_directory),
        "ansible_python_interpreter": sys.executable,
    }
    secrets = folder / "secrets"
    secrets.mkdir()
    (secrets / "vars.yml").write_text(yaml.safe_dump(variables, allow_unicode=True), encoding="utf-8")
    (secrets / "play.yml").write_text(yaml.safe_dump(playbook()), encoding="utf-8")
    arguments = ["-i", "localhost,", "-e", f"@{secrets / 'vars.yml'}", *options, str(secrets / "play.yml")]
    return Run(folder, arguments, pipelining=pipelining)


@pytest.mark.parametrize(
    ("options", "pipelining"),
    [
        (["-vvvv", "--diff"], True),
        (["-vvvv", "--diff", "--check"], True),
        pytest.param(["--diff"], False, marks=pytest.mark.slow),
    ],
    ids=["verbose", "check", "without-pipelining"],
)
def test_no_secret_is_left_anywhere(
    short_path: Path, emulator: Emulator, postfix: ScratchPostfix, options: list[str], pipelining: bool
) -> None:
    emulator.seed(domains=["example.com"])
    if "--check" in options:  # with users that exist, so that a plan has something to show
        emulator.seed(users=[{"domain": "example.com", "username": name, "password": "x"} for name in NAMES])
    emulator.faults(*faults())
    run = run_modules(short_path, emulator, postfix, *options, pipelining=pipelining)
    # What must be there, for otherwise nothing would be proven.
    assert run.code == 0, run.material["stdout"][-3000:] + run.material["stderr"][-3000:]
    assert MARKER.encode() in run.material["arguments"]
    log = run.captured("syslog")
    for module in ("api_info", "outgoing_users", "outgoing_user", "smtp_login_info", "postfix_relay"):
        assert f"ansible-smarthost.spamexperts.{module}".encode() in log or f"ansible-{module}".encode() in log
    assert b"example.com" in run.captured("results")
    if "--check" not in options:
        assert MARKER.encode() in log
        shown = run.material["stdout"]
        for words in (b"evil.example", b"is too weak", b"SQLSTATE", b"HTTP status 500", b"a web page"):
            assert words in shown, words
    secrets = [*PASSWORDS, emulator.api_password]
    assert leaks(run.material, secrets) == []
    login = b64encode(f"{emulator.api_username}:{emulator.api_password}".encode())
    assert not [name for name, content in run.material.items() if login in content]
    assert list((run.folder / "work" / "remote").rglob("*")) == []


def test_apply_leaves_no_secret_anywhere(short_path: Path, emulator: Emulator, postfix: ScratchPostfix) -> None:
    """Made by the store, given in a description or as a file; one is in force otherwise, and the vendor complains."""
    secrets = short_path / "secrets"
    secrets.mkdir()
    site = DeclaredSite(secrets, emulator, postfix)
    (secrets / "file").write_text(f"{PASSWORDS[0]}\n", encoding="utf-8")
    site.declare(
        "example.com",
        {"username": "alice", "password": PASSWORDS[1], "relay": True, "default_for": ["mail1"]},
        {"username": "bob", "password_file": str(secrets / "file")},
        {"username": "carol", "password": PASSWORDS[2]},
        {"username": "dave"},
    )
    site.declare("example.net", {"username": "server", "relay": True})
    emulator.seed(domains=["example.com"], users=[{"domain": "example.com", "username": "carol", "password": "other"}])
    emulator.faults({"match": "outgoingusers/setpassword", "times": 1, **answers(PASSWORDS[2])[4]})
    variables = site.write_variables({"spamexperts_domains_path": str(secrets / "domains")})
    named = ["-e", f"@{variables}", "-e", f"spamexperts_credential_store={site.store}"]
    run = Run(short_path, [*site.arguments, *named, "-vvvv", "--diff", "smarthost.spamexperts.apply"], pipelining=False)
    assert run.code == 2, run.material["stdout"][-3000:] + run.material["stderr"][-3000:]
    shown = run.material["stdout"]
    for words in (b"is too weak", b"mail server mail1: changed, sends as alice@example.com and 1 more"):
        assert words in shown, words
    assert len(site.passwords()) == 2
    assert b"carol" in run.captured("results")
    assert leaks(run.material, [*PASSWORDS[:3], *site.secrets(), VAULT_PASSWORD]) == []
    assert list((short_path / "work" / "remote").rglob("*")) == []


def test_the_search_finds_every_form(tmp_path: Path) -> None:
    for password in PASSWORDS:
        assert len(forms(password)) >= 4
        for text in (password, quote(password, safe=""), repr(password), b64encode(f"ab{password}".encode()).decode()):
            (tmp_path / "file").write_text(f"before {text} after", encoding="utf-8")
            assert leaks(files_in(tmp_path), [password])
        assert not leaks({"x": b"nothing of the kind"}, [password])
