# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each finding of an audit on real parts: the emulator, a name server, Postfix and profiles of Thunderbird.

One site has nothing that is wrong, and one has all of it.
"""

from __future__ import annotations

import json
import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.finding import RULES
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix import host_manager

from tests.support.audit_site import PASSWORD, Audited
from tests.support.dns_server import DnsServer, dns_server
from tests.support.emulator import Emulator
from tests.support.module import run_module
from tests.support.postfix import ScratchPostfix
from tests.support.relay import relay

pytestmark = pytest.mark.root
#: What no site can have here: of a Postfix from 3.10 on, for which see tests/integration/test_postfix_releases.py, and
#: of a list that shows another method under the same name.
ELSEWHERE = {"header_lowers_tls", "other_method"}
ALICE = {"username": "alice", "limits": {"per_hour": 200}, "people": [{"host": "desk1", "user": "alice"}]}
SERVER = {"username": "server1", "relay": ["mail1"], "limits": {"per_hour": 100}}
KEY = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


@pytest.fixture
def names() -> Iterator[DnsServer]:
    with dns_server() as running:
        running.txt("spf.antispamcloud.com", "v=spf1 ip4:192.0.2.0/24 -all")
        running.txt("example.com", "v=spf1 include:spf.antispamcloud.com -all")
        running.txt("_dmarc.example.com", "v=DMARC1; p=reject; rua=mailto:dmarc@example.com")
        running.txt("s1._domainkey.example.com", KEY)
        running.records["example.com", "MX"] = ["10 mx.example.com."]
        running.records["mx.example.com", "A"] = ["192.0.2.7"]
        yield running


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """That of alice, who has a profile of Thunderbird and another user id than root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        used = folder / ".thunderbird" / "used"
        used.mkdir(parents=True)
        (folder / ".thunderbird" / "profiles.ini").write_text(
            "[Profile0]\nName=a\nIsRelative=1\nPath=used\nDefault=1\n\n[InstallFDC34C9F024745EB]\nDefault=used\nLocked=1\n"
        )
        entry = pwd.struct_passwd(("alice", "x", 40001, 40001, "", name, "/bin/sh"))
        monkeypatch.setattr(pwd, "getpwall", lambda: [entry])
        known, by_name = {entry.pw_uid: entry}, {"alice": entry}
        real = pwd.getpwuid, pwd.getpwnam
        monkeypatch.setattr(pwd, "getpwuid", lambda uid: known.get(uid) or real[0](uid))
        monkeypatch.setattr(pwd, "getpwnam", lambda name: by_name.get(name) or real[1](name))
        yield folder


def send_as(home: Path, login: str, smarthost: str) -> None:
    """Have the profile send as this."""
    values = {"hostname": smarthost, "username": login, "port": 587, "authMethod": 3, "try_ssl": 2}
    lines = [f'user_pref("mail.smtpserver.smtp1.{name}", {json.dumps(value)});' for name, value in values.items()]
    lines.append('user_pref("mail.smtpservers", "smtp1");')
    (home / ".thunderbird" / "used" / "prefs.js").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for path in [home, *home.rglob("*")]:
        os.chown(path, 40001, 40001)


