# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Corners of the relay that a real Postfix seldom shows."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix import (
    conflicts,
    daemons,
    files,
    originals,
    parameters,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.commands import (
    Answer,
    Instance,
    PostfixError,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.settings import RelaySettings


def answering(code: int = 0, out: str = "", err: str = "") -> Instance:
    """An instance whose programs all answer this."""

    def run(command: Sequence[str], stdin: str) -> Answer:
        return Answer(code, out, err)

    return Instance(run, "/etc/postfix")


def test_what_a_program_says_last_is_shown() -> None:
    with pytest.raises(PostfixError, match=r"'postconf -n' failed in /etc/postfix: fatal: two"):
        answering(1, err="warning: one\nfatal: two\n").explicit()
    with pytest.raises(PostfixError, match=r"'postfix check' failed in /etc/postfix: 1"):
        answering(1).check()


def test_a_mail_that_postfix_does_not_take() -> None:
    with pytest.raises(PostfixError, match="Postfix did not take the mail: queue file write error"):
        answering(75, err="queue file write error").submit("a@example.com", "b@example.com", "x")


def test_no_journal() -> None:
    assert answering(127).journal(0) == ""


def test_lookups_keep_every_character() -> None:
    """Only a newline ends a value; other separators of lines are part of a password."""
    value = "a:b\x0b\x0c\x1c\x85\u2028\tc\r"
    assert answering(0, f"key\t{value}\n").lookup("hash:x", ["key"]) == {"key": value}
    assert answering(1).lookup("hash:x", ["key"]) == {}
    assert answering(1, err="fatal: open").lookup("hash:x", ["key"]) is None


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", json.dumps({"version": 2, "parameters": {}, "services": {}, "files": [], "unfinished": 0})],
)
def test_originals_of_another_version(tmp_path: Path, content: str) -> None:
    (tmp_path / originals.FILE).write_text(content, encoding="utf-8")
    with pytest.raises(PostfixError, match="cannot be understood"):
        originals.load(Instance(lambda *_: Answer(0, "", ""), str(tmp_path)))


@pytest.mark.parametrize(
    ("concurrency", "smtp", "relay"), [(5, "3", "2"), (2, "1", "1"), (1, "1", "1"), (10, "5", "5")]
)
def test_two_ways_share_the_connections(concurrency: int, smtp: str, relay: str) -> None:
    settings = RelaySettings("a.example", 587, concurrency=concurrency)
    assert parameters.delivery_limits(settings, relays_for_others=True) == {
        "smtp_destination_concurrency_limit": smtp,
        "relay_destination_concurrency_limit": relay,
    }
    own = RelaySettings("a.example", 587, concurrency=concurrency, dedicated_transport=True)
    assert parameters.delivery_limits(own, relays_for_others=True) == {
        "smarthost_destination_concurrency_limit": str(concurrency)
    }


def test_rules_of_delay_and_reuse() -> None:
    settings = RelaySettings("a.example", 587, rate_delay=2, connection_reuse=False)
    assert parameters.delivery_limits(settings, relays_for_others=False) == {
        "smtp_destination_concurrency_limit": "5",
        "smtp_destination_rate_delay": "2s",
    }
    assert parameters.client_rules(settings, "/ca", "", "")["smtp_tls_connection_reuse"] == "no"
    assert parameters.is_right("smtp_destination_rate_delay", "2s", "2")
    assert parameters.is_right("smtp_destination_rate_delay", "2s", "2s")
    assert not parameters.is_right("smtp_destination_rate_delay", "2s", "3s")


def test_a_missing_plugin_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert not conflicts.has_sasl_plugin(tmp_path)
    plugin = tmp_path / "usr/lib64/sasl2/libplain.so"
    plugin.parent.mkdir(parents=True)
    plugin.write_bytes(b"")
    assert conflicts.has_sasl_plugin(tmp_path)
    monkeypatch.setattr(conflicts, "has_sasl_plugin", lambda: False)
    assert "No worthy mechs found" in conflicts.check_client(answering(0, "cyrus\n"), needs_login=True)[0]
    assert conflicts.check_client(answering(0, ""), needs_login=False) == []


def test_no_authorities_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conflicts, "CA_FILES", ("/nowhere/ca.pem",))
    with pytest.raises(PostfixError, match="install the package ca-certificates"):
        conflicts.find_ca_file(None)


def test_clients_of_an_instance(tmp_path: Path) -> None:
    """Only those of its own master count, and a queue without a master has none."""
    assert daemons._running(str(tmp_path), ["smtp"]) == set()
    (tmp_path / "pid").mkdir()
    (tmp_path / "pid" / "master.pid").write_text(f" {os.getpid()}\n", encoding="ascii")
    assert daemons._running(str(tmp_path), ["smtp"]) == set()
    assert daemons._stat(Path("/proc/self")) is not None
    assert daemons._stat(tmp_path) is None


def test_owner_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "main.cf"
    path.write_text("", encoding="utf-8")
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "chown", lambda _, user, group: given.append((user, group)))
    status = path.stat()
    real = Path.stat
    calls = iter([status, os.stat_result((*status[:4], status.st_uid + 1, *status[5:]))])
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", lambda self: next(calls) if self == path else real(self))
        with files.kept_mode(str(path)):
            pass
    assert given == [(status.st_uid, status.st_gid)]
