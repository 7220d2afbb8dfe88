# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that receivers ask DNS of a domain whose mail they get. Asks DNS only through a function."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Optional

from .._names import unicode_domain
from .dmarc import Dmarc, find_dmarc, problems_of_key
from .spf import Lookup, LookupFailure, inspect

_MOST_MAIL_SERVERS = 5


class Asked(NamedTuple):
    """A domain in ASCII; what its SPF has to include; the selectors with which its mail is signed."""

    domain: str
    include: str
    selectors: Sequence[str] = ()


def look_up(asked: Asked, lookup: Lookup) -> dict[str, Any]:
    """One domain as sender_dns_info shows it."""
    unanswered: list[str] = []

    @contextmanager
    def about(what: str) -> Iterator[None]:
        try:
            yield
        except LookupFailure as failure:
            unanswered.append(f"{what} ({failure})")

    spf = inspect(asked.domain, asked.include, lookup).to_result()
    if spf["included"] is None and not spf["records"]:
        # Nobody answers for it: each further question would wait as long.
        return _nothing(asked, spf)
    dmarc: Optional[Dmarc] = None
    with about("DMARC"):
        dmarc = find_dmarc(asked.domain, lookup)
    keys = []
    for selector in asked.selectors:
        with about(f"the DKIM selector {selector}"):
            records = list(lookup(f"{selector}._domainkey.{asked.domain}", "TXT"))
            problems = problems_of_key(records) if records else []
            keys.append({"selector": selector, "exists": bool(records), "problems": problems})
    takes_mail = None
    with about("MX"):
        takes_mail = can_be_answered(asked.domain, lookup)
    return {
        "domain": unicode_domain(asked.domain),
        "spf": spf,
        "dmarc": None if dmarc is None else {**vars(dmarc), "place": unicode_domain(dmarc.place)},
        "dkim": keys,
        "takes_mail": takes_mail,
        "unanswered": unanswered,
    }


def _nothing(asked: Asked, spf: dict[str, Any]) -> dict[str, Any]:
    unanswered = ["DMARC", *(f"the DKIM selector {one}" for one in asked.selectors), "MX"]
    unknown = {"dmarc": None, "dkim": [], "takes_mail": None, "unanswered": unanswered}
    return {"domain": unicode_domain(asked.domain), "spf": spf, **unknown}


def can_be_answered(domain: str, lookup: Lookup) -> bool:
    """Whether there is a server for mail to this domain, without which receivers refuse mail from it."""
    servers = [name.rstrip(".") for name in lookup(domain, "MX")]
    if servers and not any(servers):
        return False  # RFC 7505: it takes no mail
    names = [name for name in servers if name][:_MOST_MAIL_SERVERS] or [domain]
    return any(lookup(name, kind) for name in names for kind in ("A", "AAAA"))
