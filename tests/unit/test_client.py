# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the client does without a server: values in addresses, waits, what it shows of itself."""

from __future__ import annotations

import email.utils
import importlib.util
import sys
import time
from urllib.parse import unquote

import pytest
import requests
from ansible_collections.smarthost.spamexperts.plugins.module_utils._api import client as client_module
from ansible_collections.smarthost.spamexperts.plugins.module_utils._api.client import ApiError, Client, ErrorKind
from ansible_collections.smarthost.spamexperts.plugins.module_utils._api.connection import Connection
from hypothesis import given
from hypothesis import strategies as st

CONNECTION = Connection("https://localhost:1", "admin@example.test", "correct-horse-battery")


def test_the_connection_hides_its_passwords() -> None:
    connection = Connection("https://localhost", "admin", "correct-horse", proxy="http://me:battery@proxy.test:3128")
    assert "correct-horse" not in repr(connection)
    assert "battery" not in repr(connection)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("a/b@c d", "a%2Fb%40c%20d"),
        ("a+b", "a%2Bb"),
        ('["mail.example.com::25"]', "%5B%22mail.example.com%3A%3A25%22%5D"),
        ("%2F?#&=;", "%252F%3F%23%26%3D%3B"),
        ("ä€😀", "%C3%A4%E2%82%AC%F0%9F%98%80"),
        ("\udcff", "%FF"),  # a byte that was no UTF-8 on its way in
        ("\\'\"", "%5C%27%22"),
        ("...", "..."),
        (".", None),
        ("..", None),
        ("\ud800", None),
    ],
)
def test_values_in_addresses(value: str, encoded: str | None) -> None:
    assert client_module._encode(value) == encoded


@given(st.text(min_size=1))
def test_any_value_is_one_part_of_the_address_after_requests_has_touched_it(value: str) -> None:
    encoded = client_module._encode(value)
    if encoded is None:
        return
    prepared = requests.Request("GET", f"https://localhost/api/x/y/name/{encoded}/end/").prepare()
    parts = str(prepared.path_url).split("/")
    assert (len(parts), unquote(parts[5])) == (8, value)


def test_an_empty_value_is_a_mistake_of_the_caller() -> None:
    client = Client(CONNECTION, pytest.fail)
    with pytest.raises(ValueError, match="the parameter username of outgoingusers/add is empty"):
        client.call("outgoingusers/add", [("username", "")], write=True)
    client.close()


def test_a_value_that_no_address_holds() -> None:
    client = Client(CONNECTION, pytest.fail)
    with pytest.raises(ApiError, match=r"^No address can hold the value of username for outgoingusers/add;") as caught:
        client.call("outgoingusers/add", [("username", "..")], write=True)
    assert caught.value.kind is ErrorKind.OTHER
    client.close()


@pytest.mark.parametrize(("text", "seconds"), [("7", 7.0), (" 0 ", 0.0), ("", None), ("soon", None), ("-1", None)])
def test_retry_after(text: str, seconds: float | None) -> None:
    assert client_module._retry_after(text) == seconds


def test_retry_after_a_date() -> None:
    assert client_module._retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    later = client_module._retry_after(email.utils.formatdate(time.time() + 100, usegmt=True))
    assert later is not None
    assert 97 < later <= 100


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Panel.example/api/x?y#z", "https://panel.example:443"),
        ("https://panel.example:8443", "https://panel.example:8443"),
        ("http://panel.example/", "http://panel.example:80"),
        ("https://[::1]/x", "https://[::1]:443"),
        ("https://panel.example:x/", "an address that cannot be read"),
        ("https://[::1/", "an address that cannot be read"),
        ("https://me:secret@panel.example/", "https://panel.example:443"),
    ],
)
def test_origins(url: str, origin: str) -> None:
    assert client_module._origin(url) == origin


def test_the_first_cause_is_found_once() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert client_module._root(first) is first
    second.__context__ = ConnectionResetError(104, "reset")
    assert isinstance(client_module._root(first), ConnectionResetError)


class FakeModule:
    """Takes what require_requests() says."""

    failure: dict[str, str] | None = None

    def fail_json(self, **result: str) -> None:
        self.failure = result


def test_requests_is_there() -> None:
    module = FakeModule()
    client_module.require_requests(module)
    assert module.failure is None


def test_without_requests_the_import_works_and_the_module_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mail hosts import this file too, by way of the shared options, and have no requests."""
    monkeypatch.setitem(sys.modules, "requests", None)
    name = f"{client_module.__package__}.client_without_requests"
    specification = importlib.util.spec_from_file_location(name, client_module.__file__)
    assert specification is not None
    assert specification.loader is not None
    without = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, name, without)
    specification.loader.exec_module(without)
    module = FakeModule()
    without.require_requests(module)
    assert module.failure is not None
    assert "requests" in module.failure["msg"]
    assert "ModuleNotFoundError" in module.failure["exception"]
