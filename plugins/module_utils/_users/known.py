# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that the account does not have: mostly a slip, which must not look like a thing that is done."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable, Sequence

from .._api.client import ApiError, Client
from .._api.session import NOT_SHOWN, account_domains, has_domain
from .._names import InputError, normalise_domain, unicode_domain
from .current import Current
from .user import Key

#: So many names a sentence may have.
MOST_NAMES = 10


def check_domains(client: Client, current: Current, domains: Iterable[str]) -> None:
    """Raise InputError that names each of these domains that the account does not have, with the nearest that it has.

    Costs nothing where each has users, otherwise one request, and one more for each domain that the account does not
    list, as it may be one of a sub-admin's. Where the server does not list them nobody knows, and nothing is said.
    """
    shown = {key.domain for key in current.users}
    empty = sorted(set(domains) - shown)
    if not empty:
        return
    try:
        own = sorted({comparable(name) for name in account_domains(client)} | shown)
    except ApiError as error:
        if error.kind not in NOT_SHOWN:
            raise
        return
    unknown: list[str] = []
    for domain in empty:
        if len(unknown) < MOST_NAMES and domain not in own and not _answers(client, domain):
            unknown.append(domain)
    if unknown:
        near = [unicode_domain(domain) for domain in own]
        names = ", ".join(f"{name}{nearest(name, near)}" for name in map(unicode_domain, unknown))
        raise InputError(
            f"no such domain in this account: {names}. Nothing was changed at the API. Correct the name, use the "
            "account that has it, or add it with smarthost.spamexperts.domain first."
        )


def _answers(client: Client, domain: str) -> bool:
    try:
        return has_domain(client, domain)
    except ApiError as error:
        if error.kind not in NOT_SHOWN:
            raise
        return False  # the list decides


def comparable(name: str) -> str:
    """A domain that the server lists, in its ASCII form."""
    try:
        return normalise_domain(name)
    except InputError:
        return name.lower()  # the server may have a domain that we would not accept


def nearest(name: str, others: Iterable[str]) -> str:
    """The one of the others that may have been meant, as the end of a sentence; "" without any."""
    near = difflib.get_close_matches(name, list(others), n=1, cutoff=0.7)
    return f" (did you mean {near[0]}?)" if near else ""


def missing_users(current: Current, keys: Sequence[Key]) -> str:
    """One sentence about users that were to be removed and are not there; "" without any."""
    if not keys:
        return ""
    named = []
    for key in keys[:MOST_NAMES]:
        others = [other.username for other in current.users if other.domain == key.domain and other.username]
        named.append(f"{key}{nearest(key.username, others)}")
    more = f" and {len(keys) - MOST_NAMES} more" if len(keys) > MOST_NAMES else ""
    return f"Nobody was there to be removed for {', '.join(named)}{more}; see whether the name is right."


def unmatched(patterns: Sequence[str], usernames: Sequence[str]) -> str:
    """One sentence about patterns that no username fits; "" without any."""
    named = [
        f"{pattern!r}{nearest(pattern.lower(), usernames)}"
        for pattern in patterns
        if not fnmatch.filter(usernames, pattern.lower())
    ]
    return f"No outgoing user has the username {' or '.join(named[:MOST_NAMES])}." if named else ""
