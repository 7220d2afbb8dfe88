# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's connection to the API, opened once and closed at its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Callable, Optional

from ansible.module_utils.basic import AnsibleModule

from .client import ApiError, Client, ErrorKind, require_requests
from .options import connection_from
from .reply import flag

#: The page on which the server describes its own calls.
HELP_PATH = "/api/help/"
#: What a server, or this role, that does not show something says.
NOT_SHOWN = (ErrorKind.NO_PERMISSION, ErrorKind.UNSUPPORTED, ErrorKind.NOT_FOUND, ErrorKind.BAD_REPLY, ErrorKind.OTHER)

#: After these, no other call can succeed either.
HOPELESS = (
    ErrorKind.CREDENTIALS,
    ErrorKind.API_NOT_ALLOWED,
    ErrorKind.ADDRESS_NOT_ALLOWED,
    ErrorKind.ADMIN_INACTIVE,
    ErrorKind.UNREACHABLE,
)


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
            if error.kind not in NOT_SHOWN:
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


#: What the server says of a domain that the account does not have.
NOT_HERE = (ErrorKind.NOT_YOURS, ErrorKind.FOREIGN, ErrorKind.NOT_FOUND)


def has_domain(client: Client, name: str) -> bool:
    """Whether the account has this domain; one that is missing and one of somebody else are the same to the server.

    Raises ApiError.
    """
    try:
        return read_present(client.call("domain/exists", [("domain", name)], write=False).result)
    except ApiError as error:
        if error.kind not in NOT_HERE:
            raise
        return False


def read_present(result: object) -> bool:
    """The answer of domain/exists. Raises ApiError for one that is not understood."""
    present = flag(result.get("present") if isinstance(result, Mapping) else result)
    if present is None:
        raise ApiError(
            ErrorKind.BAD_REPLY,
            "domain/exists did not answer with 1 or 0; check that api_url is a SpamExperts control panel.",
        )
    return present
