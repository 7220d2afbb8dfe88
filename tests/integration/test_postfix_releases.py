# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other releases of Debian in chroots, from a bare system to a mail and back, with their own Python and Postfix."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.servers import findings

from tests.support.audited import site
from tests.support.debian import Debian
from tests.support.emulator import Emulator
from tests.support.interrupted import InterruptedRun, with_timeline
from tests.support.playbook import PlaybookRun, ansible_environment, run_playbook
from tests.support.postfix import make_older
from tests.support.sink import Sink, certificate

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(1200)]
PASSWORD = 'Zitrone "x\\ {a} $b # ü😀'
PLAY = """\
- name: Set up
  hosts: all
  gather_facts: false
  roles:
    - smarthost.spamexperts.outgoing_mail
"""


class Release(Debian):
    """One release of Debian as a mail server: Ansible starts every module with the release's own Python."""

    def __init__(self, suite: str, work: Path) -> None:
        super().__init__(suite, work)
        self.python = work / "python"
        chroot = shlex.join(self.command("/usr/bin/python3"))
        self.python.write_text(f'#!/bin/sh\nexec {chroot} "$@"\n', encoding="utf-8")
        self.python.chmod(0o755)

    def close(self) -> None:
        """Stop its Postfix and take everything away."""
        if (self.root / "usr/sbin/postfix").exists():
            self.run("postfix", "stop", check=False)
        super().close()

    def version(self) -> tuple[int, int]:
        """The version of its Postfix: (3, 7)."""
        major, minor = self.run("postconf", "-h", "mail_version").split(".")[:2]
        return int(major), int(minor)

    def set(self, **parameters: str) -> None:
        """Set parameters by hand, for the running daemons too."""
        self.run("postconf", "-e", *(f"{name} = {value}" for name, value in parameters.items()))
        make_older(self.root / "etc/postfix/main.cf")
        self.run("postfix", "reload")

    def try_two(self) -> None:
        """Send a mail that asks for no TLS, and an ordinary one by the same client; wait until both have been tried."""
        for header in ("TLS-Required: no\n", ""):
            text = f"From: alice@example.com\nSubject: {header[:3]}\n{header}\nx\n"
            self.run("sendmail", "-f", "alice@example.com", "someone@elsewhere.example", stdin=text)
            for _attempt in range(150):
                waiting = [json.loads(line)["queue_name"] for line in self.run("postqueue", "-j").splitlines()]
                if set(waiting) <= {"deferred"}:
                    break
                subprocess.run(["sleep", "0.2"], check=True)
            else:
                raise AssertionError(f"mail is still being tried: {self.run('postqueue', '-p', check=False)}")

    def forget(self) -> int:
        """Remove all mail; return how many there were."""
        waiting = len(self.run("postqueue", "-j").splitlines())
        self.run("postsuper", "-d", "ALL")
        self.run("postfix", "reload")
        return waiting

    def send(self, emulator: Emulator) -> None:
        """Hand in a mail as a program there would, and wait until the smarthost has one more."""
        before = len(emulator.mails())
        self.run("sendmail", "-f", "alice@example.com", "someone@elsewhere.example", stdin="Subject: x\n\nx\n")
        for _attempt in range(100):
            if len(emulator.mails()) > before:
                return
            subprocess.run(["sleep", "0.2"], check=True)
        raise AssertionError(f"no mail has arrived; the queue: {self.run('postqueue', '-p', check=False)}")

    def configuration(self) -> dict[str, str]:
        """What main.cf sets, and the names of the files beside it."""
        names = sorted(path.name for path in (self.root / "etc/postfix").iterdir())
        return {"postconf -n": self.run("postconf", "-n"), "files": " ".join(names)}


SUITES = ["bookworm", "trixie", "forky"]
#: The oldest has the Postfix of Red Hat 8 and 9, which does not run here: 3.5.
WITH_OLDER = ["bullseye", *SUITES]


@pytest.fixture(params=SUITES)
def release(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Release]:
    made = Release(request.param, tmp_path)
    try:
        yield made
    finally:
        made.close()


