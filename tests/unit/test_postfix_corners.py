# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rare turns of the relay's parts, each by itself."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix import (
    daemons,
    files,
    maps,
    originals,
    parameters,
    surroundings,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.commands import (
    Answer,
    Instance,
    PostfixError,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.maps import Table
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.originals import Originals
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.settings import (
    Login,
    RelaySettings,
    settings_from,
)

OPTIONS: Mapping[str, object] = MappingProxyType(
    {
        "smarthost": "smarthost.example",
        "smarthost_port": 587,
        "smarthost_ca_path": None,
        "smarthost_certificate_names": [],
        "default_login": "web@example.com",
        "default_password": "Correct-Horse-42",
        "logins": [],
        "authentication": "login",
        "only_named_senders": False,
        "senders": [],
        "reveal_password_to_any_server": False,
        "reveal_mail_without_tls": False,
        "dedicated_transport": None,
        "concurrency": 5,
        "rate_delay": None,
        "connection_reuse": None,
        "map_type": None,
    }
)


def answering(code: int, out: str = "", err: str = "") -> Instance:
    """An instance whose every program answers so."""

    def run(_command: Sequence[str], _stdin: str) -> Answer:
        return Answer(code, out, err)

    return Instance(run, "/etc/postfix")


def relay_settings(**options: object) -> RelaySettings:
    return settings_from({**OPTIONS, **options})


# Senders and parameters


@pytest.mark.parametrize("address", ["a@b..example", "a@" + "ä" * 64 + ".example", "@."])
def test_a_domain_that_no_name_server_could_hold(address: str) -> None:
    with pytest.raises(ValueError, match=r"senders: '.*' is neither an address nor a domain\."):
        relay_settings(only_named_senders=True, senders=[address])


@pytest.mark.parametrize("name", ["b..example", "ä" * 64 + ".example"])
def test_a_smarthost_that_no_name_server_could_hold(name: str) -> None:
    with pytest.raises(ValueError, match=r"smarthost: '.*' is neither a host name nor an IP address"):
        relay_settings(smarthost=name)


def test_the_delay_belongs_to_the_transport() -> None:
    assert "smtp_destination_rate_delay" not in parameters.manners(relay_settings())
    assert parameters.manners(relay_settings(rate_delay=3))["smtp_destination_rate_delay"] == "3s"
    own = parameters.manners(relay_settings(rate_delay=0, dedicated_transport=True))
    assert own == {"smarthost_destination_concurrency_limit": "5", "smarthost_destination_rate_delay": "0s"}


@pytest.mark.parametrize(("current", "right"), [("3s", True), ("3", True), ("3m", False), ("30s", False), ("", False)])
def test_a_delay_without_its_unit_is_in_seconds(current: str, right: bool) -> None:
    assert parameters.is_right("smtp_destination_rate_delay", "3s", current) is right


def test_only_a_tlsproxy_of_ones_own_has_rules_of_its_own() -> None:
    rules = {"smtp_tls_security_level": "secure", "smtp_tls_CAfile": "/ca", "smtp_tls_loglevel": "1", "other": "x"}
    shared = parameters.tlsproxy_service(parameters.SHARED_TLSPROXY, rules, "n")
    assert shared.definition == "tlsproxy unix - - n - 0 tlsproxy"
    own = parameters.tlsproxy_service(parameters.OWN_TLSPROXY, rules, "y")
    assert own.words == ["smarthost-tlsproxy", "unix", "-", "-", "y", "-", "0", "tlsproxy"]
    assert own.options == {name: value for name, value in rules.items() if name != "other"}


# What the host offers


def test_no_authorities_on_the_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(surroundings, "CA_FILES", (str(tmp_path / "missing.pem"),))
    with pytest.raises(PostfixError, match=r"no bundle of trusted certificates was found .* set smarthost_ca_path"):
        surroundings.find_ca_file(None)


def test_a_plugin_is_found_where_packages_put_it(tmp_path: Path) -> None:
    assert not surroundings.has_sasl_plugin(tmp_path)
    (tmp_path / "usr/lib/x86_64-linux-gnu/sasl2").mkdir(parents=True)
    (tmp_path / "usr/lib/x86_64-linux-gnu/sasl2/libdigestmd5.so.2").touch()
    assert not surroundings.has_sasl_plugin(tmp_path)
    (tmp_path / "usr/lib/x86_64-linux-gnu/sasl2/liblogin.so.2").touch()
    assert surroundings.has_sasl_plugin(tmp_path)


def test_a_client_without_plugin_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "has_sasl_plugin", lambda: False)
    (warning,) = surroundings.check_client(answering(0, "cyrus\ndovecot\n"), needs_login=True)
    assert "Install libsasl2-modules" in warning
    assert surroundings.check_client(answering(0, "cyrus\n"), needs_login=False) == []
    with pytest.raises(PostfixError, match="built without Cyrus SASL"):
        surroundings.check_client(answering(0, "dovecot\n"), needs_login=True)


