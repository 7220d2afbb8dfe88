# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's connection to the API, opened once and closed at its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Callable, Optional

from ansible.module_utils.basic import AnsibleModule

from .client import ApiError, Client, ErrorKind, require_requests
from .options import connection_from

#: The page on which the server describes its own calls.
HELP_PATH = "/api/help/"
_NO_HELP = (ErrorKind.NO_PERMISSION, ErrorKind.UNSUPPORTED, ErrorKind.NOT_FOUND, ErrorKind.BAD_REPLY, ErrorKind.OTHER)


@contextmanager
def api_session(module: AnsibleModule) -> Iterator[Client]:
    """The client for this module's connection options; ends the module where `requests` is missing."""
    require_requests(module)
    client = Client(connection_from(module.params), module.warn)
    try:
        yield client
    finally:
        client.close()


def help_page(client: Client) -> Callable[[], Optional[str]]:
    """How the method table gets the server's help page: None where this server, or this role, has none."""

    def read() -> Optional[str]:
        try:
            return client.page(HELP_PATH)
        except ApiError as error:
            if error.kind not in _NO_HELP:
                raise
            return None

    return read


def account_domains(client: Client) -> list[str]:
    """All domains of the account, as the server lists them. Raises ApiError."""
    result = client.call("domainslist/get", write=False).result
    entries = list(result.values()) if isinstance(result, dict) else [] if result is None else result
    if isinstance(entries, list):
        names = [entry.get("domain") if isinstance(entry, dict) else entry for entry in entries]
        if all(isinstance(name, str) and name for name in names):
            return [str(name) for name in names]
    raise ApiError(
        ErrorKind.BAD_REPLY,
        "domainslist/get did not answer with a list of domains; name them in the task, or check api_url.",
    )
