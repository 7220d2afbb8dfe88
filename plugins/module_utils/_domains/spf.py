# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a domain's SPF record allows and costs, and what it should be (RFC 7208). Asks DNS only through a function."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, NamedTuple, Optional

from .._names import unicode_domain

#: What the record of a domain has to include, unless the provider names another.
DEFAULT_INCLUDE = "spf.antispamcloud.com"
#: Names of the provider's servers, by which its own instructions let it send before there was the include.
#: https://github.com/SpamExperts/sekb ("SPF", 2016)
_FORMER_NAMES = {
    DEFAULT_INCLUDE: re.compile(
        r"(?:[^.]+\.)?(?:submission|submission-trial|release)\.antispamcloud\.com\.?\Z", re.IGNORECASE
    )
}
#: RFC 7208, section 4.6.4.
MOST_LOOKUPS = 10
MOST_VOID_LOOKUPS = 2
MOST_MAIL_SERVERS = 10
#: Far above what any receiver follows; ends the walk through records that multiply.
_WALK_END = 100

#: (name, record type) -> the records as text, none where there are none. Raises LookupFailure.
Lookup = Callable[[str, str], Sequence[str]]

_MODIFIER = re.compile(r"([a-z][a-z0-9_.-]*)=(.*)\Z", re.IGNORECASE)
_MECHANISM = re.compile(r"([+?~-]?)([a-z][a-z0-9_.-]*)(?::([^/]*))?(/.*)?\Z", re.IGNORECASE)
_PREFIXES = re.compile(r"(/[0-9]{1,2})?(//[0-9]{1,3})?\Z")
_STRICTEST_FIRST = "-~?+"


class LookupFailure(Exception):  # noqa: N818 - not an error of ours: DNS gave no answer
    """DNS gave no answer, so that nothing is known; the message says why."""


class RecordError(ValueError):
    """A record that receivers refuse to evaluate; the message is one sentence."""


class Term(NamedTuple):
    """One term of a record: a mechanism with its qualifier, or a modifier, whose qualifier is empty."""

    text: str
    qualifier: str
    name: str
    target: str


@dataclass
class Cost:
    """What the evaluation of a record needs, at worst: as for a sender that nothing in the record matches."""

    lookups: int = 0
    void_lookups: int = 0
    included: bool = False
    problems: list[str] = field(default_factory=list)
    #: Terms of the record itself for which receivers give up the whole of it.
    breaking: list[str] = field(default_factory=list)

    def note(self, problem: str) -> None:
        """Add a problem, once."""
        if problem not in self.problems:
            self.problems.append(problem)

    @property
    def too_many(self) -> bool:
        """Whether receivers stop before the end."""
        return self.lookups > MOST_LOOKUPS or self.void_lookups > MOST_VOID_LOOKUPS


@dataclass
class Report:
    """What is known about a domain's SPF; None stands for what is not known, or not there."""

    domain: str
    records: list[str] = field(default_factory=list)
    cost: Optional[Cost] = None
    problems: list[str] = field(default_factory=list)
    recommended: Optional[str] = None
    recommended_lookups: Optional[int] = None

    @property
    def record(self) -> Optional[str]:
        """The record that receivers use: with several, they use none."""
        return self.records[0] if len(self.records) == 1 else None

    def to_result(self) -> dict[str, Any]:
        """One domain as the result shows it."""
        cost = self.cost
        return {
            "domain": unicode_domain(self.domain),
            "records": self.records,
            "record": self.record,
            "included": cost.included if cost else None,
            "lookups": cost.lookups if cost else None,
            "void_lookups": cost.void_lookups if cost else None,
            "too_many_lookups": cost.too_many if cost else None,
            "problems": self.problems,
            "recommended_record": self.recommended,
            "recommended_lookups": self.recommended_lookups,
        }


def is_spf(text: str) -> bool:
    """Whether this TXT record is an SPF record."""
    return text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")


