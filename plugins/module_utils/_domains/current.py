# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server says of domains: which the account has, and what each is like."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, Callable, Optional

from .._api.client import ApiError, Client, ErrorKind
from .._api.session import NOT_HERE, NOT_SHOWN, account_domains, has_domain
from .._users.current import is_without_list, read_lists
from .._users.known import comparable
from .._users.methods import LIST, MethodError, Methods
from .._users.user import OutgoingUser
from .domain import GET_CONTACT, GET_PRODUCTS, GET_ROUTE, Domain, read_contact, read_destinations, read_products

#: The calls that show what a domain is like.
PARTS = frozenset((GET_PRODUCTS, GET_ROUTE, GET_CONTACT))
#: What a server says that does not have a call, or not for this admin.
NOT_OFFERED = (ErrorKind.NO_PERMISSION, ErrorKind.UNSUPPORTED)


def read_account(client: Client) -> frozenset[str]:
    """The domains that the account lists, in their ASCII form; none where the server does not list them.

    Those of a sub-admin may be missing. Raises ApiError.
    """
    try:
        return frozenset(comparable(name) for name in account_domains(client))
    except ApiError as error:
        if error.kind not in NOT_SHOWN:
            raise
        return frozenset()


def read_domain(
    client: Client, wanted: Domain, calls: Container[str] = PARTS, account: Container[str] = ()
) -> Optional[Domain]:
    """The domain as these calls show it; None where it is missing or somebody else's, which the server does not tell.

    account: domains that the account has listed, of which no other question is asked. The list may lag, so that one
    whose parts are not there is asked for by name. Raises ApiError.
    """
    listed = wanted.name in account
    if not listed and not has_domain(client, wanted.name):
        return None
    try:
        return read_parts(client, wanted, calls, Domain(wanted.name))
    except ApiError as error:
        if listed and error.kind in NOT_HERE and not has_domain(client, wanted.name):
            return None
        raise


def read_parts(client: Client, wanted: Domain, calls: Container[str], known: Domain) -> Domain:
    """The domain as these calls show it; what none of them shows is as it is known.

    A part that this server does not show is left out, unless it is given in `wanted`. Raises ApiError.
    """

    def read(call: str, parse: Callable[[object], Any], otherwise: Any, unknown: Any) -> Any:
        if call not in calls:
            return otherwise
        try:
            return parse(client.call(call, [("domain", wanted.name)], write=False).result)
        except ApiError as error:
            if error.kind not in NOT_OFFERED or wanted.needs(call):
                raise
            return unknown

    return Domain(
        wanted.name,
        read(GET_PRODUCTS, read_products, known.products, {}),
        read(GET_ROUTE, read_destinations, known.destinations, None),
        read(GET_CONTACT, read_contact, known.abuse_contact, None),
    )


def read_users(
    client: Client, methods: Methods, names: Sequence[str], concurrency: int
) -> dict[str, list[OutgoingUser]]:
    """The outgoing users of each domain, its domain user last; nothing where the server does not list them.

    Raises ApiError, MethodError.
    """
    if methods.find(LIST) is None:
        return {}
    try:
        users = read_lists(client, methods, names, concurrency).users
    except (ApiError, MethodError) as problem:
        if not is_without_list(methods, problem):
            raise
        return {}
    listed: dict[str, list[OutgoingUser]] = {name: [] for name in names}
    for key in sorted(users, key=lambda key: (not key.username, key.username)):
        listed[key.domain].append(users[key])
    return listed
