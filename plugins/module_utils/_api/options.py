# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specs that belong to the documentation fragments, and what is made of their values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional
from urllib.parse import SplitResult, urlsplit

from .._environment import from_environment
from .._names import InputError
from .connection import Connection, environment_bundle

#: The version in galaxy.yml, which a running module cannot read; a test compares the two.
COLLECTION_VERSION = "1.0.0"


#: Fragment `_api`.
API_OPTIONS: dict[str, Any] = {
    "api_url": {"type": "str", "default": "https://api.antispamcloud.com", **from_environment("API_URL")},
    "api_username": {"type": "str", "required": True, **from_environment("API_USERNAME")},
    "api_password": {"type": "str", "required": True, "no_log": True, **from_environment("API_PASSWORD")},
    "validate_certs": {"type": "bool", "default": True, **from_environment("VALIDATE_CERTS")},
    "ca_path": {"type": "path", **from_environment("CA_PATH")},
    "client_cert": {"type": "path", **from_environment("CLIENT_CERT")},
    "client_key": {"type": "path", "no_log": False, **from_environment("CLIENT_KEY")},  # the name of a file
    "proxy": {"type": "str", "no_log": True, **from_environment("PROXY")},  # may hold a password
    "timeout": {"type": "int", "default": 30, **from_environment("TIMEOUT")},
    "retries": {"type": "int", "default": 3, **from_environment("RETRIES")},
    "retry_time": {"type": "int", "default": 60, **from_environment("RETRY_TIME")},
    "http_agent": {"type": "str", **from_environment("HTTP_AGENT")},
    "http_method": {
        "type": "str",
        "choices": ["GET", "POST"],
        "default": "GET",
        **from_environment("HTTP_METHOD"),
    },
    "api_methods": {"type": "dict"},
    "use_discovered_methods": {"type": "bool", "default": False},
}

CONCURRENCY: dict[str, Any] = {"type": "int", "default": 4}


def checked_concurrency(params: Mapping[str, Any]) -> int:
    """The option of CONCURRENCY. Raises InputError for a number that cannot be."""
    concurrency = int(params["concurrency"])
    if not 1 <= concurrency <= 16:
        raise InputError(f"concurrency is {concurrency}; it must be from 1 to 16")
    return concurrency


def _check_files(params: Mapping[str, Any]) -> None:
    """Raise InputError for a file that is not there; `requests` would take it for a fault of the network."""
    if params["client_key"] and not params["client_cert"]:
        raise InputError("client_key needs client_cert, the file with the certificate that belongs to the key")
    for name in ("client_cert", "client_key"):
        if params[name] and not Path(params[name]).is_file():
            raise InputError(f"{name} names {params[name]}, which is not a file; correct the path")
    variable, bundle = environment_bundle()
    if params["ca_path"] and not Path(params["ca_path"]).exists():
        raise InputError(f"ca_path names {params['ca_path']}, which does not exist; correct the path")
    if bundle and params["validate_certs"] and not params["ca_path"] and not Path(bundle).exists():
        raise InputError(f"{variable} names {bundle}, which does not exist; correct that variable, or set ca_path")


def connection_from(params: Mapping[str, Any]) -> Connection:
    """The connection that the options of API_OPTIONS describe. Raises InputError with one sentence."""
    address = _checked_url("api_url", params["api_url"], ("https",))
    if address.path not in ("", "/") or address.query or address.fragment:
        raise InputError("api_url must be https:// and a host, without a path; the collection adds /api/ itself")
    if ":" in params["api_username"]:
        raise InputError("api_username has a colon, which HTTP Basic authentication cannot carry; correct it")
    for name in ("api_username", "api_password"):
        if not params[name]:
            raise InputError(f"{name} is empty; give the name and the password of an admin who may use the API")
    _check_files(params)
    if params["proxy"]:
        _checked_url("proxy", params["proxy"], ("http", "https"), with_login=True)
    for name, least in (("timeout", 1), ("retries", 0), ("retry_time", 0)):
        if params[name] < least:
            raise InputError(f"{name} is {params[name]}; it must be {least} or more")
    agent = params["http_agent"] or f"smarthost.spamexperts/{COLLECTION_VERSION}"
    if not (agent.isascii() and agent.isprintable()):
        raise InputError("http_agent may have printable ASCII characters only; correct it")
    return Connection(
        url=f"https://{address.netloc}",
        username=params["api_username"],
        password=params["api_password"],
        validate_certs=params["validate_certs"],
        ca_path=params["ca_path"],
        client_cert=params["client_cert"],
        client_key=params["client_key"],
        proxy=params["proxy"],
        timeout=params["timeout"],
        retries=params["retries"],
        retry_time=params["retry_time"],
        http_agent=agent,
        http_method=params["http_method"],
    )


def _checked_url(name: str, text: str, schemes: tuple[str, ...], *, with_login: bool = False) -> SplitResult:
    """Never repeats the value, which may hold a password."""
    wanted = f"{name} must be {' or '.join(f'{scheme}://' for scheme in schemes)} and a host, with a port where needed"
    address: Optional[SplitResult] = None
    try:
        address = urlsplit(text)
        port_fits = address.port != 0
    except ValueError:
        port_fits = False
    if address is None or not port_fits or address.scheme not in schemes or not address.hostname:
        raise InputError(f"{wanted}; correct it")
    if not with_login and (address.username is not None or address.password is not None):
        raise InputError(f"{name} holds a user name or a password; give them as api_username and api_password")
    if not (text.isprintable() and " " not in text and "\\" not in text):
        raise InputError(f"{wanted}; it has a blank or a character that no address has")
    return address