def parse(record: str) -> list[Term]:
    """The terms of a record that count: with `all`, redirect= and mechanisms behind it do not. Raises RecordError."""
    if not record.isascii():
        raise RecordError("it has a character that is not ASCII")
    terms = [_parse_term(text) for text in record.split()[1:]]
    for name in ("redirect", "exp"):
        if sum(term.name == name for term in terms) > 1:
            raise RecordError(f"it has {name}= more than once")
    if any(term.name == "all" for term in terms):
        terms = [term for term in terms if term.name != "redirect"]
    for position, term in enumerate(terms):
        if term.name == "all":
            return terms[: position + 1] + [later for later in terms[position + 1 :] if not later.qualifier]
    return terms


def _parse_term(text: str) -> Term:
    modifier = _MODIFIER.match(text)
    if modifier:
        name, target = modifier[1].lower(), modifier[2]
        if name == "redirect" and not target:
            raise RecordError(f"{text!r} does not say where to")
        return Term(text, "", name, target)
    mechanism = _MECHANISM.match(text)
    name = mechanism[2].lower() if mechanism else ""
    if mechanism is None or name not in _VALID:
        raise RecordError(f"{text!r} is not a term of SPF")
    if not _VALID[name](mechanism[3], mechanism[4] or ""):
        raise RecordError(f"{text!r} is not valid")
    return Term(text, mechanism[1] or "+", name, mechanism[3] or "")


def _is_network(version: int) -> Callable[[Optional[str], str], bool]:
    def check(address: Optional[str], prefix: str) -> bool:
        try:
            return ipaddress.ip_network(f"{address}{prefix}", strict=False).version == version
        except ValueError:
            return False

    return check


def _is_name(target: Optional[str], prefix: str) -> bool:
    return bool(target) and (not prefix or "%" in str(target))  # a macro may hold a slash


def _is_host(target: Optional[str], prefix: str) -> bool:
    return target != "" and bool(_PREFIXES.match(prefix))


#: Mechanism -> whether it may have this target (None where none is given) and prefix length.
_VALID: dict[str, Callable[[Optional[str], str], bool]] = {
    "all": lambda target, prefix: target is None and not prefix,
    "include": _is_name,
    "exists": _is_name,
    "ptr": lambda target, prefix: target != "" and not prefix,
    "a": _is_host,
    "mx": _is_host,
    "ip4": _is_network(4),
    "ip6": _is_network(6),
}


def same_name(one: str, other: str) -> bool:
    """Whether two domain names are the same."""
    return one.lower().rstrip(".") == other.lower().rstrip(".")


