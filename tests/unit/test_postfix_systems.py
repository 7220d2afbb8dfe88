# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems that cannot run here, by simulated answers of their Postfix: which map type, which parameters.

The answers are what is known of those systems; only a run on the real ones would prove them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix import conflicts
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.apply import apply
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.changes import Plan
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.chroot import fill, missing
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.commands import (
    Answer,
    Instance,
    PostfixError,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.plan import plan_absent, plan_present
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.settings import Login, RelaySettings

PASSWORD = "Correct-Horse-42"
DEFAULTS = {
    "content_filter": "",
    "fallback_transport": "",
    "disable_dns_lookups": "no",
    "local_transport": "local:$myhostname",
    "myhostname": "web.example.com",
    "myorigin": "example.com",
    "mailbox_transport": "",
    "relay_transport": "relay",
    "virtual_transport": "virtual",
    "daemon_directory": "/usr/libexec/postfix",
    "queue_directory": "/var/spool/postfix",
    "default_transport": "smtp",
    "relayhost": "",
    "relay_domains": "",
    "sender_dependent_default_transport_maps": "",
    "sender_dependent_relayhost_maps": "",
    "canonical_maps": "",
    "sender_canonical_maps": "",
    "smtp_always_send_ehlo": "yes",
    "smtp_generic_maps": "",
    "smtp_delivery_status_filter": "",
    "smtp_destination_concurrency_limit": "20",
    "smtp_discard_ehlo_keyword_address_maps": "",
    "smtp_discard_ehlo_keywords": "",
    "smtp_dns_support_level": "",
    "smtp_fallback_relay": "",
    "smtp_host_lookup": "native",
    "smtp_never_send_ehlo": "no",
    "smtp_reply_filter": "",
    "smtp_sasl_auth_enable": "no",
    "smtp_sasl_auth_soft_bounce": "yes",
    "smtp_sasl_mechanism_filter": "",
    "smtp_sasl_password_maps": "",
    "smtp_sasl_security_options": "noplaintext, noanonymous",
    "smtp_sasl_tls_security_options": "noplaintext, noanonymous",
    "smtp_sender_dependent_authentication": "no",
    "smtp_tls_CAfile": "",
    "smtp_tls_loglevel": "0",
    "smtp_tls_mandatory_protocols": "!SSLv2, !SSLv3, !TLSv1, !TLSv1.1",
    "smtp_tls_policy_maps": "",
    "smtp_tls_secure_cert_match": "nexthop, dot-nexthop",
    "smtp_tls_security_level": "",
    "smtp_tls_wrappermode": "no",
    "transport_maps": "",
}
SUFFIXES = {"hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb"}


@dataclass
class SimulatedPostfix:
    """Answers like a Postfix of another system, on a real directory."""

    directory: Path
    default_type: str
    types: str
    version_parameters: dict[str, str] = field(default_factory=dict)
    main: dict[str, str] = field(default_factory=dict)
    sasl: str = "cyrus\ndovecot\n"

    def __post_init__(self) -> None:
        for name in ("main.cf", "master.cf"):
            (self.directory / name).write_text("", encoding="utf-8")

    @property
    def instance(self) -> Instance:
        return Instance(self.run, str(self.directory))

    def run(self, command: Sequence[str], stdin: str) -> Answer:
        """Answer a command as Instance sends it."""
        program, arguments = command[0], list(command[3:])
        if program == "postmap":
            return self._postmap(arguments, stdin)
        if program == "postconf":
            return Answer(0, self._postconf(arguments), "")
        return Answer(0, "", "")

    def _postconf(self, arguments: list[str]) -> str:
        option, names = arguments[0], arguments[1:]
        values = {"default_database_type": self.default_type, **DEFAULTS, **self.version_parameters, **self.main}
        if option == "-n":
            return "".join(f"{name} = {value}\n" for name, value in self.main.items())
        if option == "-d":
            return "".join(f"{name} = {value}\n" for name, value in {**DEFAULTS, **self.version_parameters}.items())
        if option == "-x":
            instead = dict(name.removeprefix("-o").split("=", 1) for name in names)
            return "".join(f"{name} = {instead.get(name, value)}\n" for name, value in values.items())
        if option == "-e":
            self.main.update(dict(name.split(" = ", 1) for name in names))
        if option == "-X":
            for name in names:
                self.main.pop(name, None)
        answers = {"-m": self.types, "-A": self.sasl, "-M": "smtp unix - - n - - smtp\n"}
        return answers.get(option, "")

    def _postmap(self, arguments: list[str], stdin: str) -> Answer:
        kind, path = arguments[-1].split(":", 1)
        if kind not in self.types.split():
            return Answer(1, "", f"postmap: fatal: unsupported dictionary type: {kind}")
        index = Path(path + SUFFIXES.get(kind, ""))
        if arguments[0] != "-q":
            index.write_bytes(Path(path).read_bytes())
            return Answer(0, "", "")
        if not index.exists():
            return Answer(1, "", f"postmap: fatal: open database {index}: No such file or directory")
        lines = [line for line in index.read_text(encoding="utf-8").split("\n") if line and not line.startswith("#")]
        entries = dict(line.split(" ", 1) for line in lines) if kind != "regexp" else {}
        found = [f"{key}\t{entries[key]}\n" for key in stdin.splitlines() if key in entries]
        return Answer(0 if found else 1, "".join(found), "")


@pytest.fixture(autouse=True)
def _stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing runs, which otherwise only root could know."""
    monkeypatch.setattr(Instance, "is_running", lambda _: False)


@pytest.fixture(autouse=True)
def _authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other systems keep their authorities elsewhere; here they are where this machine has them."""
    monkeypatch.setattr(conflicts, "find_ca_file", lambda path: path or "/etc/ssl/certs/ca-certificates.crt")
    monkeypatch.setattr(conflicts, "has_sasl_plugin", lambda: True)


def wanted(**options: object) -> RelaySettings:
    values: dict[str, object] = {"host": "smarthost.example", "port": 587, **options}
    return RelaySettings(default_login=Login("web@example.com", PASSWORD), **values)  # type: ignore[arg-type]  # any setting


SYSTEMS = {
    "Ubuntu 22.04, Postfix 3.6": ("hash", "btree cidr environ fail hash inline internal memcache regexp texthash"),
    "Ubuntu 24.04, Postfix 3.8": ("hash", "btree cidr environ fail hash inline internal memcache regexp texthash"),
    "Red Hat 9, Postfix 3.5": ("hash", "btree cidr environ fail hash internal lmdb regexp texthash"),
    "Red Hat 10, Postfix 3.8": ("lmdb", "cidr environ fail internal lmdb pcre regexp texthash"),
    "Alpine": ("lmdb", "cidr environ fail inline internal lmdb regexp texthash"),
    "SLES 15": ("lmdb", "cidr environ fail inline internal lmdb pcre regexp texthash"),
    "Debian 14, Postfix 3.11": ("cdb", "btree cdb cidr environ fail hash inline internal lmdb regexp texthash"),
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_type_that_the_system_prefers(tmp_path: Path, system: str) -> None:
    kind, types = SYSTEMS[system]
    postfix = SimulatedPostfix(tmp_path, kind, types)
    plan = plan_present(postfix.instance, wanted())
    assert plan.kind == kind
    apply(postfix.instance, plan)
    assert postfix.main["smtp_sasl_password_maps"] == f"{kind}:{tmp_path}/smarthost_passwords"
    assert (tmp_path / f"smarthost_passwords{SUFFIXES[kind]}").stat().st_mode & 0o777 == 0o600
    assert not plan_present(postfix.instance, wanted()).changed
    apply(postfix.instance, plan_absent(postfix.instance))
    assert postfix.main == {}
    assert {path.name for path in tmp_path.iterdir()} == {"main.cf", "master.cf"}


def test_what_ubuntu_ships_comes_back(tmp_path: Path) -> None:
    """Its main.cf knows a CA path, which a chrooted client cannot read, and TLS where it is offered."""
    shipped = {"smtp_tls_CApath": "/etc/ssl/certs", "smtp_tls_security_level": "may", "relayhost": ""}
    postfix = SimulatedPostfix(tmp_path, *SYSTEMS["Ubuntu 24.04, Postfix 3.8"], main=dict(shipped))
    apply(postfix.instance, plan_present(postfix.instance, wanted()))
    assert postfix.main["smtp_tls_CAfile"] == "/etc/ssl/certs/ca-certificates.crt"
    assert postfix.main["smtp_tls_CApath"] == "/etc/ssl/certs"
    assert postfix.main["relayhost"] == "[smarthost.example]:587"
    assert postfix.main["smtp_tls_security_level"] == "secure"
    apply(postfix.instance, plan_absent(postfix.instance))
    assert postfix.main == shipped


def test_an_upgrade_of_the_system_changes_the_type(tmp_path: Path) -> None:
    """Debian 13 to 14: the old index goes, so that it cannot be taken for the new one."""
    postfix = SimulatedPostfix(tmp_path, "hash", SYSTEMS["Debian 14, Postfix 3.11"][1])
    apply(postfix.instance, plan_present(postfix.instance, wanted()))
    postfix.default_type = "cdb"
    plan = plan_present(postfix.instance, wanted())
    assert plan.changed
    apply(postfix.instance, plan)
    assert {path.name for path in tmp_path.glob("smarthost_passwords*")} == {
        "smarthost_passwords",
        "smarthost_passwords.cdb",
    }


def test_a_type_that_is_not_there_is_refused(tmp_path: Path) -> None:
    postfix = SimulatedPostfix(tmp_path, *SYSTEMS["Red Hat 10, Postfix 3.8"])
    with pytest.raises(PostfixError, match=r"map_type: 'hash' cannot be used here.*lmdb, texthash"):
        plan_present(postfix.instance, wanted(map_type="hash"))


def test_a_preferred_type_that_the_collection_cannot_use(tmp_path: Path) -> None:
    postfix = SimulatedPostfix(tmp_path, "dbm", "dbm regexp texthash")
    with pytest.raises(PostfixError, match=r"default_database_type of this Postfix: 'dbm'.*texthash"):
        plan_present(postfix.instance, wanted())


def test_a_build_without_sasl(tmp_path: Path) -> None:
    postfix = SimulatedPostfix(tmp_path, *SYSTEMS["Alpine"], sasl="dovecot\n")
    with pytest.raises(PostfixError, match="without Cyrus SASL"):
        plan_present(postfix.instance, wanted())


@pytest.mark.parametrize("delimiter", [":", "|"])
def test_the_delimiter_of_newer_versions(tmp_path: Path, delimiter: str) -> None:
    """From Postfix 3.9 on the colon between login and password can be another text."""
    newer = {"smtp_sasl_password_result_delimiter": delimiter}
    postfix = SimulatedPostfix(tmp_path, *SYSTEMS["Debian 14, Postfix 3.11"], version_parameters=newer)
    plan = plan_present(postfix.instance, wanted())
    assert ("smtp_sasl_password_result_delimiter" in plan.rules) == (delimiter != ":")


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("by_address", [False, True])
def test_the_lock_of_newer_versions(tmp_path: Path, own: bool, by_address: bool) -> None:
    """From Postfix 3.10 on a header can lift the TLS level; an upgraded system gets the lock at its next run."""

    def settings(level: str = "secure") -> RelaySettings:
        login = None if by_address else Login("web@example.com", PASSWORD)
        values = {"host": "smarthost.example", "port": 587, "dedicated_transport": own, "by_address": by_address}
        return RelaySettings(default_login=login, tls_level=level, **values)  # type: ignore[arg-type]  # any setting

    def locks(plan: Plan) -> list[str]:
        options = plan.services["smarthost/unix"].options if plan.services else {}
        return [plan.rules.get("tls_required_enable") or "", options.get("tls_required_enable", "")]

    postfix = SimulatedPostfix(tmp_path, *SYSTEMS["Debian 14, Postfix 3.11"])
    plan = plan_present(postfix.instance, settings())
    assert locks(plan) == ["", ""]
    if not own:
        apply(postfix.instance, plan)
    postfix.version_parameters["tls_required_enable"] = "yes"
    plan = plan_present(postfix.instance, settings())
    assert locks(plan) == (["", "no"] if own else ["no", ""])
    if not own:
        assert list(plan.rules) == ["tls_required_enable"]
    # Where mail may go without TLS anyway there is nothing to lock.
    assert locks(plan_present(postfix.instance, settings("may"))) == ["", ""]


def test_files_that_a_chroot_lacks(tmp_path: Path) -> None:
    """Debian 12 without systemd: only the script of the package fills the chroot."""
    root = tmp_path / "root"
    for path in (
        "etc/resolv.conf",
        "etc/hosts",
        "usr/lib/postfix/configure-instance.sh",
        "var/spool/postfix/etc/hosts",
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("", encoding="utf-8")

    def run(command: Sequence[str], stdin: str) -> Answer:
        chrooted = "smtp unix - - y - - smtp\n" if "-M" in command else "queue_directory = /var/spool/postfix\n"
        return Answer(0, chrooted, "")

    assert missing(Instance(run, "/etc/postfix"), root) == ["etc/resolv.conf"]
    assert missing(Instance(run, "/etc/postfix-2"), root) == []
    script = root / "usr/lib/postfix/configure-instance.sh"
    script.write_text("E: This is internal script used by postfix\n", encoding="utf-8")
    assert missing(Instance(run, "/etc/postfix"), root) == []
    script.unlink()
    assert missing(Instance(run, "/etc/postfix"), root) == []


def test_the_chroot_is_filled_by_the_script_of_the_package() -> None:
    commands: list[Sequence[str]] = []
    code = 0

    def run(command: Sequence[str], stdin: str) -> Answer:
        commands.append(command)
        return Answer(code, "", "cannot copy")

    fill(Instance(run, "/etc/postfix"))
    assert commands == [["sh", "/usr/lib/postfix/configure-instance.sh", "-"]]
    code = 1
    with pytest.raises(PostfixError, match=r"configure-instance.sh failed: cannot copy"):
        fill(Instance(run, "/etc/postfix"))


def test_a_map_that_does_not_give_back_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Postmap exits with 0 all the same; the old map stays, and no password is left beside it."""
    postfix = SimulatedPostfix(tmp_path, "hash", "hash regexp")
    lookup = Instance.lookup

    def forgetful(instance: Instance, table: str, keys: Iterable[str]) -> dict[str, str] | None:
        return {} if table.endswith(".new") else lookup(instance, table, keys)

    def refused(settings: RelaySettings) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Instance, "lookup", forgetful)
            with pytest.raises(PostfixError, match=r"does not give back what was written for \[smarthost.example\]:"):
                apply(postfix.instance, plan_present(postfix.instance, settings))
        assert list(tmp_path.glob("*.new*")) == []

    refused(wanted())
    assert {path.name for path in tmp_path.iterdir()} == {"main.cf", "master.cf"}
    apply(postfix.instance, plan_present(postfix.instance, wanted()))
    old = (tmp_path / "smarthost_passwords").read_bytes()
    refused(wanted(port=25))
    assert (tmp_path / "smarthost_passwords").read_bytes() == old
    assert postfix.main["relayhost"] == "[smarthost.example]:587"
    apply(postfix.instance, plan_present(postfix.instance, wanted(port=25)))
    assert not plan_present(postfix.instance, wanted(port=25)).changed
