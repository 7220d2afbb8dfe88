# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulator's HTTPS side: authentication, paths, formats, help page, log and counters."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.support.emulator import Emulator

DOCUMENTED = {
    *("version/get", "auth/getrole", "domainslist/get", "productslist/get", "reseller/getoutgoingusercount"),
    *(f"domain/{action}" for action in ("add", "exists", "remove", "edit", "getroute", "getowner")),
    *("domain/getproducts", "domain/setproducts"),
    *(f"domainuser/{action}" for action in ("add", "remove", "setpassword", "status")),
    *("domaincontact/get", "domaincontact/set", "domainadmincontact/get", "domainadmincontact/set"),
    *("outgoingusers/add", "outgoingusers/addip", "outgoingusers/remove"),
}
EXTENSIONS = {
    f"outgoingusers/{action}" for action in ("list", "setpassword", "setlimits", "setsettings", "lock", "unlock")
}


@dataclass
class HttpReply:
    """A reply to a path that no library has touched."""

    status_code: int
    content_type: str
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


def get(emulator: Emulator, path: str, *, method: str = "GET", password: str | None = None) -> HttpReply:
    """A request with the path exactly as given below /api/; an empty password sends no login."""
    login = f"{emulator.api_username}:{emulator.api_password if password is None else password}"
    headers = {} if password == "" else {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()}
    context = ssl.create_default_context(cafile=emulator.ca_file)
    connection = http.client.HTTPSConnection(urlsplit(emulator.api_url).netloc, context=context, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, f"/api/{path}", headers=headers)
        reply = connection.getresponse()
        return HttpReply(reply.status, reply.headers["Content-Type"], reply.read().decode())


def errors(emulator: Emulator, path: str) -> list[str]:
    reply = get(emulator, path).json()
    assert reply["result"] is None
    return list(reply["messages"].get("error", [])) if reply["messages"] else []


def test_plain_text_is_the_default_format(emulator: Emulator) -> None:
    emulator.seed(domains=["example.test"])
    reply = get(emulator, "domain/exists/domain/example.test")
    assert (reply.status_code, reply.text) == (200, '{"present":1}\n')
    assert reply.content_type.startswith("text/html")
    assert re.fullmatch(r"\d+\.\d+\n", get(emulator, "version/get/").text)
    assert get(emulator, "domain/remove/domain/example.test").text == "SUCCESS: Domain 'example.test' removed\n"
    assert get(emulator, "domain/remove/domain/example.test").text == "ERROR: No such domain.\n"


@pytest.mark.parametrize(
    "path",
    ["domain/exists/format/json/domain/example.test", "domain/exists/domain/example.test/format/json/"],
)
def test_json_may_be_asked_for_anywhere_in_the_path(emulator: Emulator, path: str) -> None:
    emulator.seed(domains=["example.test"])
    reply = get(emulator, path)
    assert reply.content_type.startswith("application/json")
    assert reply.text == '{"messages":[],"result":{"present":1}}'


def test_json_messages_are_an_object_when_there_are_some(emulator: Emulator) -> None:
    emulator.seed(domains=["example.test"])
    reply = emulator.call("domain/add", domain="example.test")
    assert reply["messages"] == {"error": ["Domain already exists.", "Failed to add domain 'example.test'"]}
    assert reply["result"] is None
    assert set(emulator.call("domain/remove", domain="example.test")["messages"]) == {"success"}


def test_wrong_credentials_are_an_error_with_status_200(emulator: Emulator) -> None:
    reply = get(emulator, "version/get/format/json/", password="wrong")
    assert reply.status_code == 200
    assert reply.json() == {"messages": {"error": ["Supplied credential is invalid."]}, "result": None}
    assert get(emulator, "help/", password="wrong").text == "ERROR: Supplied credential is invalid.\n"
    assert get(emulator, "version/get", password="").text == "ERROR: Supplied credential is invalid.\n"