def arguments(release: Release, emulator: Emulator) -> list[str]:
    """What ansible-playbook needs to run the role inside the release."""
    authority = release.root / "etc/ssl/emulator.pem"
    authority.parent.mkdir(exist_ok=True)
    authority.write_text(Path(emulator.ca_file).read_text(encoding="ascii"), encoding="ascii")
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": str(release.python),
        "ansible_pipelining": True,  # no file of Ansible's exists inside
        # By its address, because the release has no resolver that knows localhost.
        "outgoing_mail_smarthost": "127.0.0.1",
        "outgoing_mail_smarthost_port": emulator.smtp_port,
        "outgoing_mail_smarthost_certificate_names": ["localhost"],
        "outgoing_mail_smarthost_ca_path": "/etc/ssl/emulator.pem",
        "outgoing_mail_login": "server@example.com",
        "outgoing_mail_password": PASSWORD,
    }
    inventory = release.work / "inventory.yml"
    inventory.write_text("---\n" + yaml.safe_dump({"all": {"hosts": {"guest": variables}}}), encoding="utf-8")
    playbook = release.work / "play.yml"
    playbook.write_text(PLAY, encoding="utf-8")
    return [str(playbook), "-i", str(inventory)]


def play(release: Release, emulator: Emulator, *options: str) -> PlaybookRun:
    """Run the role inside the release."""
    playbook, *usual = arguments(release, emulator)
    run = run_playbook(playbook, [*usual, *options], ansible_environment(release.work / "build"))
    assert run.returncode == 0, run.output
    return run


def test_from_a_bare_system_to_a_mail_and_back(release: Release, emulator: Emulator) -> None:
    emulator.seed(users=[{"domain": "example.com", "username": "server", "password": PASSWORD}])
    assert play(release, emulator, "--check").changed() > 0
    assert not (release.root / "usr/sbin/postconf").exists(), "check mode has installed something"

    play(release, emulator)
    assert release.run("postconf", "-h", "inet_interfaces").strip() == "loopback-only"
    kind = release.run("postconf", "-h", "default_database_type").strip()
    assert release.run("postconf", "-h", "smtp_sasl_password_maps").startswith(f"{kind}:")
    release.send(emulator)
    assert [(mail["login"], mail["tls"]) for mail in emulator.mails()] == [("server@example.com", True)]
    assert play(release, emulator).changed() == 0

    play(release, emulator, "-e", "outgoing_mail_state=absent")
    before = release.configuration()
    assert "smarthost" not in str(before)
    play(release, emulator)
    play(release, emulator, "-e", "outgoing_mail_state=absent")
    assert release.configuration() == before
    for other in ("texthash", "hash" if kind != "hash" else "btree"):
        play(release, emulator, "-e", f"outgoing_mail_map_type={other}")
        release.send(emulator)
    assert not release.run("find", "/etc/postfix", "-name", "*.new*")


def relay(release: Release, *, refused: str = "", **options: Any) -> None:
    """Run the module alone inside the release.

    `refused`: before, without a transport of its own, where it must fail with this, a regular expression.
    """

    def task(**more: Any) -> dict[str, Any]:
        return {"name": "Relay", "smarthost.spamexperts.postfix_relay": {"flush": "never", **options, **more}}

    tasks = [task()]
    if refused:
        fails = {"register": "run", "failed_when": f"run.msg | default('') is not search('{refused}')"}
        tasks.insert(0, {**task(dedicated_transport=False), **fails})
    playbook = release.work / "relay.yml"
    play = [{"name": "Relay", "hosts": "all", "gather_facts": False, "tasks": tasks}]
    playbook.write_text(yaml.safe_dump(play), encoding="utf-8")
    run = run_playbook(
        str(playbook), ["-i", str(release.work / "inventory.yml")], ansible_environment(release.work / "build")
    )
    assert run.returncode == 0, run.output


@pytest.mark.parametrize("release", WITH_OLDER, indirect=True)
def test_a_stranger_gets_no_password_and_no_mail(release: Release, emulator: Emulator) -> None:
    """From 3.10 on any mail can ask, with the header TLS-Required, to be sent without a verified certificate."""
    emulator.seed(users=[{"domain": "example.com", "username": "server", "password": PASSWORD}])
    play(release, emulator)
    # Each mail is tried, even if the one before has failed.
    release.set(default_destination_concurrency_failed_cohort_limit="1000")
    place: dict[str, Any] = {"smarthost": "127.0.0.1", "smarthost_certificate_names": ["localhost"]}
    place["smarthost_ca_path"] = "/etc/ssl/emulator.pem"
    login: dict[str, Any] = {"default_login": "server@example.com", "default_password": PASSWORD}
    by_address: dict[str, Any] = {"authentication": "ip"}
    with Sink(certificate(trustme.CA(), "localhost", "127.0.0.1"), hashes=True) as rogue:
        for way, own in itertools.product((login, by_address), (True, False)):
            relay(release, **place, **way, smarthost_port=rogue.port, dedicated_transport=own)
            release.try_two()
            assert (rogue.logins, rogue.mails) == ([], []), (way, own)
            assert release.forget() == 2
        # Each lock holds by itself, and without both a new Postfix gives the password away.
        relay(release, **place, **login, smarthost_port=rogue.port, dedicated_transport=False)
        obeys_header = release.version() >= (3, 10)
        assert ("tls_required_enable" in release.run("postconf", "-n")) == obeys_header
        if obeys_header:
            release.set(tls_required_enable="yes")
            release.try_two()
            assert rogue.logins == []
            release.forget()
            release.set(smtp_sasl_tls_security_options="noanonymous")
            release.try_two()
            assert rogue.logins == [("server@example.com", PASSWORD)]
            release.forget()
        # What an upgrade of the system, or a hand, takes away is there again after the next run.
        relay(release, **place, **login, smarthost_port=rogue.port, dedicated_transport=False)
        assert release.run("postconf", "-h", "smtp_sasl_tls_security_options") == "noplaintext, noanonymous\n"
    for own in (True, False):
        relay(release, **place, **login, smarthost_port=emulator.smtp_port, dedicated_transport=own)
        before = len(emulator.mails())
        release.try_two()
        sent = emulator.mails()[before:]
        assert [(mail["login"], mail["tls"]) for mail in sent] == [("server@example.com", True)] * 2


