# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action audit in this process: what it reads, what it cannot read, and that nothing wrong is called fine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail

from tests.support.action import Controller
from tests.support.dns_server import DnsServer, dns_server
from tests.support.emulator import Emulator
from tests.support.postfix import free_port

PASSWORD = "Correct-Horse-42"
SENDERS = [{"username": "alice", "limits": {"per_hour": 200}}, {"username": "server1", "relay": True}]
LOGINS = ["alice@example.com", "server1@example.com"]


@pytest.fixture
def names() -> Iterator[DnsServer]:
    with dns_server() as running:
        running.txt("example.com", "v=spf1 include:spf.antispamcloud.com -all")
        running.txt("spf.antispamcloud.com", "v=spf1 ip4:192.0.2.0/24 -all")
        yield running


class Audited:
    """A site as the action sees it. No host is asked in a test of this file."""

    def __init__(self, folder: Path, emulator: Emulator, names: DnsServer) -> None:
        self.folder, self.emulator = folder, emulator
        self.controller = Controller(folder, [("default", "vault password one")])
        self.controller.variables["groups"] = {"all": ["mail1"], "mail_relays": ["mail1"]}
        self.store = folder / "store.yml"
        self.options: dict[str, Any] = {
            **{"path": str(self.store), "domains_path": str(folder / "none"), "folder": str(folder / "audit")},
            "domains": [{"domain": "example.com", "senders": SENDERS}],
            "accounts": {"default": {**emulator.connection, "use_discovered_methods": True, "retries": 0}},
            **{"mail_servers": ["mail1"], "nameservers": [names.host], "port": names.port},
            **emulator.smarthost_options,
        }

    def keep(self, passwords: dict[str, str]) -> None:
        """Have these passwords in the store."""
        credentials = [{"name": name, "password": password} for name, password in passwords.items()]
        self.controller.run_action("credential_store", {"path": str(self.store), "credentials": credentials})

    def audit(self, **options: Any) -> dict[str, Any]:
        """Run it; nothing is written at the vendor, and no password is in what it gives or writes."""
        self.emulator.reset_counters()
        result = self.controller.run_action("audit", {**self.options, **options})
        assert self.emulator.counters()["writes"] == 0
        texts = [path.read_text(encoding="utf-8") for path in sorted((self.folder / "audit").iterdir())]
        assert not [text for text in [json.dumps(result), *texts] if PASSWORD in text]
        return result

    def refused(self, **options: Any) -> str:
        """Why it does not begin."""
        with pytest.raises(AnsibleActionFail) as caught:
            self.controller.run_action("audit", {**self.options, **options})
        assert not (self.folder / "audit").exists() or not list((self.folder / "audit").iterdir())
        return str(caught.value)

    def written(self) -> dict[str, Any]:
        """The file for programs."""
        found: dict[str, Any] = json.loads((self.folder / "audit" / "audit.json").read_text(encoding="utf-8"))
        return found

    def unseen(self) -> dict[str, str]:
        """What was not looked at -> why."""
        return {one["area"]: one["why"] for one in self.written()["not_looked_at"]}


@pytest.fixture
def site(tmp_path: Path, emulator: Emulator, names: DnsServer) -> Audited:
    users = [{"domain": "example.com", "username": name, "password": PASSWORD} for name in ("alice", "server1")]
    emulator.seed(users=users)
    return Audited(tmp_path, emulator, names)


def test_what_is_not_there_was_not_looked_at(site: Audited) -> None:
    result = site.audit()
    assert result["not_looked_at"] == len(site.written()["not_looked_at"]) > 0
    assert "there is no credential store at" in json.dumps(site.written()["not_looked_at"])
    assert any("mail1" in json.dumps(one) for one in site.written()["not_looked_at"])
    assert site.audit(fail_on=["unseen"])["failing"] == ["unseen"]


def test_a_second_run_writes_nothing_anew(site: Audited) -> None:
    site.keep(dict.fromkeys(LOGINS, PASSWORD))
    assert site.audit()["changed"]
    assert {one["action"] for one in site.audit()["files"]} == {"unchanged"}


def test_passwords_are_tried_when_that_is_told_and_three_refusals_end_it(site: Audited) -> None:
    site.keep({**dict.fromkeys(LOGINS, PASSWORD), "bob@example.com": "Mistyped-Horse-42"})
    assert site.emulator.counters()["auths"] == 0
    site.audit(prove="all")
    counters = site.emulator.counters()
    assert (counters["auths"], counters["auths_refused"]) == (3, 1)
    codes = {one["code"]: one["where"] for one in site.written()["findings"]}
    assert "bob@example.com" in codes.values()


def test_an_account_that_cannot_be_asked(site: Audited) -> None:
    site.keep(dict.fromkeys(LOGINS, PASSWORD))
    account = {**site.options["accounts"]["default"], "api_url": f"https://127.0.0.1:{free_port()}"}
    result = site.audit(accounts={"default": account})
    assert result["not_looked_at"] > 0
    assert "things could not be looked at" in result["verdict"]
    assert "stranger" not in {one["code"] for one in site.written()["findings"]}


def test_a_store_with_another_password_is_said_and_the_rest_is_looked_at(site: Audited) -> None:
    site.keep(dict.fromkeys(LOGINS, PASSWORD))
    other = Controller(site.folder, [("default", "another password")])
    other.variables["groups"] = site.controller.variables["groups"]
    site.controller = other
    site.audit()
    assert "store" in json.dumps(site.written()["not_looked_at"])
    assert site.written()["findings"] is not None


@pytest.mark.parametrize(
    ("options", "piece"),
    [
        ({"domains": "example.com"}, "has to be a list of descriptions"),
        ({"domains": [{"domain": "example.com", "sender": []}]}, "sender"),
        ({"accepted": [{"code": "nothing of that name"}]}, "has to have code, where, reason and until"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_asked(site: Audited, options: dict[str, Any], piece: str) -> None:
    site.emulator.reset_counters()
    assert piece in site.refused(**options)
    assert site.emulator.counters()["reads"] == 0


def test_a_folder_that_is_a_link_is_refused(site: Audited) -> None:
    (site.folder / "elsewhere").mkdir()
    (site.folder / "audit").symlink_to(site.folder / "elsewhere")
    assert "audit" in site.refused()
    assert not list((site.folder / "elsewhere").iterdir())