def test_wrong_credentials_change_nothing(emulator: Emulator) -> None:
    get(emulator, "domain/add/domain/example.test", password="wrong")
    assert emulator.state()["domains"] == []


def test_post_with_path_parameters_is_accepted(emulator: Emulator) -> None:
    assert get(emulator, "domain/add/domain/example.test", method="POST").text.endswith("'example.test' added\n")
    assert get(emulator, "domain/remove/domain/example.test", method="PUT").status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "domain/exists//domain/example.test/format/json",
        "domain/exists/domain//format/json",
        "outgoingusers/remove/format/json/domain/example.test/username/",
        "outgoingusers/remove/format/json/domain/example.test/username//",
        "domain/exists/format/json/domain",
        "domain/exists/format/json",
        "domain/exists/format/json/domain/example.test/domain/example.test",
        "domain/exists/format/json/domain/example.test/unknown/1",
        "domain/exists/format/json/domain/ex%ZZample.test",
        "domain/exists/format/json/domain/%FF.test",
        "domain/setproducts/format/json/domain/example.test/Outgoing/1",
    ],
)
def test_incorrect_usage_is_refused(emulator: Emulator, path: str) -> None:
    emulator.seed(users=[{"domain": "example.test", "password": "domain-password"}])
    assert errors(emulator, path) == ["Incorrect usage of API"]
    assert len(emulator.users()) == 1


@pytest.mark.parametrize(
    "password",
    ["p/q", "p//q", "../x", "a%2Fb", "\n", "a b", "a+b", "ä€😀", "?#&=;", "'\"\\", "%", "password"],
)
def test_values_are_decoded_exactly_once(emulator: Emulator, password: str) -> None:
    emulator.seed(domains=["example.test"])
    emulator.call("outgoingusers/add", domain="example.test", username="jo", password=password)
    emulator.reset_counters()
    emulator.set_password("example.test", "jo", password)
    emulator.call("outgoingusers/setpassword", domain="example.test", username="jo", password=password)
    assert emulator.counters()["effective_writes"] == 0


def test_a_bare_plus_is_a_space(emulator: Emulator) -> None:
    emulator.seed(domains=["example.test"])
    get(emulator, "outgoingusers/add/domain/example.test/username/jo/password/a+b")
    emulator.call("outgoingusers/setpassword", domain="example.test", username="jo", password="a b")
    assert emulator.counters()["effective_writes"] == 1


def test_help_page_shows_an_example_link_for_every_offered_call(
    emulator: Emulator, documented_emulator: Emulator
) -> None:
    def linked(running: Emulator) -> set[str]:
        return set(re.findall(r'href="/api/([a-z]+/[a-z]+)/', get(running, "help/").text))

    assert linked(documented_emulator) == DOCUMENTED
    assert linked(emulator) == DOCUMENTED | EXTENSIONS
    assert "/api/outgoingusers/add/domain/example.com/password/secret/username/john/" in get(emulator, "help").text


def test_documented_server_does_not_know_the_extensions(documented_emulator: Emulator) -> None:
    documented_emulator.seed(users=[{"domain": "example.test", "username": "jo", "password": "a"}])
    for name in EXTENSIONS:
        reply = documented_emulator.call(name, domain="example.test", username="jo")
        assert reply["messages"] == {"error": ["You have no permission to call this method"]}
    counters = documented_emulator.counters()
    assert (counters["reads"], counters["writes"], counters["requests"]["outgoingusers/list"]) == (0, 0, 1)