@contextmanager
def lowered(release: Release, policies: str, place: str) -> Iterator[None]:
    """A table of policies, or without one a level, that lets mail go to anybody; in main.cf or for the client alone."""
    if place == "main.cf":
        release.set(smtp_tls_policy_maps=policies)
        yield
        release.set(smtp_tls_policy_maps="")
        return
    client = " ".join(release.run("postconf", "-M", "smtp/unix").split())
    option = f"smtp_tls_policy_maps={policies}" if policies else "smtp_tls_security_level=may"
    release.run("postconf", "-M", f"smtp/unix={client} -o {{{option}}}")
    release.run("postfix", "reload")
    yield
    release.run("postconf", "-M", f"smtp/unix={client}")


# Debian 12 is in test_postfix_strangers.py.
@pytest.mark.parametrize("release", ["trixie", "forky"], indirect=True)
def test_no_table_and_no_override_gives_a_stranger_anything(release: Release, emulator: Emulator) -> None:
    """Nor do they together with the header TLS-Required."""
    emulator.seed(users=[{"domain": "example.com", "username": "server", "password": PASSWORD}])
    play(release, emulator)
    assert release.version() >= (3, 10)
    release.set(default_destination_concurrency_failed_cohort_limit="1000")
    folder = release.root / "etc/postfix"
    with Sink(certificate(trustme.CA(), "localhost", "127.0.0.1"), hashes=True) as rogue:
        place: dict[str, Any] = {"smarthost": "127.0.0.1", "smarthost_port": rogue.port}
        place |= {"smarthost_certificate_names": ["localhost"], "smarthost_ca_path": "/etc/ssl/emulator.pem"}
        login: dict[str, Any] = {"default_login": "server@example.com", "default_password": PASSWORD}
        by_address: dict[str, Any] = {"authentication": "ip"}
        (folder / "policies").write_text(f"[127.0.0.1]:{rogue.port} may\n", encoding="utf-8")
        (folder / "expressions").write_text("/^.127.0.0.1.:/ may\n", encoding="utf-8")
        tables = ["texthash:/etc/postfix/policies", "regexp:/etc/postfix/expressions"]
        tables += [f"inline:{{ {{ [127.0.0.1]:{rogue.port} = may }} }}", "proxy:texthash:/etc/postfix/policies"]
        cases = [("", "master.cf"), *itertools.product(tables, ("main.cf", "master.cf"))]
        for table, where in cases:
            with lowered(release, table, where):
                for way in (login, by_address):
                    refused = "lowers the TLS level|overrides smtp_tls_security_level"
                    relay(release, **place, **way, dedicated_transport=True, refused=refused)
                    release.try_two()
                    assert (rogue.logins, rogue.mails) == ([], []), (table, where, way)
                    assert release.forget() == 2
        # No run of ours has seen what the table says now.
        (folder / "policies").write_text("other.example may\n", encoding="utf-8")
        release.set(smtp_tls_policy_maps="texthash:/etc/postfix/policies")
        relay(release, **place, **login, dedicated_transport=False)
        for level in ("may", "encrypt"):
            (folder / "policies").write_text(f"[127.0.0.1]:{rogue.port} {level}\n", encoding="utf-8")
            make_older(folder / "policies")
            release.run("postfix", "reload")
            release.try_two()
            assert (rogue.logins, rogue.mails) == ([], []), level
            assert release.forget() == 2


