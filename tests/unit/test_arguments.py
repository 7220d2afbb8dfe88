# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the fragments: what they become, and what is refused."""

from __future__ import annotations

import ast
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.smarthost.spamexperts.plugins.module_utils._api import options
from ansible_collections.smarthost.spamexperts.plugins.module_utils._names import InputError
from ansible_collections.smarthost.spamexperts.plugins.module_utils._smarthost.connection import Smarthost
from ansible_collections.smarthost.spamexperts.plugins.module_utils._smarthost.options import DEFAULT_SMARTHOST
from ansible_collections.smarthost.spamexperts.plugins.module_utils._smarthost.server import (
    SMARTHOST_OPTIONS,
    smarthost_from,
)

from tests import ROOT

LOGIN = {"api_username": "admin@example.test", "api_password": "correct-horse-battery"}


def validated(spec: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    result = ArgumentSpecValidator(spec).validate(given)
    assert not result.error_messages
    return dict(result.validated_parameters)


def api_params(**given: Any) -> dict[str, Any]:
    return validated(options.API_OPTIONS, {**LOGIN, **given})


def test_the_version_is_that_of_the_collection() -> None:
    metadata = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    assert metadata["version"] == options.COLLECTION_VERSION


def test_defaults() -> None:
    connection = options.connection_from(api_params())
    assert (connection.url, connection.username) == ("https://api.antispamcloud.com", "admin@example.test")
    assert connection.http_agent == f"smarthost.spamexperts/{options.COLLECTION_VERSION}"
    assert (connection.timeout, connection.retries, connection.retry_time) == (30, 3, 60)
    assert (connection.validate_certs, connection.ca_path, connection.http_method) == (True, None, "GET")
    smarthost = smarthost_from(validated(SMARTHOST_OPTIONS, {}))
    assert smarthost == Smarthost("4489.smtp.antispamcloud.com", 587, None)


def test_the_smarthost_of_the_vendor_is_named_once() -> None:
    """In the documentation too, which validate-modules compares with the argument specs."""
    named = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "plugins").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value == DEFAULT_SMARTHOST
    ]
    assert named == ["plugins/module_utils/_smarthost/options.py"]


def test_the_environment_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "API_URL": "https://panel.example",
        "API_USERNAME": "from-environment",
        "API_PASSWORD": "password-from-environment",
        "VALIDATE_CERTS": "false",
        "TIMEOUT": "7",
        "HTTP_METHOD": "POST",
        "SMARTHOST": "smtp.example.com",
        "SMARTHOST_PORT": "2587",
    }.items():
        monkeypatch.setenv(f"SPAMEXPERTS_{name}", value)
    connection = options.connection_from(validated(options.API_OPTIONS, {}))
    assert (connection.url, connection.username) == ("https://panel.example", "from-environment")
    assert (connection.password, connection.timeout) == ("password-from-environment", 7)
    assert (connection.validate_certs, connection.http_method) == (False, "POST")
    assert options.connection_from(api_params(timeout=9)).timeout == 9
    assert smarthost_from(validated(SMARTHOST_OPTIONS, {})).port == 2587