def test_odd_dialect_renames_the_extensions_only(emulator_factory: Callable[..., Emulator]) -> None:
    odd = emulator_factory(dialect="odd")
    odd.call("domain/add", domain="example.test")
    odd.call("domain/setproducts", domain="example.test", outgoing="1")
    odd.call("outgoingusers/add", domain="example.test", username="jo", password="first")
    assert "error" in odd.call("outgoingusers/list")["messages"]
    address = {"zone": "example.test", "name": "jo"}
    assert odd.call("senders/quota", **address, on="0", min="5", rcpt="default")["messages"] == {
        "success": ["Outgoing user has been saved"]
    }
    assert "error" in odd.call("senders/quota", **address, min="inherit")["messages"]
    odd.call("senders/options", **address, auto="1", minutes="90", unlocks="4", template="x")
    odd.call("senders/freeze", **address)
    assert "success" in odd.call("senders/passwd", **address, secret="second")["messages"]
    [user] = odd.call("senders/enumerate", zone="example.test")["result"]
    assert user == {
        **address,
        "kind": "user",
        "frozen": 1,
        "on": 0,
        "min": 5,
        **dict.fromkeys(("hour", "day", "week", "month", "rcpt"), "default"),
        "auto": 1,
        "minutes": 90,
        "unlocks": 4,
        "template": "x",
    }
    odd.call("senders/thaw", **address)
    assert odd.users()[0]["locked"] == 0
    assert 'href="/api/senders/passwd/zone/' in get(odd, "help/").text
    assert odd.requests()[-3]["path"] == "/api/senders/enumerate/zone/example.test"
    assert not [entry for entry in odd.requests() if "second" in entry["path"] or "first" in entry["path"]]


def test_counters_tell_reads_writes_and_effective_writes(emulator: Emulator) -> None:
    emulator.seed(domains=["example.test"])
    assert emulator.counters()["writes"] == 0
    emulator.call("domainslist/get")
    for _number in range(2):
        emulator.call("outgoingusers/add", domain="example.test", username="jo", password="a")
        emulator.call("outgoingusers/lock", domain="example.test", username="jo")
    emulator.call("domain/setproducts", domain="example.test", outgoing="1")
    counters = emulator.counters()
    assert (counters["reads"], counters["writes"], counters["effective_writes"]) == (1, 5, 2)
    assert counters["requests"] == {
        "domainslist/get": 1,
        "outgoingusers/add": 2,
        "outgoingusers/lock": 2,
        "domain/setproducts": 1,
    }
    emulator.reset_counters()
    assert emulator.counters()["requests"] == {}


@pytest.mark.parametrize(
    "path",
    [
        "outgoingusers/add/domain/example.test/username/jo/password/{}",
        "outgoingusers/add/password/{}/domain/example.test/username/password",
        "outgoingusers/add/username/password/password/{}/domain/example.test",
        "outgoingusers/add/domain/example.test/username/jo/password/{}/",
        "outgoingusers/add/domain/example.test/username/jo/password//{}",
        "outgoingusers/add/domain/example.test/username/jo/password/a/{}",
        "outgoingusers/add/domain/example.test/username/jo/password/a/{}/b",
        "outgoingusers/unknown/domain/example.test/{}/x",
        "domainuser/add/domain/example.test/password/{}/email/a%40example.test",
    ],
)
def test_the_request_log_holds_no_password(emulator: Emulator, path: str) -> None:
    emulator.seed(domains=["example.test"])
    secret = "s3cret-Passw0rd"
    get(emulator, path.format(secret))
    [entry] = emulator.requests()
    assert secret not in str(entry)
    assert entry["path"].startswith("/api/" + "/".join(path.split("/")[:2]))
    assert (entry["method"], entry["status"]) == ("GET", 200)


def test_the_state_shows_no_password_in_any_form(emulator: Emulator) -> None:
    emulator.seed(users=[{"domain": "example.test", "username": "jo", "password": "s3cret-Passw0rd"}])
    emulator.call("domainuser/add", domain="example.test", password="s3cret-Passw0rd", email="a@example.test")
    for part in ("state", "requests", "auths"):
        text = str(emulator.control(part))
        assert "s3cret-Passw0rd" not in text
        assert "hash" not in text


def test_a_long_path_arrives(emulator: Emulator) -> None:
    emulator.seed(domains=["example.test"])
    path = f"outgoingusers/add/domain/example.test/username/jo/password/{quote('ä' * 3000)}"
    assert get(emulator, path).text.startswith("SUCCESS")
