# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong in DNS with the domains that send. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .._declaration.description import Description
from .._names import unicode_domain
from .finding import Finding, Unseen, found
from .rule import DNS
from .seen import Seen
from .senders import some

#: From so many mails a day on big receivers ask for SPF, DKIM and DMARC.
_MANY = 5000
#: How often a limit of this name fits into a day.
_PER_DAY = {"per_minute": 1440.0, "per_hour": 24.0, "per_day": 1.0, "per_week": 1 / 7, "per_month": 1 / 28}
_SPF, _DKIM, _DMARC = "SPF", "DKIM", "DMARC"


def findings(seen: Seen) -> Iterator[Finding]:
    """Everything that is wrong in DNS. A domain of which DNS says nothing has no finding."""
    described = {one.domain: one for one in seen.descriptions}
    for domain, shown in (seen.dns or {}).items():
        name = unicode_domain(domain)
        yield from _spf(name, shown["spf"])
        yield from _dmarc(seen, domain, name, shown)
        yield from _dkim(name, shown)
        if shown["takes_mail"] is False:
            yield found("cannot_be_answered", name)
        if domain in described:
            lacking = list(_lacking(shown))
            if lacking and _sends_many(described[domain]):
                yield found("big_receivers", name, lacking=" and ".join(lacking))


def unseen(seen: Seen) -> Iterator[Unseen]:
    """What could not be looked at."""
    if seen.dns is None:
        yield Unseen(DNS, "SPF, DKIM, DMARC and MX of all domains", seen.no_dns or "nobody has asked")
        return
    silent = [unicode_domain(domain) for domain, shown in seen.dns.items() if shown["spf"]["included"] is None]
    if silent:
        yield Unseen(DNS, f"SPF of {some(silent)}", "DNS gave no answer")
    for domain, shown in seen.dns.items():
        yield from (Unseen(DNS, f"{what} of {unicode_domain(domain)}", "DNS gave no answer") for what in _parts(shown))
    unnamed = [unicode_domain(one.domain) for one in seen.descriptions if not one.options.get("dkim_selectors")]
    if unnamed:
        why = "their descriptions name no dkim_selectors, which DNS does not list"
        yield Unseen(DNS, f"DKIM of {some(unnamed)}", why)


def _parts(shown: Mapping[str, Any]) -> list[str]:
    return [str(what) for what in shown["unanswered"]]


def _spf(name: str, shown: Mapping[str, Any]) -> Iterator[Finding]:
    if shown["included"] is not None:
        wanted = shown["recommended_record"]
        remedy = f"enter in DNS: {wanted}" if wanted else "correct the record in DNS"
        for problem in shown["problems"]:
            yield found("spf", name, problem=problem.rstrip("."), remedy=remedy)


def _dmarc(seen: Seen, domain: str, name: str, shown: Mapping[str, Any]) -> Iterator[Finding]:
    dmarc = shown["dmarc"]
    if dmarc is None:
        return
    if not dmarc["place"]:
        yield found("dmarc_missing", name, place=f"_dmarc.{name}")
        return
    for problem in dmarc["problems"]:
        yield found("dmarc_broken", name, place=f"_dmarc.{dmarc['place']}", problem=problem)
    if dmarc["policy"] == "none":
        yield found("dmarc_none", name)
    yield from _alignment(seen, domain, name, dmarc)


def _alignment(seen: Seen, domain: str, name: str, dmarc: Mapping[str, Any]) -> Iterator[Finding]:
    """What the record asks of envelope and signature, against what is sent."""
    used = {each for host in seen.hosts.values() for each in (host.queue or {}).get("sender_domains") or ()}
    below = sorted(each for each in used if each.endswith(f".{domain}"))
    if dmarc["aspf"] == "s" and below:
        what = f"aspf=s asks for {name} itself in the envelope, and mail is sent with {some(below)} there"
        yield found("dmarc_alignment", name, what=what)
    if dmarc["adkim"] == "s" and dmarc["place"] not in ("", name) and not _selectors(seen, domain):
        above = dmarc["place"]
        if any(unicode_domain(one.domain) == above and one.options.get("dkim_selectors") for one in seen.descriptions):
            what = f"adkim=s asks for a signature of {name} itself, and only {above} has a selector"
            yield found("dmarc_alignment", name, what=what)


def _selectors(seen: Seen, domain: str) -> bool:
    return any(one.domain == domain and one.options.get("dkim_selectors") for one in seen.descriptions)


def _dkim(name: str, shown: Mapping[str, Any]) -> Iterator[Finding]:
    for key in shown["dkim"]:
        if not key["exists"]:
            yield found("dkim_missing", name, place=f"{key['selector']}._domainkey.{name}")
        for problem in key["problems"]:
            yield found("dkim_broken", name, place=f"{key['selector']}._domainkey.{name}", problem=problem)


def _lacking(shown: Mapping[str, Any]) -> Iterator[str]:
    """What big receivers ask for, and DNS does certainly not have."""
    if shown["spf"]["included"] is False:
        yield _SPF
    if shown["dkim"] and not any(key["exists"] and not key["problems"] for key in shown["dkim"]):
        yield _DKIM
    if shown["dmarc"] is not None and not shown["dmarc"]["policy"]:
        yield _DMARC


def _sends_many(one: Description) -> bool:
    """Whether its senders may send so many mails a day that big receivers ask for more."""
    return sum(_a_day(sender.wanted.user.state) for sender in one.senders if sender.wanted.present) >= _MANY


def _a_day(state: Mapping[str, Any]) -> float:
    """The most mails a day that these limits allow."""
    if state.get("limits.enabled") is False:
        return float("inf")
    known = {name: state.get(f"limits.{name}") for name in _PER_DAY}
    numbers = [value * _PER_DAY[name] for name, value in known.items() if isinstance(value, int) and value]
    return min(numbers, default=0.0)
