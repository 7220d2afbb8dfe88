# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No password of a rotation anywhere but in the maps of the mail servers: output, logs, folders, arguments, report."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fleet import why_impossible
from tests.support.rotation import RotationSite
from tests.support.secrecy import CALLBACK, SITE, ProcessArguments, files_in, forms, leaks

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(why_impossible()), reason=why_impossible())]

#: Quotes, backslashes, everything that an address, a shell and a template may stumble over, and other alphabets.
ALPHABET = "aB3'\"\\/%&?#+=;$!`{}[]<>|~^*(),.@-_äßЖ鍵😀"
MAPS = "/etc/postfix/smarthost_passwords"


@contextmanager
def watched(folders: list[Path]) -> Iterator[dict[str, bytes]]:
    """What lies in these folders, again and again as long as the block lasts: names and contents."""
    seen: dict[str, bytes] = {}
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.02):
            for folder in folders:
                for place, _folders, names in os.walk(folder):  # one that is gone meanwhile is passed over
                    for file in [Path(place), *(Path(place, name) for name in names)]:
                        try:
                            content = file.read_bytes() if file.is_file() else b""
                        except OSError:  # it is gone
                            continue
                        seen[f"{file} {hash(content)}"] = str(file).encode() + content

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        watching = thread.is_alive()
        stop.set()
        thread.join()
    assert watching, "what lay there was not looked at until the end"


@pytest.fixture
def work(site: RotationSite, short_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the controller keeps and logs what it can."""
    for name in ("local", "callbacks", "site", "tmp"):
        (short_path / name).mkdir()
    (short_path / "callbacks" / "everything.py").write_text(CALLBACK, encoding="utf-8")
    (short_path / "site" / "sitecustomize.py").write_text(SITE, encoding="utf-8")
    changes = {
        "ANSIBLE_LOCAL_TEMP": short_path / "local",
        "ANSIBLE_LOG_PATH": short_path / "controller.log",
        "ANSIBLE_CALLBACK_PLUGINS": short_path / "callbacks",
        "CAPTURED_SYSLOG": short_path / "syslog",
        "CAPTURED_RESULTS": short_path / "results",
        "PYTHONPATH": short_path / "site",
        "TMPDIR": short_path / "tmp",
    }
    for name, value in changes.items():
        monkeypatch.setitem(site.environment, name, str(value))
    return short_path


def test_no_password_is_left_anywhere(site: RotationSite, work: Path) -> None:
    for host in site.fleet.hosts:
        host.path("/var/log/syslog").unlink(missing_ok=True)
    remote = [site.remote_folder, *(host.path(str(site.remote_folder)) for host in site.fleet.hosts)]
    home = [host.directory / "home" for host in site.fleet.hosts]
    secrets = {site.emulator.api_password, *site.old.values()}
    material: dict[str, bytes] = {}
    with ProcessArguments() as arguments, watched([*remote, *home, work / "local", work / "tmp"]) as seen:
        # In the second the odd ones are the old ones as well.
        for strategy in ("in_place", "alternate"):
            site.remember()
            run = site.rotate("-vvvv", "--diff", strategy=strategy, password_alphabet=ALPHABET, password_length=24)
            assert run.returncode == 0, run.output
            site.check_rotated()
            secrets |= {*site.old.values(), *(entry["current"] for entry in site.stored().values())}
            material[f"output {strategy}"] = run.output.encode()
            material[f"report {strategy}"] = site.report_file.read_bytes()
    material |= {**seen, **files_in(work), "arguments": arguments.seen()}
    for host in site.fleet.hosts:
        material[f"syslog of {host.name}"] = host.system_log()
        assert b"postfix_relay" in host.system_log()
        assert b"smtp_login_info" in host.system_log()
    # What must be there, for otherwise nothing would be proven.
    assert b"outgoing_users" in material[str(work / "syslog")]
    assert b"h1@example.com" in material[str(work / "results")]
    assert b"ansible-playbook" in material["arguments"]
    assert b"/usr/bin/python3" in material["arguments"]
    assert b"sshd" in material["arguments"]
    assert "h1@example.com" in run.output
    assert not [name for name in material if "AnsiballZ" in name]
    assert leaks(material, secrets) == []
    # On the hosts: the old ones nowhere, the new ones where Postfix reads them.
    old = [form for password in site.old.values() for form in forms(password)]
    new = [form for entry in site.stored().values() for form in forms(entry["current"])]
    for host in site.fleet.hosts:
        assert host.files_with(*old) == []
        found = host.files_with(*new)
        assert found
        assert all(file.startswith(MAPS) for file in found), found
    for name, password in site.old.items():
        assert not any(site.accepts(login, password) for login in site.pairs[name])
    assert os.stat(site.store).st_mode & 0o777 == 0o600  # noqa: PTH116 - a file of the test's own