def test_every_connection_option_has_an_environment_variable() -> None:
    without = [name for name, spec in options.API_OPTIONS.items() if "fallback" not in spec]
    assert without == ["api_methods", "use_discovered_methods"]


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://panel.example/", "https://panel.example"),
        ("https://panel.example:8443", "https://panel.example:8443"),
        ("HTTPS://[::1]:8443/", "https://[::1]:8443"),
        ("https://bücher.example", "https://bücher.example"),
    ],
)
def test_addresses(url: str, wanted: str) -> None:
    assert options.connection_from(api_params(api_url=url)).url == wanted


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"api_url": "http://panel.example"}, "api_url must be https://"),
        ({"api_url": "panel.example"}, "api_url must be https://"),
        ({"api_url": ""}, "api_url must be https://"),
        ({"api_url": "https://"}, "api_url must be https://"),
        ({"api_url": "https://:443"}, "api_url must be https://"),
        ({"api_url": "https://panel.example:99999"}, "api_url must be https://"),
        ({"api_url": "https://panel.example:0"}, "api_url must be https://"),
        ({"api_url": "https://panel.example:x"}, "api_url must be https://"),
        ({"api_url": "https://[::1"}, "api_url must be https://"),
        ({"api_url": "https://panel.example/api"}, "without a path"),
        ({"api_url": "https://panel.example/?x=1"}, "without a path"),
        ({"api_url": "https://panel.example/#x"}, "without a path"),
        ({"api_url": "https://panel .example"}, "a blank or a character"),
        ({"api_url": "https://panel.example\n"}, "a blank or a character"),
        ({"api_url": "https://panel\\.example"}, "a blank or a character"),
        ({"api_url": "https://me:hunter22@panel.example"}, "give them as api_username and api_password"),
        ({"api_username": "ad:min"}, "api_username has a colon"),
        ({"api_username": ""}, "api_username is empty"),
        ({"api_password": ""}, "api_password is empty"),
        ({"client_key": "/dev/null"}, "client_key needs client_cert"),
        ({"client_cert": "/nowhere/cert.pem"}, "client_cert names /nowhere/cert.pem, which is not a file"),
        ({"client_cert": __file__, "client_key": "/nowhere/key.pem"}, "client_key names /nowhere/key.pem"),
        ({"ca_path": "/nowhere/ca.pem"}, "ca_path names /nowhere/ca.pem, which does not exist"),
        ({"proxy": "proxy.example:3128"}, "proxy must be http:// or https://"),
        ({"proxy": "socks5://proxy.example"}, "proxy must be http:// or https://"),
        ({"proxy": "http://me:hunter22@"}, "proxy must be http:// or https://"),
        ({"timeout": 0}, "timeout is 0; it must be 1 or more"),
        ({"retries": -1}, "retries is -1; it must be 0 or more"),
        ({"retry_time": -5}, "retry_time is -5; it must be 0 or more"),
        ({"http_agent": "bücher"}, "http_agent may have printable ASCII"),
        ({"http_agent": "a\r\nX-Evil: 1"}, "http_agent may have printable ASCII"),
    ],
)
def test_bad_connections(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        options.connection_from(api_params(**given))
    assert "hunter22" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_authorities_of_the_environment_that_are_not_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv(name, "/nowhere/bundle.pem")
    with pytest.raises(InputError, match=f"^{name} names /nowhere/bundle.pem, which does not exist; correct that"):
        options.connection_from(api_params())
    assert options.connection_from(api_params(ca_path=__file__)).ca_path == __file__
    assert not options.connection_from(api_params(validate_certs=False)).validate_certs


def test_a_proxy_may_have_a_password() -> None:
    proxy = "http://me:hunter22@proxy.example:3128"
    assert options.connection_from(api_params(proxy=proxy)).proxy == proxy


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"smarthost": ""}, "^smarthost: .* is neither a host name"),
        ({"smarthost": "smtp.example.com:587"}, "^smarthost: .* is neither a host name"),
        ({"smarthost": "[::1]"}, "^smarthost: .* is neither a host name"),
        ({"smarthost": "smtp.example.com/x"}, "^smarthost: .* is neither a host name"),
        ({"smarthost": "smtp.example.com\n"}, "^smarthost: .* is neither a host name"),
        ({"smarthost_port": 0}, "smarthost_port: 0 is not a port; it must be from 1 to 65535"),
        ({"smarthost_port": 65536}, "smarthost_port: 65536 is not a port"),
        ({"smarthost_ca_path": "/nowhere"}, "smarthost_ca_path names /nowhere, which is not a file"),
    ],
)
def test_bad_smarthosts(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        smarthost_from(validated(SMARTHOST_OPTIONS, given))