class RealSite(Audited):
    """One that is looked at as the playbook does, with modules that run in this process."""

    def __init__(self, folder: Path, emulator: Emulator, names: DnsServer) -> None:
        super().__init__(folder, emulator, names)
        hosts = ["mail1", "mail2", "mail3", "mail4", "mail5", "desk1"]
        self.controller.variables["groups"] = {"all": hosts}
        self.smarthost = str(emulator.smarthost_options["smarthost"])
        self.seen: dict[str, Any] = {}

    def look(self, name: str, postfix: ScratchPostfix | None) -> None:
        """See how a mail server sends, and what waits there."""
        place = {"config_directory": str(postfix.config_directory)} if postfix else {}
        done = run_module("postfix_relay_info", {**place, "past": True})
        queue = run_module("postfix_queue_info", {**place, "smarthost": self.smarthost}).result if postfix else {}
        assert not done.failed, done.message
        self.seen[name] = {"relay": done.result, "queue": queue, "smarthost": self.smarthost}

    def report(self, **options: Any) -> dict[str, list[str]]:
        """The findings: code -> where."""
        thunderbird = run_module("thunderbird_outgoing_server_info", {"smarthost": self.smarthost}).result
        given = {"hosts": self.seen, "mail_servers": list(self.seen), "clients": ["desk1"], "prove": "all"}
        self.audit(**given, computers={"desk1": thunderbird}, **options)
        shown: dict[str, list[str]] = {}
        for one in self.written()["findings"]:
            shown.setdefault(one["code"], []).append(one["where"])
        return shown


@pytest.fixture
def site(tmp_path: Path, emulator: Emulator, names: DnsServer, home: Path) -> RealSite:
    made = RealSite(tmp_path, emulator, names)
    users = {"alice": 200, "server1": 100}
    emulator.seed(
        domains=[{"name": "example.com", "administrator_contact": "abuse@example.com"}],
        users=[
            {"domain": "example.com", "username": name, "password": f"{PASSWORD}-{name}", "limit_per_hour": limit}
            for name, limit in users.items()
        ],
    )
    made.keep({f"{name}@example.com": f"{PASSWORD}-{name}" for name in users})
    send_as(home, "alice@example.com", made.smarthost)
    return made


def describe(*senders: dict[str, Any], domain: str = "example.com", **keys: Any) -> dict[str, Any]:
    usual = {"abuse_contact": "abuse@example.com", "dkim_selectors": ["s1"]}
    return {"domain": domain, **usual, "senders": list(senders), **keys}


def send_through(postfix: ScratchPostfix, site: RealSite, login: str) -> None:
    name = login.partition("@")[0]
    options = {**site.emulator.smarthost_options, "default_login": login, "default_password": f"{PASSWORD}-{name}"}
    done = relay(postfix, **options)
    assert not done.failed, done.message


def test_a_site_on_which_nothing_is_wrong(site: RealSite, instance: ScratchPostfix) -> None:
    send_through(instance, site, "server1@example.com")
    # The host's own mail is in the log with the name of the host, and leaves with another.
    instance.set(smtp_generic_maps="inline:{ { @client.test.example = server1@example.com } }")
    instance.reload()
    for sender in ("alice@example.com", "root@client.test.example"):
        instance.inject(sender, "somebody@elsewhere.example")
    instance.wait_until_empty()
    site.look("mail1", instance)
    assert site.report(domains=[describe(ALICE, SERVER)]) == {}
    # The log of this Postfix is younger than a day, and that is all that was not looked at.
    assert set(site.unseen()) == {"queue"}
    assert site.seen["mail1"]["queue"]["sender_domains"] == ["example.com"]


def spoil_dns(names: DnsServer) -> None:
    names.txt("example.com", "v=spf1 -all")
    names.txt("_dmarc.example.com", "v=DMARC1; p=none; aspf=s; rua=postmaster@example.com")
    names.txt("s1._domainkey.example.com", "v=DKIM1; p=")
    # Nothing at all is there of example.net.
    names.records["example.com", "MX"] = ["0 ."]


def spoil_postfix(postfix: ScratchPostfix, site: RealSite) -> None:
    """What administrators do, and leave."""
    hop = f"[{site.smarthost}]:{site.emulator.smarthost_options['smarthost_port']}"
    postfix.set(
        smtp_tls_security_level="encrypt",
        smtp_sasl_tls_security_options="noanonymous",
        smtp_tls_policy_maps=f"inline:{{ {{ {hop} = may }} }}",
        transport_maps="inline:{ { inside.example = smtp:[192.0.2.9] }, { filter.example = smtp:[127.0.0.1]:10025 } }",
        relayhost="[smtp.other.example]:25",
        address_verify_relayhost="$relayhost",
        smtpd_recipient_restrictions="reject_unverified_recipient",
        mynetworks="127.0.0.0/8 10.0.0.0/8 198.51.100.0/28",
    )
    (postfix.config_directory / "smarthost_passwords").chmod(0o644)
    remembered = postfix.config_directory / "smarthost_originals.json"
    remembered.write_text(json.dumps({**json.loads(remembered.read_text()), "unfinished": True}))


