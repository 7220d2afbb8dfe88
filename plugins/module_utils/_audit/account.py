# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the account. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from .._declaration.identities import account_of, vanished
from .._names import unicode_domain
from .._users.user import counted
from .finding import Finding, Unseen, found
from .rule import ACCOUNT
from .seen import Account, Seen


def findings(seen: Seen) -> Iterator[Finding]:
    """Everything that is wrong with domains at the vendor."""
    for one in seen.descriptions:
        name = account_of(one)
        domains = seen.accounts.get(name, Account()).domains
        if domains is None:
            continue
        shown = domains.get(one.domain)
        if shown is None or not shown.get("exists", True):
            yield found("domain_missing", unicode_domain(one.domain), account=name)
            continue
        if (shown.get("products") or {}).get("outgoing") is False:
            yield found("product_off", unicode_domain(one.domain))
        if shown.get("abuse_contact") == "":
            yield found("no_abuse_contact", unicode_domain(one.domain))
    yield from _undescribed(seen)


def unseen(seen: Seen) -> Iterator[Unseen]:
    """What could not be looked at."""
    for name, account in seen.described_accounts():
        if account.domains is None:
            what = f"domains, products and abuse contacts of the account {name}"
            yield Unseen(ACCOUNT, what, account.no_domains or "nobody has asked")
        elif any(
            shown.get("exists", True) and shown.get("abuse_contact") is None for shown in account.domains.values()
        ):
            yield Unseen(ACCOUNT, f"abuse contacts of the account {name}", "the server does not show all of them")


def _undescribed(seen: Seen) -> Iterator[Finding]:
    described = {one.domain for one in seen.descriptions}
    for name, domains in seen.users.items():
        for domain, users in sorted(domains.items()):
            if domain not in described:
                senders = counted(len(users), "sender")
                yield found("domain_undescribed", unicode_domain(domain), account=name, senders=senders)
    for domain, gone in vanished(seen.descriptions, seen.before).items():
        senders = counted(len(gone), "sender")
        yield found("description_lost", unicode_domain(domain), place=gone[0].place or "a description", senders=senders)
