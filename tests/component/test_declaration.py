# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action declaration in this process, with a real loader, task and templating."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.action import Controller

FILE = "domain: {name}\nsenders:\n  - username: server\n    relay: {relay}\n"


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    made = Controller(tmp_path)
    made.variables["groups"] = {"all": ["mail1", "mail2"], "mail_relays": ["mail1", "mail2"], "ungrouped": []}
    (tmp_path / "domains").mkdir()
    return made


def describe(tmp_path: Path, name: str, relay: str = "true") -> None:
    (tmp_path / "domains" / f"{name}.yml").write_text(FILE.format(name=name, relay=relay))


def declare(controller: Controller, tmp_path: Path, **options: Any) -> dict[str, Any]:
    return controller.run_action("declaration", {"path": str(tmp_path / "domains"), **options})


def test_files_and_variables_are_one_set(controller: Controller, tmp_path: Path) -> None:
    describe(tmp_path, "example.com", "[mail1]")
    listed = [
        {"domain": "example.net", "senders": [{"username": "web", "relay": True, "default_for": ["mail_relays"]}]}
    ]
    result = declare(controller, tmp_path, domains=listed, defaults={"account": "customer"}, accounts=["customer"])
    assert not result.get("failed")
    assert [(one["domain"], one["place"], one["account"]) for one in result["domains"]] == [
        ("example.com", f"{tmp_path}/domains/example.com.yml", "customer"),
        ("example.net", "spamexperts_domains[0]", "customer"),
    ]
    for server in result["mail_servers"].values():
        for entry in (server, *server["logins"]):
            assert entry.pop("secret") == {"credential": entry["login"]}
    assert result["mail_servers"] == {
        "mail1": {
            "authentication": "login",
            "login": "web@example.net",
            "logins": [{"login": "server@example.com", "senders": ["@example.com"]}],
        },
        "mail2": {"authentication": "login", "login": "web@example.net", "logins": []},
    }


def test_whose_password_stands_in_a_description_is_named_with_the_place(controller: Controller, tmp_path: Path) -> None:
    (tmp_path / "domains" / "example.com.yml").write_text(
        "domain: example.com\nsenders:\n  - username: alice\n  - username: bob\n    password: Correct-Horse-42\n"
        "  - username: carol\n    state: absent\n    password: Correct-Horse-43\n"
        "  - username: 192.0.2.7\n    authentication_method: ip\n    acknowledge_ip_risk: true\n"
    )
    scanner = {"username": "scanner", "password_file": "~/scanner"}
    result = declare(controller, tmp_path, domains=[{"domain": "example.net", "senders": [scanner]}])
    assert result["described_passwords"] == {
        "bob@example.com": f"{tmp_path}/domains/example.com.yml, line 4: senders[1]",
        "scanner@example.net": "spamexperts_domains[0]: senders[0]",
    }


def test_what_is_wrong_is_said_at_once(controller: Controller, tmp_path: Path) -> None:
    describe(tmp_path, "a.example", "[mail3]")
    describe(tmp_path, "b.example", "yes")
    (tmp_path / "domains" / "c.example.yml").write_text("domain: '{{ name }}'\n")
    result = declare(controller, tmp_path, domains=[{"domain": "d.example"}])
    folder = tmp_path / "domains"
    assert result["failed"]
    assert [problem.partition(" it ")[0] for problem in result["problems"]] == [
        f"{folder}/c.example.yml, line 1: a description is data, so nothing replaces a template; put this domain into "
        "the variable spamexperts_domains instead, or take the password from the store.",
        f"{folder}/a.example.yml, line 4: senders[0].relay[0] names mail3, which is no host and no group of the "
        "inventory; perhaps mail2 is meant.",
        "spamexperts_domains[0]: senders is missing.",
    ]
    assert result["msg"] == f"{result['problems'][0]} 2 more below."


def test_two_servers_for_nobody_knows_what(controller: Controller, tmp_path: Path) -> None:
    describe(tmp_path, "a.example")
    describe(tmp_path, "b.example")
    result = declare(controller, tmp_path, mail_servers=["mail2"])
    (problem,) = result["problems"]
    assert problem.startswith("mail2 sends for 2 domains, and nothing says as what it sends its other mail")
    assert result["msg"] == problem


def test_the_variable_may_be_of_no_use(controller: Controller, tmp_path: Path) -> None:
    assert declare(controller, tmp_path, domains="example.com")["msg"] == (
        "spamexperts_domains has to be a list of descriptions, one for each domain."
    )
    assert declare(controller, tmp_path)["msg"].startswith(
        f"{tmp_path}/domains has no file that ends in .yml; describe"
    )
    assert "domains" in declare(controller, tmp_path, domains=[{"domain": "a.example", "senders": []}])


def test_a_file_named_after_another_domain_is_a_warning(controller: Controller, tmp_path: Path) -> None:
    (tmp_path / "domains" / "other.yml").write_text(FILE.format(name="example.com", relay="true"))
    assert declare(controller, tmp_path)["warnings"] == [
        f"{tmp_path}/domains/other.yml describes example.com; name it example.com.yml, so that people find it."
    ]
