# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of an audit: a row for each sender, domain and mail server. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from .._declaration.description import ABSENT, Sender
from .._declaration.identities import account_of
from .._declaration.only import login_of
from .._names import unicode_domain
from .._users.user import LIMIT_NAMES, Key, OutgoingUser
from .finding import Finding
from .report import Report
from .seen import Seen
from .senders import logins_on

#: Of the table of senders, and of the CSV file.
SENDER_COLUMNS = (
    *("sender", "domain", "method", "described", "at_vendor", "locked", "shared", "limits"),
    *(*LIMIT_NAMES, "mail_servers", "people", "place", "findings"),
)


def senders(seen: Seen, report: Report) -> list[dict[str, str]]:
    """One row for each sender that is described or at the vendor. An empty cell is what nobody knows."""
    codes = _codes(report.findings)
    on_hosts: dict[Optional[Key], list[str]] = {}
    for name, host in seen.hosts.items():
        for login in dict.fromkeys(logins_on(host.relay or {})):
            on_hosts.setdefault(Key.of_login(login), []).append(name)
    described = {seen.key_in_use(sender): (one, sender) for one, sender in seen.senders()}
    there = {key: user for domains in seen.users.values() for users in domains.values() for key, user in users.items()}
    rows = []
    for key in sorted(seen.everybody()):
        one, sender = described.get(key, (None, None))
        listed = seen.users_of(one) is not None if one else True
        row = _sender(key, sender, there.get(key), listed=listed)
        row["mail_servers"] = " ".join(on_hosts.get(key, ()))
        row["place"] = one.place if one else ""
        names = {row["sender"], login_of(sender.wanted.key) if sender else ""}
        row["findings"] = " ".join(dict.fromkeys(code for name in sorted(names) for code in codes.get(name, ())))
        rows.append(row)
    return rows


def _sender(key: Key, sender: Optional[Sender], user: Optional[OutgoingUser], *, listed: bool) -> dict[str, str]:
    state = user.state if user else {}
    method = user.authentication if user else sender.wanted.user.authentication if sender else ""
    people = sender.people if sender else ()
    return {
        "sender": login_of(key),
        "domain": unicode_domain(key.domain),
        "method": method,
        "described": _yes(sender is not None),
        "at_vendor": _yes(user is not None) if listed else "",
        "locked": _yes(state.get("locked")),
        "shared": _yes(sender.shared) if sender else "",
        "limits": _yes(state.get("limits.enabled")),
        **{name: str(state.get(f"limits.{name}", "")) for name in LIMIT_NAMES},
        "people": " ".join(f"{one.get('user') or one.get('profile')}@{one['host']}" for one in people),
    }


def domains(seen: Seen, report: Report) -> list[dict[str, str]]:
    """One row for each domain that is described or in an account."""
    codes = _codes(report.findings)
    described = {one.domain: one for one in seen.descriptions}
    listed: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for name, account in seen.accounts.items():
        listed.update({domain: (name, shown) for domain, shown in (account.domains or {}).items()})
    rows = []
    for domain in sorted({*described, *listed}):
        one = described.get(domain)
        name, shown = listed.get(domain, (account_of(one) if one else "", {}))
        dns = (seen.dns or {}).get(domain, {})
        rows.append(
            {
                "domain": unicode_domain(domain),
                "account": name,
                "described": one.place if one else "no",
                "senders": str(sum(1 for sender in one.senders if sender.state != ABSENT)) if one else "",
                "outgoing": _yes((shown.get("products") or {}).get("outgoing")),
                "abuse_contact": str(shown.get("abuse_contact") or ""),
                "spf": _yes((dns.get("spf") or {}).get("included")),
                "dmarc": "" if dns.get("dmarc") is None else dns["dmarc"]["policy"] or "no",
                "findings": " ".join(codes.get(unicode_domain(domain), ())),
            }
        )
    return rows


def servers(seen: Seen, report: Report) -> list[dict[str, str]]:
    """One row for each mail server."""
    codes, rows = _codes(report.findings), []
    for name, host in seen.hosts.items():
        relay, queue = host.relay or {}, host.queue or {}
        rows.append(
            {
                "mail_server": name,
                "postfix": str(relay.get("version", "")),
                "next_hop": str(relay.get("next_hop", "")),
                "tls": str(relay.get("tls_level", "")),
                "logins": " ".join(dict.fromkeys(logins_on(relay))),
                "waiting": str(queue.get("waiting", "")),
                "looked_at": _yes(host.relay is not None),
                "findings": " ".join(codes.get(name, ())),
            }
        )
    return rows


def methods(rows: Iterable[Mapping[str, str]]) -> dict[str, int]:
    """How many senders prove who they are in each way."""
    number = Counter(row["method"] for row in rows)
    return {method: number[method] for method in ("user", "domain", "ip")}


def _codes(findings: Iterable[Finding]) -> dict[str, list[str]]:
    """What is wrong, by where; what is accepted is left out."""
    found: dict[str, list[str]] = {}
    for one in findings:
        if not one.accepted and one.code not in found.setdefault(one.where, []):
            found[one.where].append(one.code)
    return found


def _yes(value: object) -> str:
    return "" if value is None else "yes" if value else "no"