class _Walk:
    """Follows a record as a receiver would, through every include, and adds up what that costs."""

    def __init__(self, lookup: Lookup, provider: str) -> None:
        self._lookup = lookup
        self._provider = provider
        self.cost = Cost()

    def follow(self, record: str, domain: str, path: tuple[str, ...], passes: bool) -> None:
        """Add the cost of this record. passes: whether what matches in it makes the outermost record pass."""
        shown = unicode_domain(domain)
        try:
            terms = parse(record)
        except RecordError as problem:
            self.cost.note(f"The SPF record of {shown} is broken, so that receivers do not use it: {problem}.")
            return
        path = (*path, domain.lower())
        for term in terms:
            if self.cost.lookups > _WALK_END:
                return
            if term.name in ("include", "redirect"):
                self._include(term, path, passes and term.qualifier in ("+", ""))
            elif term.name in ("a", "mx", "exists", "ptr"):
                self._count(term, domain)
            elif term.name == "all" and term.qualifier == "+":
                remedy = "use ~all" if len(path) == 1 else "do not include it"
                self.cost.note(f"The SPF record of {shown} ends with {term.text}, so that anyone may send; {remedy}.")

    def _include(self, term: Term, path: tuple[str, ...], passes: bool) -> None:
        self.cost.lookups += 1
        if passes and same_name(term.target, self._provider):
            self.cost.included = True
        if "%" in term.target:
            self.cost.note(f"What {term.text} leads to depends on the sender, so that its lookups are not counted.")
            return
        target = term.target.rstrip(".").lower()
        if target in path:
            self._break(term, path)
            self.cost.note(f"The SPF record of {unicode_domain(path[-1])} includes itself by {term.text}; remove that.")
            return
        records = self._ask(target, "TXT")
        if records is None:
            return
        found = [record for record in records if is_spf(record)]
        if not records:
            self.cost.void_lookups += 1
        if len(found) == 1:
            self.follow(found[0], target, path, passes)
            return
        number = f"{len(found)} SPF records" if found else "no SPF record"
        if same_name(target, self._provider):
            self.cost.note(f"{target}, by which the provider is to send, has {number}; ask the provider for the name.")
        else:
            self._break(term, path)
            place = unicode_domain(path[-1])
            self.cost.note(f"{term.text} breaks the SPF record of {place}: {target} has {number}; remove that term.")

    def _break(self, term: Term, path: tuple[str, ...]) -> None:
        if len(path) == 1:
            self.cost.breaking.append(term.text)

    def _count(self, term: Term, domain: str) -> None:
        self.cost.lookups += 1
        if term.name == "ptr":
            place = unicode_domain(domain)
            self.cost.note(f"{term.text} in the SPF record of {place} is slow and must not be used; name the hosts.")
            return
        target = (term.target or domain).rstrip(".")
        if "%" in target:
            return  # it costs this one lookup, whatever the macro becomes
        kinds = {"a": ("A", "AAAA"), "mx": ("MX",), "exists": ("A",)}[term.name]
        answers = [self._ask(target, kind) for kind in kinds]
        if all(answer is not None and not answer for answer in answers):
            self.cost.void_lookups += 1
        if term.name == "mx" and len(answers[0] or ()) > MOST_MAIL_SERVERS:
            self.cost.note(f"{target} has more than {MOST_MAIL_SERVERS} mail servers, too many for {term.text} in SPF.")

    def _ask(self, name: str, kind: str) -> Optional[Sequence[str]]:
        try:
            return self._lookup(name, kind)
        except LookupFailure as failure:
            self.cost.note(f"DNS gave no answer about {name} ({failure}), so that not everything is counted.")
            return None


def measure(record: str, domain: str, provider: str, lookup: Lookup) -> Cost:
    """What this record costs, and whether mail from the provider passes by it."""
    walk = _Walk(lookup, provider)
    walk.follow(record, domain, (), passes=True)
    return walk.cost


def recommend(records: Sequence[str], provider: str, cost: Optional[Cost] = None) -> str:
    """The record that lets the provider send, without what keeps the present one from working. Raises RecordError.

    cost: of the one record that is there, where it was measured. A record that is right is given back as it is.

    A new record ends with ~all, since nobody knows here who else sends for the domain: with -all that mail would be
    lost at once, and under DMARC both count as the same failure. So does one that lets anyone send. Several records are
    joined; redirect= becomes an include then, and the most lenient `all` stays.
    """
    wanted = f"include:{provider}"
    if not records:
        return f"v=spf1 {wanted} ~all"
    cost = cost or Cost()
    parsed = [parse(record) for record in records]
    kept = [[_safe(term) for term in terms if not _is_superfluous(term, provider, cost)] for terms in parsed]
    if len(parsed) == 1:
        if cost.included and kept == parsed:
            return records[0]
        (terms,) = kept
        texts = [term.text for term in terms]
        ends = [number for number, term in enumerate(terms) if term.name == "all"]
        ends += [number for number, term in enumerate(terms) if term.name == "redirect"]
        if not ends and any(term.name == "redirect" for term in parsed[0]):
            ends = [len(texts)]
            texts.append("~all")
        if not cost.included:
            texts.insert(ends[0] if ends else len(texts), wanted)
    else:
        everything = [term for terms in kept for term in terms]
        qualifiers = [term.qualifier for term in everything if term.name == "all"]
        senders = [
            f"include:{term.target}" if term.name == "redirect" else term.text for term in everything if _sends(term)
        ]
        last = max(qualifiers, key=_STRICTEST_FIRST.index, default="~")
        texts = [*dict.fromkeys(senders), wanted, f"{last}all"]
    return " ".join(["v=spf1", *texts])


