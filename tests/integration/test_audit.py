# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook audit: real ansible-playbook, real Postfix, the emulator and a local name server."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.apply import DeclaredSite
from tests.support.dns_server import DnsServer, dns_server
from tests.support.emulator import Emulator
from tests.support.playbook import PlaybookRun
from tests.support.postfix import ScratchPostfix, free_port
from tests.support.relay import snapshot

pytestmark = pytest.mark.root

ALICE = {"username": "alice", "limits": {"per_hour": 200}}
INFO = {"username": "info", "shared": True}
SERVER = {"username": "server1", "relay": True}


@pytest.fixture
def names() -> Iterator[DnsServer]:
    with dns_server() as running:
        running.txt("example.com", "v=spf1 include:spf.antispamcloud.com -all")
        running.txt("spf.antispamcloud.com", "v=spf1 ip4:192.0.2.0/24 -all")
        running.txt("_dmarc.example.com", "v=DMARC1; p=reject")
        running.txt("s1._domainkey.example.com", "k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
        running.records["example.com", "A"] = ["192.0.2.7"]
        yield running


class AuditedSite(DeclaredSite):
    """A site that is audited."""

    names: DnsServer

    def audit(self, *options: str, **variables: Any) -> PlaybookRun:
        """Audit it; nothing is written at the vendor, and no host's file changes."""
        self.emulator.reset_counters()
        dns: dict[str, Any] = {
            "spamexperts_nameservers": [self.names.host],
            "spamexperts_nameserver_port": self.names.port,
        }
        run = self.apply(*options, playbook="audit", **{**dns, **variables})
        assert self.emulator.counters()["writes"] == 0
        for path in self.files():
            self.check_secrets(path.read_text(encoding="utf-8"))
        return run

    def files(self) -> list[Path]:
        """What was written."""
        folder = self.folder / "audit"
        return sorted(folder.iterdir()) if folder.exists() else []

    def found(self) -> dict[str, list[str]]:
        """The findings of the last audit: code -> where."""
        shown: dict[str, list[str]] = {}
        for one in self.audited()["findings"]:
            shown.setdefault(one["code"], []).append(one["where"])
        return shown

    def audited(self) -> dict[str, Any]:
        """The JSON file of the last audit."""
        shown: dict[str, Any] = json.loads((self.folder / "audit" / "audit.json").read_text(encoding="utf-8"))
        return shown


@pytest.fixture
def declared(tmp_path: Path, emulator: Emulator, names: DnsServer, postfix: ScratchPostfix) -> AuditedSite:
    made = AuditedSite(tmp_path, emulator, postfix)
    made.names = names
    made.declare("example.com", ALICE, INFO, SERVER, abuse_contact="postmaster@example.com", dkim_selectors=["s1"])
    here = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    made.change_host("desk1", group="mail_clients", **here)
    return made


@pytest.fixture
def site(declared: AuditedSite) -> AuditedSite:
    """The same, and all of it is done."""
    done = declared.apply()
    assert done.returncode == 0, done.output
    return declared


def test_a_site_on_which_nothing_is_wrong(site: AuditedSite, postfix: ScratchPostfix) -> None:
    before = snapshot(postfix.config_directory), site.store.read_bytes()
    foreseen = site.audit("--check", spamexperts_prove="all")
    assert foreseen.returncode == 0, foreseen.output
    assert site.files() == []
    # By another name the controller reaches the same smarthost, and that is none of a mail server's business.
    site.variables["spamexperts_smarthost"] = "127.0.0.1"
    run = site.audit(spamexperts_prove="all", spamexperts_fail_on=["drift", "high", "medium", "low", "queue"])
    assert run.returncode == 0, run.output
    assert site.found() == {}
    assert "Nothing wrong was found" in run.output
    assert (snapshot(postfix.config_directory), site.store.read_bytes()) == before
    assert [path.name for path in site.files()] == ["audit.html", "audit.json", "senders.csv"]
    assert stat.S_IMODE((site.folder / "audit").stat().st_mode) == 0o700
    # The log of this Postfix is younger than a day, and that is all that was not looked at.
    assert [one["area"] for one in site.audited()["not_looked_at"]] == ["queue"]
    with (site.folder / "audit" / "senders.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = {row["sender"]: row for row in csv.DictReader(stream)}
    assert list(rows) == [f"{name}@example.com" for name in ("alice", "info", "server1")]
    assert (rows["alice@example.com"]["per_hour"], rows["info@example.com"]["limits"]) == ("200", "no")
    assert rows["server1@example.com"]["mail_servers"] == "mail1"


@pytest.mark.slow  # by day without a playbook, in tests/component/test_audit_findings.py
def test_a_site_with_everything_that_can_be_wrong(site: AuditedSite, postfix: ScratchPostfix) -> None:
    emulator = site.emulator
    site.declare(
        "example.com",
        {**ALICE, "limits": {"per_hour": 100}},
        {"username": "bob"},
        {"username": "info"},
        SERVER,
        {"authentication_method": "domain"},
        {"authentication_method": "ip", "username": "198.51.100.0/24", "acknowledge_ip_risk": True},
    )
    site.declare("example.net", {"username": "shop"})
    emulator.seed(users=[{"domain": "example.com", "username": "eve", "password": "a password of nobody here"}])
    site.change_store(credentials=[{"name": "old@example.org", "password": site.passwords()["alice@example.com"]}])
    emulator.set_password("example.com", "server1", "somebody has changed it")
    site.names.txt("example.com", "v=spf1 -all")
    postfix.inject("alice@example.com", "somebody@example.net")
    postfix.wait_until_quiet()
    postfix.set(smtp_tls_security_level="encrypt", smtp_sasl_tls_security_options="noanonymous")
    postfix.set(mynetworks="127.0.0.0/8 10.0.0.0/8", smtpd_recipient_restrictions="reject_unverified_recipient")
    (postfix.config_directory / "smarthost_passwords").chmod(0o644)
    before = snapshot(postfix.config_directory)

    run = site.audit(spamexperts_prove="all", spamexperts_fail_on=["drift", "high", "queue"])
    assert run.returncode == 2, run.output
    assert "spamexperts_fail_on names drift, high, queue" in run.output.replace("\n", " ")
    assert snapshot(postfix.config_directory) == before
    found = site.found()
    expected = {
        "stranger": ["eve@example.com"],
        "other_limits": ["alice@example.com"],
        "no_limits": ["info@example.com"],
        "wide_network": ["198.51.100.0/24@example.com"],
        "same_password": ["alice@example.com", "old@example.org"],
        "unused_credential": ["old@example.org"],
        "by_domain": ["example.com"],
        "domain_missing": ["example.net"],
        "mail_waits": ["mail1"],
        "weak_tls": ["mail1"],
        "wide_mynetworks": ["mail1"],
        "readable_passwords": ["mail1"],
        "probes_at_smarthost": ["mail1"],
        "password_for_anybody": ["mail1"],
        "spf": ["example.com", "example.net"],
    }
    assert {code: found.get(code) for code in expected} == expected
    assert "server1@example.com" in found["refused"]
    assert "bob@example.com" in found["missing"]
    (waits,) = (one for one in site.audited()["findings"] if one["code"] == "mail_waits")
    assert "(password)" in waits["what"]


def test_what_cannot_be_looked_at_is_said(site: AuditedSite) -> None:
    """A host that is down, an account that refuses, a store without its password, a name server that is silent."""
    site.change_host("mail9", ansible_connection="ssh", ansible_host="127.0.0.1", ansible_port=free_port())
    site.change_host("desk9", group="mail_clients", ansible_connection="ssh", ansible_host="127.0.0.1", ansible_port=9)
    site.api_options["api_password"] = "wrong"
    run = site.audit(spamexperts_nameserver_port=free_port())
    assert run.returncode == 0, run.output
    shown = " ".join(f"{one['what']}: {one['why']}" for one in site.audited()["not_looked_at"])
    for piece in (
        "mail9, how it sends",
        "desk9, as what its people send",
        "strangers, leavers",
        "domains, products",
        "SPF of",
        "DMARC of",
    ):
        assert piece in shown
    assert "could not be looked at" in run.output
    assert site.audit(spamexperts_fail_on=["unseen"]).returncode == 2


@pytest.mark.slow  # by day without a playbook, in tests/component/test_audit.py
def test_no_list_no_store_and_no_folder(declared: AuditedSite) -> None:
    site = declared
    site.api_options["use_discovered_methods"] = False
    run = site.audit(spamexperts_credential_store=str(site.folder / "none.yml"))
    assert run.returncode == 0, run.output
    assert "there is no credential store at" in str(site.audited()["not_looked_at"])
    (site.folder / "open").mkdir(mode=0o755)
    refused = site.audit(spamexperts_audit_folder=str(site.folder / "open"))
    assert refused.returncode == 2
    assert "is open to others" in refused.output


def test_a_run_that_leaves_hosts_out_is_refused(declared: AuditedSite) -> None:
    """What is left out would look as if it were fine."""
    run = declared.audit("--limit", "mail1")
    assert run.returncode != 0, run.output
    assert "an audit looks at everything" in run.output.replace("\n", " ")
    assert declared.files() == []