@pytest.mark.parametrize("policy", ["verify", "fingerprint match=00:11", "secure", "dane-only"])
def test_a_policy_that_verifies_is_left(policy: str) -> None:
    key = "[smarthost.example]:587"
    settings = RelaySettings(host="smarthost.example", port=587, default_login=Login("a", "b", ()))
    table = "texthash:/etc/postfix/policy"
    surroundings._check_policy(answering(0, f"{key}\t{policy}\n"), settings, table)
    with pytest.raises(PostfixError, match=r"texthash:/etc/postfix/policy lowers the TLS level .* to 'encrypt'"):
        surroundings._check_policy(answering(0, f"{key}\tencrypt\n"), settings, table)


@pytest.mark.parametrize("value", ["static:old:Secret-Word-1", "hash:/a, inline:{ h={u:p} }"])
def test_a_password_in_main_cf_is_refused_and_a_file_is_not(value: str) -> None:
    surroundings.check_no_password_in_main("hash:/etc/postfix/sasl_passwd")
    with pytest.raises(PostfixError, match=r"holds a password in main\.cf") as raised:
        surroundings.check_no_password_in_main(value)
    assert value not in str(raised.value)


# Programs, processes and files


def test_no_journal_is_an_empty_one() -> None:
    assert answering(0, "a line\n").journal(0) == "a line\n"
    assert answering(1, "a line\n", "No journal files were found.").journal(0) == ""


def test_a_mail_that_is_not_taken() -> None:
    with pytest.raises(PostfixError, match="Postfix did not take the mail: sendmail: fatal: too big"):
        answering(69, "", "sendmail: fatal: too big\n").submit("a@example.com", "b@example.com", "text")


def test_a_silent_program_is_named_with_its_code() -> None:
    with pytest.raises(PostfixError, match=r"^'postfix reload' failed in /etc/postfix: 3$"):
        answering(3).reload()


def test_a_process_by_its_name_and_parent() -> None:
    own = daemons._stat(Path(f"/proc/{os.getpid()}"))
    assert own is not None
    assert (own[0], own[3]) == (str(os.getpid()), str(os.getppid()))
    assert daemons._stat(Path("/proc/0")) is None, "a process that has ended meanwhile"


@pytest.mark.parametrize("name", ["smtp", "a) b (c"])
def test_a_process_whose_name_holds_brackets(tmp_path: Path, name: str) -> None:
    (tmp_path / "stat").write_text(f"12 ({name}) S 7 1 1 0\n", encoding="ascii")
    assert daemons._stat(tmp_path) == ["12", name, "S", "7"]


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to somebody else")
def test_a_file_keeps_its_owner_and_mode(tmp_path: Path) -> None:
    path = tmp_path / "main.cf"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o640)
    os.chown(path, 40001, 40002)
    with files.kept_mode(str(path)):
        files.replace(str(path), b"new", 0o600)
        assert path.stat().st_uid == 0
    status = path.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (40001, 40002, 0o640)
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", json.dumps({"version": 2}).encode()])
def test_originals_of_another_version_or_broken(tmp_path: Path, content: bytes) -> None:
    """They are not taken for nothing: the way back would be lost."""
    (tmp_path / originals.FILE).write_bytes(content)
    instance = Instance(lambda _command, _stdin: Answer(0, "", ""), str(tmp_path))
    with pytest.raises(PostfixError, match="cannot be understood"):
        originals.load(instance)
    assert (tmp_path / originals.FILE).read_bytes() == content
    originals.forget(instance)
    assert originals.load(instance) == Originals()


# Maps


def test_a_map_without_index(tmp_path: Path) -> None:
    """Texthash is read as it is; only the source is written, and postmap builds nothing."""
    path = tmp_path / "map"

    def run(command: Sequence[str], stdin: str) -> Answer:
        assert command[3:5] == ["-q", "-"], command
        source = maps.parse(Path(command[5].partition(":")[2]).read_bytes())
        return Answer(0, "".join(f"{key}\t{source[key]}\n" for key in stdin.splitlines() if key in source), "")

    instance = Instance(run, str(tmp_path))
    table = Table(str(path), "texthash", 0o600, {"a@example.com": "a:secret"})
    maps.install(instance, table, {"old": "b:kept", "a@example.com": "old:value"})
    assert maps.parse(path.read_bytes()) == {"a@example.com": "a:secret", "old": "b:kept"}
    assert not maps.is_right(instance, table), "what the old daemons still need is not wanted for good"
    maps.install(instance, table, {})
    assert maps.is_right(instance, table)
    assert [each.name for each in tmp_path.iterdir()] == ["map"]


@pytest.mark.parametrize("kind", ["texthash", "hash"])
def test_a_map_that_does_not_give_back_what_was_written_leaves_no_password(tmp_path: Path, kind: str) -> None:
    """As on a full disk, where postmap ends with 0 all the same."""
    path = tmp_path / "map"
    path.write_bytes(b"the old one")

    def run(command: Sequence[str], _stdin: str) -> Answer:
        if command[3] != "-q":
            Path(command[3].partition(":")[2] + ".db").write_bytes(b"half")
        return Answer(0, "", "")

    table = Table(str(path), kind, 0o600, {"a@example.com": "a:secret"})
    with pytest.raises(
        PostfixError, match=r"does not give back what was written for a@example\.com; the old map stays"
    ):
        maps.install(Instance(run, str(tmp_path)), table, {})
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"map": b"the old one"}
