# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A smarthost that one module takes, all take, and for the same value all have the same sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils import _names
from ansible_collections.smarthost.spamexperts.plugins.module_utils._names import InputError, host_name

from tests.support.module import run_module
from tests.support.wire import PASSWORD

LOGIN: dict[str, Any] = {"login": "a@example.com", "password": PASSWORD}
#: Every module with such an option -> what it needs besides.
MODULES: dict[str, dict[str, Any]] = {
    "postfix_relay": {"default_login": "a@example.com", "default_password": PASSWORD},
    "smtp_login_info": {"logins": [LOGIN]},
    "outgoing_users": {"users": [], "api_url": "https://127.0.0.1:9", "api_username": "a", "api_password": PASSWORD},
    "thunderbird_outgoing_server": {**LOGIN},
    "postfix_test_mail": {"recipient": "a@example.com"},
    "postfix_delivery_info": {"seconds": 1},
    "postfix_queue_info": {},
}
NOT_A_HOST = "is neither a host name nor an IP address (without brackets and port)"
REFUSED = {
    "": NOT_A_HOST,
    "[::1]": NOT_A_HOST,
    "[mail.example]": NOT_A_HOST,
    "mail.example:587": NOT_A_HOST,
    "fe80::1%eth0": NOT_A_HOST,
    "mail_host.example": NOT_A_HOST,
    "a..b": NOT_A_HOST,
    ".example": NOT_A_HOST,
    "mail.example.": NOT_A_HOST,
    "-a.example": NOT_A_HOST,
    "a b": NOT_A_HOST,
    "a\nb": NOT_A_HOST,
    "a/b": NOT_A_HOST,
    "me@mail.example": NOT_A_HOST,
    "$myhostname": NOT_A_HOST,
    "x" * 64 + ".example": NOT_A_HOST,
    "x." * 127 + "example": NOT_A_HOST,
    "192.0.2.256": NOT_A_HOST,
    "192.0.2": NOT_A_HOST,
    "straße.example": "write 'straße.example' in its xn-- form",
    "ab\u200dc.example": "in its xn-- form",
}
ACCEPTED = {
    "4489.smtp.antispamcloud.com": "4489.smtp.antispamcloud.com",
    "Mail.Example": "mail.example",
    "localhost": "localhost",
    "bücher.example": "xn--bcher-kva.example",
    "BÜCHER.example": "xn--bcher-kva.example",
    "xn--bcher-kva.example": "xn--bcher-kva.example",
    "192.0.2.1": "192.0.2.1",
    "::1": "::1",
    "2001:DB8:0::1": "2001:db8::1",
}


def told(module: str, tmp_path: Path, **options: Any) -> str:
    """What the module says to these options."""
    given = {**MODULES[module], **options}
    if module == "thunderbird_outgoing_server":
        given["profile"] = str(tmp_path)
    run = run_module(module, given, check=True)
    assert run.failed
    return run.message


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("given", REFUSED)
def test_refused(module: str, given: str, tmp_path: Path) -> None:
    message = told(module, tmp_path, smarthost=given)
    assert message.startswith("smarthost: ")
    assert REFUSED[given] in message


@pytest.mark.parametrize(("given", "name"), ACCEPTED.items())
@pytest.mark.parametrize("with_idna", [True, False])
def test_accepted(given: str, name: str, with_idna: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a mail server there is no `idna`."""
    if not with_idna:
        monkeypatch.setattr(_names, "idna", None)
    assert host_name(given) == name
    assert host_name(host_name(given)) == name


def test_it_is_the_same_function_in_every_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it says, they say: none has a check of its own before it."""

    def refuse(text: str, option: str = "smarthost") -> str:
        raise InputError(f"{option}: not {text!r}")

    base = "ansible_collections.smarthost.spamexperts.plugins."
    for place in (
        "module_utils._postfix.settings",
        "module_utils._smarthost.server",
        "module_utils._thunderbird.server",
    ):
        monkeypatch.setattr(f"{base}{place}.host_name", refuse)
    for module in WITHOUT_PORT:
        monkeypatch.setattr(f"{base}modules.{module}.host_name", refuse)
    for module in MODULES:
        assert told(module, tmp_path, smarthost="good.example").startswith("smarthost: not 'good.example'")


WITHOUT_PORT = {"postfix_test_mail", "postfix_delivery_info", "postfix_queue_info"}
WITH_PORT = [name for name in MODULES if name not in WITHOUT_PORT]


@pytest.mark.parametrize("module", WITH_PORT)
@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_wrong_port(module: str, port: int, tmp_path: Path) -> None:
    message = told(module, tmp_path, smarthost_port=port)
    assert message.startswith(f"smarthost_port: {port} is not a port; it must be from 1 to 65535")


@pytest.mark.parametrize("module", WITH_PORT)
def test_the_port_for_tls_from_the_first_byte(module: str, tmp_path: Path) -> None:
    for options in ({}, {"smarthost_tls": "implicit"}):
        message = told(module, tmp_path, smarthost_port=465, **options)
        assert "smarthost_port" not in message
        assert "smarthost_tls" not in message
    message = told(module, tmp_path, smarthost_port=465, smarthost_tls="starttls")
    assert message.startswith("smarthost_tls: port 465 is for TLS from the first byte, and not for STARTTLS")
    assert "usually 587" in message