def fill_the_queue(postfix: ScratchPostfix, site: RealSite) -> None:
    """One mail was returned, one waits."""
    postfix.set(smtp_generic_maps="")
    postfix.clean()
    refused = {"match": "smtp:mail", "kind": "smtp_reply"}
    site.emulator.faults({**refused, "text": "553 5.7.1 Sender not allowed", "times": 1})
    postfix.inject("alice@m.example.com", "somebody@elsewhere.example")
    postfix.wait_until_quiet()
    site.emulator.faults({**refused, "text": "451 Come back later", "times": None})
    postfix.inject("somebody@gmail.example", "somebody@elsewhere.example")
    postfix.wait_until_quiet()
    site.emulator.faults()


def spoil_account(site: RealSite) -> None:
    site.keep({f"{name}@example.com": PASSWORD for name in ("twin1", "twin2", "alice")})
    site.emulator.seed(
        domains=[{"name": "example.org", "outgoing": 0, "administrator_contact": ""}, {"name": "example.edu"}],
        users=[
            {"domain": "example.com", "username": "alice", "password": "another", "limit_per_hour": 9},
            {"domain": "example.com", "username": "info", "password": "x", "limits_enabled": 0},
            {"domain": "example.com", "username": "carol", "password": "x", "locked": 1},
            {"domain": "example.com", "username": "eve", "password": "x"},
            {"domain": "example.com", "username": "gone", "password": "x"},
            {"domain": "example.edu", "username": "dean", "password": "x"},
        ],
    )


WRONG: list[dict[str, Any]] = [
    ALICE,
    {**SERVER, "default_for": ["mail1"], "people": [{"host": "desk1", "user": "alice"}]},
    *({"username": name} for name in ("bob", "info", "carol")),
    {"authentication_method": "domain", "limits": {"per_hour": 300}},
    {"authentication_method": "ip", "username": "198.51.100.0/24", "acknowledge_ip_risk": True},
]


def test_a_site_with_all_that_can_be_wrong(
    site: RealSite, names: DnsServer, instance: ScratchPostfix, postfix: ScratchPostfix, home: Path
) -> None:
    send_through(instance, site, "alice@example.com")
    fill_the_queue(instance, site)
    spoil_postfix(instance, site)
    site.look("mail1", instance)
    site.look("mail2", instance)
    site.look("mail3", postfix)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("ansible.module_utils.basic.get_bin_path", _no_program)
        patched.setattr(host_manager, "objection", lambda: "Plesk manages the mail of this host.")
        done = run_module("postfix_relay_info", {"past": True})
        site.seen["mail4"] = {"relay": done.result, "queue": {}, "smarthost": site.smarthost}
    spoil_account(site)
    spoil_dns(names)
    send_as(home, "eve@example.com", site.smarthost)
    remembered = {
        "example.com": {"senders": {"gone": {}}},
        "lost.example": {"place": "domains/lost.example.yml", "senders": {"a": {}}},
    }
    site.remember(remembered)
    found = site.report(
        domains=[
            describe(*WRONG),
            describe({"username": "shop", "limits": {"per_hour": 300}, "relay": ["mail1"]}, domain="example.net"),
            describe(domain="example.org", abuse_contact=""),
        ]
    )
    assert sorted(set(RULES) - set(found) - ELSEWHERE) == []
    assert sum(len(set(where)) for where in found.values()) > len(RULES)


def _no_program(*_given: Any, **_options: Any) -> str:
    raise ValueError("nothing is installed")