def _safe(term: Term) -> Term:
    """The term, without the permission for anyone."""
    return Term("~all", "~", "all", "") if term.name == "all" and term.qualifier == "+" else term


def _is_superfluous(term: Term, provider: str, cost: Cost) -> bool:
    """Whether a record with the include is better without this term."""
    if _is_about(term, provider):
        return not cost.included
    return term.text in cost.breaking or is_former(term, provider)


def is_former(term: Term, provider: str) -> bool:
    """Whether this term is the old form of the permission that the include gives."""
    names = _FORMER_NAMES.get(provider.lower().rstrip("."))
    return term.name == "a" and names is not None and bool(names.match(term.target))


def _is_about(term: Term, provider: str) -> bool:
    return term.name == "include" and same_name(term.target, provider)


def _sends(term: Term) -> bool:
    return term.name == "redirect" or (term.qualifier != "" and term.name != "all")


def inspect(domain: str, provider: str, lookup: Lookup) -> Report:
    """Everything about the SPF of a domain. domain and provider: in ASCII, without a final dot."""
    report = Report(domain)
    shown = unicode_domain(domain)
    try:
        report.records = [text for text in lookup(domain, "TXT") if is_spf(text)]
    except LookupFailure as failure:
        report.problems.append(f"DNS gave no answer about {shown}, so that nothing is known of its SPF: {failure}.")
        return report
    report.cost = Cost()
    if not report.records:
        report.problems.append(f"{shown} has no SPF record; add recommended_record to its DNS.")
    elif report.record is None:
        report.problems.append(
            f"{shown} has {len(report.records)} SPF records, and receivers then use none; keep one that joins them."
        )
    measured = None if report.record is None else measure(report.record, domain, provider, lookup)
    try:
        report.recommended = recommend(report.records, provider, measured)
    except RecordError as problem:
        report.problems.append(f"The SPF of {shown} is broken, so that receivers do not use it: {problem}; correct it.")
        return report
    if report.record is not None and measured is not None:
        report.cost = measured
        former = [term.text for term in parse(report.record) if is_former(term, provider)]
        report.problems += _judge(report.cost, shown, provider, former)
        if report.recommended == report.record:
            report.recommended_lookups = report.cost.lookups
            return report
    after = measure(report.recommended, domain, provider, lookup)
    report.problems += [problem for problem in after.problems if problem not in report.problems]
    if after.breaking:  # only of several records that were joined, which nobody has measured
        report.recommended = recommend([report.recommended], provider, after)
        after = measure(report.recommended, domain, provider, lookup)
    report.recommended_lookups = after.lookups
    if after.lookups > MOST_LOOKUPS:
        report.problems.append(
            f"The recommended record of {shown} needs {_number(after)} DNS lookups, more than {MOST_LOOKUPS}; remove "
            "includes that are not needed any more, or name their networks."
        )
    return report


def _judge(cost: Cost, shown: str, provider: str, former: Sequence[str]) -> list[str]:
    """The sentences about a record that is in use. former: its terms that are the old form of the include."""
    problems = list(cost.problems)
    if former:
        problems.insert(
            0,
            f"The SPF record of {shown} has {' and '.join(former)}, the old form of include:{provider}; replace it by "
            "recommended_record.",
        )
    elif not cost.included:
        problems.insert(0, f"The SPF record of {shown} does not include {provider}; replace it by recommended_record.")
    if cost.lookups > MOST_LOOKUPS:
        problems.append(
            f"The SPF record of {shown} needs {_number(cost)} DNS lookups; receivers stop at {MOST_LOOKUPS} and then "
            "do not use it."
        )
    if cost.void_lookups > MOST_VOID_LOOKUPS:
        problems.append(
            f"{cost.void_lookups} lookups of the SPF record of {shown} find nothing; receivers stop at "
            f"{MOST_VOID_LOOKUPS} and then do not use it."
        )
    return problems


def _number(cost: Cost) -> str:
    return str(cost.lookups) if cost.lookups <= _WALK_END else f"more than {_WALK_END}"