@pytest.mark.parametrize("release", ["bookworm"], indirect=True)
def test_an_installation_that_was_interrupted_is_finished(release: Release, emulator: Emulator) -> None:
    emulator.seed(users=[{"domain": "example.com", "username": "server", "password": PASSWORD}])
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    environment = with_timeline(ansible_environment(release.work / "build"), release.work / "timeline")
    options = ["-e", f"outgoing_mail_unsettled={seen_from_outside(release)}"]
    command, log = [program, *arguments(release, emulator), *options], release.work / "interrupted.log"
    with InterruptedRun(command, environment, log, ["Set up / Restrict Postfix to the loopback interface"]) as run:
        run.wait_for_stop()
        run.kill()
    assert release.run("postconf", "-h", "inet_interfaces").strip() == "all"
    play(release, emulator, *options)
    assert release.run("postconf", "-h", "inet_interfaces").strip() == "loopback-only"
    assert play(release, emulator, *options).changed() == 0


@pytest.mark.parametrize("release", ["trixie"], indirect=True)
def test_an_audit_sees_that_a_header_of_a_mail_lowers_tls(release: Release, emulator: Emulator) -> None:
    """As on a host whose Postfix is 3.10 since the role was there last."""
    emulator.seed(users=[{"domain": "example.com", "username": "server", "password": PASSWORD}])
    play(release, emulator)
    assert "header_lowers_tls" not in audited(release, emulator)
    release.run("postconf", "-X", "tls_required_enable")
    assert "header_lowers_tls" in audited(release, emulator)


def audited(release: Release, emulator: Emulator) -> set[str]:
    """What an audit finds of the way to the smarthost."""
    found = release.work / "found.json"
    kept = {"content": "{{ look | to_json }}", "dest": str(found), "mode": "0600"}
    tasks = [
        {"smarthost.spamexperts.postfix_relay_info": {}, "register": "look"},
        {"ansible.builtin.copy": kept, "delegate_to": "localhost"},
    ]
    _playbook, *usual = arguments(release, emulator)
    book = release.work / "look.yml"
    book.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    run = run_playbook(str(book), usual, ansible_environment(release.work / "build"))
    assert run.returncode == 0, run.output
    return {one.code for one in findings(site(relay=json.loads(found.read_text(encoding="utf-8"))))}


def seen_from_outside(release: Release) -> Path:
    """A file that has the same path inside and outside: `raw`, unlike modules, runs outside."""
    outside = release.root / "var/lib"
    inside = release.root.joinpath(*outside.parts[1:])
    inside.parent.mkdir(parents=True)
    inside.symlink_to("/var/lib")
    return outside / "unsettled"


@pytest.mark.parametrize("release", ["bookworm", "trixie"], indirect=True)
def test_an_exim_that_nobody_uses_is_replaced_and_comes_back(release: Release, emulator: Emulator) -> None:
    """The mail and the file with which it is refused are real ones, and so is the way back."""
    emulator.seed(users=[{"domain": "example.com", "username": "server", "password": PASSWORD}])
    install = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y", "--no-install-recommends", "install"]
    release.run("apt-get", "-qq", "update")
    release.run(*install, "exim4-daemon-light")
    folder = release.root / "etc/exim4"
    replaces = ["-e", "outgoing_mail_replace_mail_server=true"]

    def refused(*options: str) -> str:
        playbook, *usual = arguments(release, emulator)
        run = run_playbook(playbook, [*usual, *options], ansible_environment(release.work / "build"))
        assert run.returncode == 2, run.output
        assert (release.root / "usr/sbin/exim4").exists()
        return run.output

    def files() -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    assert "outgoing_mail_replace_mail_server=true" in refused()
    before = files()
    release.run("exim4", "-odq", "root", stdin="Subject: x\n\nx\n")
    (folder / "exim4.conf.localmacros").write_text("MAIN_TLS_ENABLE = true\n", encoding="utf-8")
    found = refused(*replaces)
    assert "1 mail in its queue" in found
    assert "/etc/exim4/exim4.conf.localmacros has been added" in found
    (folder / "exim4.conf.localmacros").unlink()
    release.run("exim4", "-qff")

    assert play(release, emulator, "--check", *replaces).changed() > 0
    assert (release.root / "usr/sbin/exim4").exists(), "check mode has removed something"
    play(release, emulator, *replaces)
    release.send(emulator)
    assert play(release, emulator, *replaces).changed() == 0
    assert files() == before

    gone = play(release, emulator, "-e", "outgoing_mail_state=absent").output
    back = re.search(r"apt-get install((?:\s+exim4[a-z-]*)+)", gone)
    assert back, gone
    release.run("postfix", "stop")
    release.run(*install, *back[1].split())
    assert release.run("readlink", "/usr/sbin/sendmail").strip() == "exim4"
    assert files() == before
