# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action apply, phase by phase in this process, with a real loader, vault and inventory, against the emulator."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Optional

import pytest
import yaml
from ansible.errors import AnsibleLookupError
from ansible.inventory.manager import InventoryManager
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from tests.support.action import Controller
from tests.support.emulator import Emulator
from tests.support.store import largest_file, read_whole_store

VAULT, OTHER_VAULT = "the vault's password", "another vault's password"
ALICE: dict[str, Any] = {"username": "alice", "limits": {"per_hour": 200}}
SERVER: dict[str, Any] = {"username": "server", "relay": True}
Result = dict[str, Any]


class Site:
    """A folder with descriptions and a store, an inventory with the mail server mail1 and the computer laptop."""

    def __init__(self, folder: Path, emulator: Emulator) -> None:
        self.folder = folder
        self.emulator = emulator
        self.domains = folder / "domains"
        self.domains.mkdir()
        self.store = folder / "site" / "store.yml"
        self.store.parent.mkdir()
        self.variables: dict[str, Any] = {}
        self.options: dict[str, Any] = {}

    def declare(self, *senders: dict[str, Any], domain: str = "example.com", **more: Any) -> None:
        text = yaml.safe_dump({"domain": domain, **more, "senders": list(senders)})
        (self.domains / f"{domain}.yml").write_text(text, encoding="utf-8")

    def controller(self, vault: Optional[str]) -> Controller:
        """A new run of Ansible."""
        controller = Controller(self.folder, [("default", vault)] if vault else [])
        hosts = {"mail_relays": {"hosts": {"mail1": self.variables}}, "mail_clients": {"hosts": {"laptop": {}}}}
        file = self.folder / "inventory.yml"
        file.write_text(yaml.safe_dump(hosts), encoding="utf-8")
        inventory = InventoryManager(loader=controller.loader, sources=[str(file)])
        manager = VariableManager(loader=controller.loader, inventory=inventory)
        controller.variables["groups"] = inventory.get_groups_dict()
        controller.variables["hostvars"] = HostVars(inventory, manager, controller.loader)
        return controller

    def phase(
        self, name: str, before: Optional[Result] = None, vault: Optional[str] = VAULT, check: bool = False, **more: Any
    ) -> Result:
        """One phase, after another one."""
        account = {**self.emulator.connection, "use_discovered_methods": True, "retries": 0}
        arguments = {
            "phase": name,
            **{"path": str(self.store), "domains_path": str(self.domains), "mail_servers": ["mail1"]},
            **{"accounts": {"default": account}, "store_is_kept": True},
            **self.emulator.smarthost_options,
            **self.options,
            **more,
            "run": before["run"] if before else {},
        }
        return self.controller(vault).run_action("apply", arguments, check=check, diff=True)

    def whole(self, **options: Any) -> list[Result]:
        """All phases; mail servers and computers are done."""
        begun = self.phase("begin", **options)
        assert not begun.get("failed"), begun["msg"]
        brought = self.phase("vendor", begun, **options)
        assert not brought.get("failed"), brought["msg"]
        done = {host: {"seen": True, "done": True} for host in brought["run"]["mail_servers"]}
        people = {host: {"done": True} for host in brought["run"]["clients"]}
        finished = self.phase("finish", brought, **{"hosts": done, "clients": people, **options})
        return [begun, brought, finished]

    def passwords(self) -> dict[str, str]:
        return {name: entry["current"] for name, entry in read_whole_store(self.store, VAULT)["credentials"].items()}

    def files(self) -> list[str]:
        return sorted(path.name for path in self.store.parent.iterdir())


@pytest.fixture
def site(tmp_path: Path, emulator: Emulator) -> Site:
    made = Site(tmp_path, emulator)
    made.declare(ALICE, SERVER)
    return made


def report_of(results: list[Result]) -> Result:
    report: Result = results[-1]["run"]["report"]
    return report


# The store


def test_a_check_without_a_store_needs_no_vault_password_and_leaves_no_trace(site: Site) -> None:
    results = site.whole(vault=None, check=True)
    assert [bool(result.get("failed")) for result in results] == [False, False, False]
    assert report_of(results)["changes"] == [
        "domain example.com: would be created",
        "alice@example.com: would be created",
        "server@example.com: would be created",
    ]
    assert site.files() == []
    assert site.emulator.counters()["writes"] == 0


@pytest.mark.parametrize(
    ("vault", "words"), [(OTHER_VAULT, "none of this run's vault passwords opens it"), (None, "has no vault password")]
)
def test_a_run_that_cannot_open_the_store_asks_the_vendor_nothing(site: Site, vault: Optional[str], words: str) -> None:
    site.whole()
    site.declare(ALICE, SERVER, {"username": "bob"})
    before = site.store.read_bytes()
    site.emulator.reset_counters()
    result = site.phase("begin", vault=vault)
    assert result["failed"]
    assert words in result["msg"]
    assert site.store.read_bytes() == before
    assert site.emulator.counters()["reads"] == 0
    site.whole()  # nobody keeps the store


def test_a_first_run_without_a_vault_password_makes_nothing(site: Site) -> None:
    result = site.phase("begin", vault=None)
    assert "this run has no vault password" in result["msg"]
    assert not site.store.exists()


def test_a_full_disk_keeps_every_password_from_the_vendor(site: Site) -> None:
    with largest_file(200):
        result = site.phase("begin")
    assert "cannot be written: File too large; it is as it was before" in result["msg"]
    assert not site.store.exists()
    assert site.emulator.counters()["reads"] == 0
    site.whole()


@contextmanager
def disk(folder: Path, options: str) -> Iterator[None]:
    """A disk of its own there."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=755,{options}", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.root
def test_a_disk_that_is_full_later_leaves_the_passwords_that_the_vendor_has(site: Site) -> None:
    with disk(site.store.parent, "size=64k"):
        begun = site.phase("begin")
        made = site.passwords()
        rest = site.store.with_name("other")
        with pytest.raises(OSError, match="No space left"):
            rest.write_bytes(bytes(70_000))
        result = site.phase("vendor", begun)
        assert "cannot be written: No space left on device; it is as it was before." in result["msg"]
        assert {user["username"] for user in site.emulator.users()} == {"alice", "server"}
        assert site.passwords() == made
        # Nothing goes on with mail servers and computers, which would use what is not known to work.
        assert set(result["run"]) == {"problems"}
        rest.unlink()
        assert report_of(site.whole())["failures"] == []
        assert site.passwords() == made
        assert all("made" not in entry for entry in read_whole_store(site.store, VAULT)["credentials"].values())


@pytest.mark.root
@pytest.mark.parametrize("check", [False, True])
def test_a_read_only_disk_is_said_before_anything_is_asked(site: Site, check: bool) -> None:
    with disk(site.store.parent, "size=64k,ro"):
        result = site.phase("begin", check=check)
    assert result["failed"]
    assert f"credential store {site.store} cannot be locked: Read-only file system" in result["msg"]
    assert site.emulator.counters()["reads"] == 0


def test_in_a_container_no_password_is_made_that_nobody_keeps(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWX_PRIVATE_DATA_DIR", "/runner")
    result = site.phase("begin", store_is_kept=False)
    assert "spamexperts_store_is_kept: true" in result["msg"]
    assert not site.store.exists()
    assert not site.phase("begin", store_is_kept=False, check=True).get("failed")
    assert not site.phase("begin", store_is_kept=False, hands_over=True).get("failed")
    # With nothing to make there is nothing to lose.
    assert not site.phase("begin", store_is_kept=False).get("failed")


def test_another_store_hears_each_password_until_it_is_in_use(site: Site) -> None:
    whom = ["alice@example.com", "server@example.com"]
    assert site.phase("begin")["run"]["handed_over"] == []
    site.store.unlink()
    # Killed before, or while, the other store was told.
    for _again in range(2):
        begun = site.phase("begin", hands_over=True)
        assert begun["run"]["handed_over"] == whom
    begun = site.phase("vendor", begun, hands_over=True)
    assert not begun.get("failed"), begun
    assert site.phase("begin", hands_over=True)["run"]["handed_over"] == []


# What changes meanwhile


@pytest.mark.parametrize(
    "changed",
    [
        (ALICE, {**SERVER, "relay": ["mail1"]}),
        (ALICE, {**SERVER, "default_for": ["mail1"]}),
        ({**ALICE, "people": [{"host": "laptop", "user": "alice"}]}, SERVER),
        (SERVER,),
        ({**ALICE, "limits": {"per_hour": 201}}, SERVER),
    ],
    ids=["relay", "default_for", "people", "sender", "limits"],
)
def test_descriptions_that_change_meanwhile_stop_it(site: Site, changed: tuple[dict[str, Any], ...]) -> None:
    begun = site.phase("begin")
    site.declare(*changed)
    result = site.phase("vendor", begun)
    assert "The descriptions were changed while this run was under way" in result["msg"]
    assert site.emulator.counters()["writes"] == 0
    assert set(result["run"]) == {"problems"}
    site.whole()


def test_nobody_is_removed_for_a_line_that_goes_meanwhile(site: Site) -> None:
    site.options["remove"] = True
    brought = site.phase("vendor", site.phase("begin"))
    site.declare(SERVER)
    report = report_of([site.phase("finish", brought)])
    assert report["to_do"] == ["the descriptions were changed while this run was under way: run again"]
    assert len(site.emulator.users()) == 2


def test_a_new_password_in_a_description_is_none_of_these_changes(site: Site) -> None:
    site.declare({**ALICE, "password": "Correct-Horse-42"}, SERVER)
    begun = site.phase("begin")
    site.declare({**ALICE, "password": "Another-Horse-43"}, SERVER)
    assert not site.phase("vendor", begun).get("failed")


# What is refused


def test_more_leavers_than_the_limit_stop_it_before_anything(site: Site) -> None:
    many = [{"username": f"user{number}"} for number in range(7)]
    site.declare(*many)
    site.whole()
    site.declare(many[0])
    site.emulator.reset_counters()
    result = site.phase("begin", remove=True)
    assert result["msg"].startswith(
        "6 senders are declared no more (user1@example.com, user2@example.com, user3@example.com, user4@example.com, "
        "user5@example.com, ...), and spamexperts_remove_limit lets a run remove 5. Nothing was changed."
    )
    assert site.emulator.counters()["reads"] == 0
    assert len(report_of(site.whole())["drift"]) == 6
    assert report_of(site.whole(remove=True, remove_limit=6))["status"] == "clean"
    assert [user["username"] for user in site.emulator.users()] == ["user0"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("outgoing_mail_login", "web@example.com"),
        ("outgoing_mail_logins", [{"login": "web@example.com"}]),
        ("outgoing_mail_authentication", "ip"),
    ],
)
def test_a_host_with_logins_in_two_places_is_refused_with_both(site: Site, name: str, value: object) -> None:
    site.variables[name] = value
    result = site.phase("begin")
    assert result["msg"] == (
        f"mail1 has {name} in the inventory, and {site.domains}/example.com.yml, line 6: senders[1] names it as well; "
        "a mail server gets its logins from one of the two, so take one away."
    )
    assert not site.store.exists()


def test_an_empty_inventory_variable_is_no_login(site: Site) -> None:
    site.variables.update(outgoing_mail_login="", outgoing_mail_logins=[], outgoing_mail_authentication="login")
    assert list(site.phase("begin")["run"]["mail_servers"]) == ["mail1"]


@pytest.mark.parametrize(
    ("only", "words"),
    [
        ({"domains": ["exmaple.com"]}, "names exmaple.com, which no description has and the store does not know; "),
        ({"logins": ["alcie@example.com"]}, "perhaps alice@example.com is meant"),
        ({"hosts": ["mail2"]}, "which is no host and no group of the inventory; perhaps mail1 is meant"),
        ({"domain": ["example.com"]}, "has to be a dictionary with domains, logins or hosts"),
        ({"domains": "example.com"}, "spamexperts_only.domains has to be a list of names"),
        (["example.com"], "has to be a dictionary with"),
    ],
)
def test_what_only_misspells_is_refused(site: Site, only: object, words: str) -> None:
    result = site.phase("begin", only=only)
    assert words in result["msg"]
    assert not site.store.exists()


def test_a_result_file_that_cannot_be_written_does_not_hide_the_result(site: Site, tmp_path: Path) -> None:
    brought = site.phase("vendor", site.phase("begin"))
    done = {"mail1": {"seen": True, "done": True}}
    result = site.phase("finish", brought, result_file=str(tmp_path / "nowhere" / "result.json"), hosts=done)
    assert result["failed"]
    assert (
        "cannot be written: No such file or directory. The run itself ended with: domain example.com:" in result["msg"]
    )
    site.whole(result_file=str(tmp_path / "result.json"))
    assert json.loads((tmp_path / "result.json").read_text())["status"] == "clean"


# Secrets


def test_no_secret_is_in_any_result(site: Site, tmp_path: Path) -> None:
    described, primary, in_file = 'Described "x\\ ü 42', 'Primary "y\\ ß 43', "In-A-File-44"
    (tmp_path / "bob").write_text(in_file)
    site.declare(
        {**ALICE, "password": described, "people": [{"host": "laptop", "user": "alice", "primary_password": primary}]},
        {"username": "bob", "password_file": str(tmp_path / "bob")},
        SERVER,
    )
    results = [*site.whole(), *site.whole(prove="all")]
    site.declare(SERVER)
    results += site.whole(remove=True)
    secrets = [described, primary, in_file, site.emulator.api_password, VAULT, *site.passwords().values()]
    forms = {form for secret in secrets for form in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1])}
    for result in results:
        text = json.dumps(result, default=str) + json.dumps(result, default=str, ensure_ascii=False) + repr(result)
        assert [form for form in forms if form in text] == []
    assert results[1]["calls"][1]["why"] == "ensure example.com"
    assert results[1]["diff"]


# The passwords of hosts


@pytest.fixture
def described(site: Site) -> Site:
    site.declare({**ALICE, "password": "Correct-Horse-42"}, {**SERVER, "password": "Another-Horse-43"})
    return site


def look_up(site: Site, begun: Result, **variables: Any) -> list[dict[str, Any]]:
    server = begun["run"]["mail_servers"]["mail1"]
    found: list[dict[str, Any]] = site.controller(VAULT).lookup(
        "declared_logins", [server, *server["logins"]], {"spamexperts_credential_store": str(site.store), **variables}
    )
    return found


def test_a_host_gets_the_password_of_its_login(site: Site) -> None:
    (entry,) = look_up(site, site.phase("begin"))
    assert (entry["login"], entry["password"]) == ("server@example.com", site.passwords()["server@example.com"])
    assert not {"secret", "primary"} & set(entry)


def test_a_host_gets_the_password_that_the_description_names(described: Site) -> None:
    (entry,) = look_up(described, described.phase("begin"))
    assert entry["password"] == "Another-Horse-43"


@pytest.mark.parametrize(
    "text",
    [
        "domain: example.com\nsenders:\n- {username: alice, password: Correct-Horse-42}\n",
        "domain: example.com\nsenders:\n- {username: server, password: Another-Horse-43}\n"
        "- {username: alice, password: Correct-Horse-42}\n",
        "domain: example.org\nsenders:\n- {username: alice}\n- {username: server, password: Another-Horse-43}\n",
        "domain: example.com\nsenders:\n- {username: alice}\n- {username: server}\n",
        "domain: example.com\nsenders: 7\n",
        "domain: example.com\nsenders: {1: {username: server}}\n",
        "domain: example.com\nsenders: [alice, server]\n",
        "- not a description\n",
        "domain: '{{ name }}'\n",
        "domain: [\n",
        "",
    ],
)
def test_a_description_that_changes_before_a_host_reads_it_gives_nobody_elses_password(
    described: Site, text: str
) -> None:
    begun = described.phase("begin")
    (described.domains / "example.com.yml").write_text(text)
    with pytest.raises(
        AnsibleLookupError, match=r"example\.com\.yml was changed while this run was under way"
    ) as caught:
        look_up(described, begun)
    assert "Horse" not in str(caught.value)


def test_a_description_that_goes_before_a_host_reads_it_is_said(described: Site) -> None:
    begun = described.phase("begin")
    (described.domains / "example.com.yml").unlink()
    with pytest.raises(AnsibleLookupError, match="was changed while this run was under way"):
        look_up(described, begun)


def test_in_a_check_a_password_that_there_is_not_yet_is_foretold(site: Site) -> None:
    begun = site.phase("begin", check=True, vault=None)
    (entry,) = look_up(site, begun, ansible_check_mode=True)
    assert (entry["login"], entry["password"]) == ("server@example.com", "made-by-the-real-run")
