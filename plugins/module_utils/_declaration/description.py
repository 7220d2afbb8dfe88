# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the descriptions of domains may hold, and what they say together. Pure, no I/O.

All descriptions are one set: their order has no meaning.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Callable, NamedTuple, Optional, Union

from .._domains.dmarc import is_selector
from .._names import InputError, normalise_domain
from .._users.duplicates import check_duplicates
from .._users.options import OUTGOING_USER_OPTIONS
from .._users.user import IP, USER, Wanted, parse_limits, parse_wanted
from .form import Path, Problem, dotted, misfits, nearest

#: Limits of an address that several people share, unless the description or the defaults name others.
SHARED_LIMITS = {"enabled": False}
#: States of a sender. LOCKED is there, but may not send.
PRESENT, ABSENT, LOCKED = "present", "absent", "locked"

_LIMITS: dict[str, Any] = OUTGOING_USER_OPTIONS["limits"]
#: A person whose Thunderbird sends as the sender.
PERSON_OPTIONS: dict[str, Any] = {
    "host": {"type": "str", "required": True},
    "user": {"type": "str"},
    "profile": {"type": "path"},
    "identities": {"type": "list", "elements": "str"},
    "default_server": {"type": "bool"},
    "primary_password": {"type": "str"},
}
#: What only a description says of a sender.
_SENDER_ONLY: dict[str, Any] = {
    "state": {"type": "str", "choices": [PRESENT, ABSENT, LOCKED]},
    "shared": {"type": "bool"},
    "relay": {"type": "raw"},
    "default_for": {"type": "list", "elements": "str"},
    "people": {"type": "list", "elements": "dict", "options": PERSON_OPTIONS},
}
SENDER_OPTIONS: dict[str, Any] = {
    **{name: option for name, option in OUTGOING_USER_OPTIONS.items() if name != "domain"},
    **_SENDER_ONLY,
}
#: What `spamexperts_defaults` may say of every sender, beneath its own.
_SENDER_DEFAULTS = ("limits", "automatic_lock", "lock_timeout", "maximum_unlocks", "settings", "update_password")
_DOMAIN_ONLY: dict[str, Any] = {
    "account": {"type": "str"},
    "abuse_contact": {"type": "str"},
    "destinations": {"type": "list", "elements": "str"},
    "shared_limits": _LIMITS,
    "spf_include": {"type": "str"},
    "check_spf": {"type": "bool"},
    "dkim_selectors": {"type": "list", "elements": "str"},
}
DESCRIPTION_OPTIONS: dict[str, Any] = {
    "domain": {"type": "str", "required": True},
    **_DOMAIN_ONLY,
    "purge": {"type": "bool"},
    "senders": {"type": "list", "elements": "dict", "required": True, "options": SENDER_OPTIONS},
}
DEFAULTS_OPTIONS: dict[str, Any] = {
    **_DOMAIN_ONLY,
    **{name: OUTGOING_USER_OPTIONS[name] for name in _SENDER_DEFAULTS},
}
_POSITION = re.compile(r"users\[(\d+)\]")
#: The name of the defaults, as messages say it.
DEFAULTS = "spamexperts_defaults"


class Given(NamedTuple):
    """A description as somebody wrote it, in plain dictionaries and lists.

    place: the file, or the variable and position. line: the line of a place inside it; None where nobody knows lines.
    """

    place: str
    content: object
    line: Callable[[Path], Optional[int]] = lambda _path: None

    def where(self, path: Path) -> str:
        """The place, the line and the key, as in `domains/example.com.yml, line 4: senders[0].limits`."""
        line = self.line(path)
        return f"{self.place}{f', line {line}' if line else ''}:{f' {dotted(path)}' if path else ''}"

    def sentence(self, problem: Problem) -> str:
        """The problem with its place."""
        return f"{self.where(problem.path)} {problem.text}."


@dataclass(frozen=True)
class Sender:
    """One entry of `senders`, with the defaults beneath.

    place: for messages. source: the file or variable.
    user: an entry of the option `users` of outgoing_users. relay: the hosts that log in as it for
    mail of its domain; True for every mail server. default_for: hosts whose other mail goes out as it.
    """

    place: Callable[[], str] = field(repr=False)
    wanted: Wanted
    user: Mapping[str, Any] = field(repr=False)
    relay: Union[bool, Sequence[str]]
    default_for: Sequence[str]
    people: Sequence[Mapping[str, Any]] = field(repr=False)
    shared: bool
    source: str

    @property
    def login(self) -> str:
        """The name for AUTH; empty for one that is recognised by its address."""
        return "" if self.wanted.user.authentication == IP else self.wanted.login("domain")

    @property
    def state(self) -> str:
        """One of PRESENT, ABSENT and LOCKED."""
        if not self.wanted.present:
            return ABSENT
        return LOCKED if self.wanted.user.state.get("locked") else PRESENT


@dataclass(frozen=True)
class Description:
    """One domain. options: what there is to say of the domain itself, such as account and abuse_contact."""

    place: str
    domain: str
    options: Mapping[str, Any]
    senders: Sequence[Sender]
    purge: bool


@dataclass(frozen=True)
class Site:
    """What a check needs to know besides the descriptions.

    groups: of the inventory, name -> hosts, where each host is a group of its own. accounts: names in
    `spamexperts_accounts`; None where any may be.
    """

    groups: Mapping[str, Collection[str]]
    accounts: Optional[Collection[str]] = None


def read(given: Iterable[Given], defaults: object, site: Site) -> tuple[list[Description], list[str]]:
    """All descriptions in the order of their domains, and everything that is wrong, one sentence each.

    No sentence holds the value of a secret option. With a problem, the descriptions are not to be used.
    """
    problems = _problems_of_defaults(defaults, site)
    beneath = defaults if isinstance(defaults, dict) and not problems else {}
    descriptions = []
    for one in given:
        description, found = _description(one, beneath, site)
        problems += [one.sentence(problem) for problem in found]
        descriptions += [] if description is None else [description]
    return sorted(descriptions, key=lambda one: one.domain), problems + _twice(descriptions)


def _problems_of_defaults(defaults: object, site: Site) -> list[str]:
    given = Given(DEFAULTS, defaults)
    if not isinstance(defaults, dict):
        return [given.sentence(Problem((), "has to be keys with values"))]
    found = list(misfits(defaults, DEFAULTS_OPTIONS)) or [
        *_unknown_account(defaults, site),
        *_limits(defaults),
        *_selectors(defaults),
    ]
    return [given.sentence(problem) for problem in found]


def _description(given: Given, defaults: Mapping[str, Any], site: Site) -> tuple[Optional[Description], list[Problem]]:
    content = given.content
    if not isinstance(content, dict):
        kind = "is empty" if content is None else "is a list" if isinstance(content, list) else "is no dictionary"
        return None, [Problem((), f"{kind}; it has to describe one domain, with the keys domain and senders")]
    found = list(misfits(content, DESCRIPTION_OPTIONS))
    if found:
        return None, found
    found = [*_unknown_account(content, site), *_limits(content), *_selectors(content)]
    try:
        domain = normalise_domain(content["domain"])
    except InputError as problem:
        return None, [*found, Problem(("domain",), f"cannot be: {problem}")]
    options = {
        name: content.get(name, defaults.get(name))
        for name in _DOMAIN_ONLY
        if name != "shared_limits" and (name in content or name in defaults)
    }
    shared_limits = merged(defaults.get("shared_limits") or {}, content.get("shared_limits") or {})
    senders = []
    for position, entry in enumerate(content["senders"]):
        path: Path = ("senders", position)
        wrong = list(_unknown_hosts(entry, path, site))
        user = _user(entry, domain, shared_limits, defaults)
        try:
            wanted = parse_wanted(user, position, "on_mismatch")
        except InputError as problem:
            found += [*wrong, Problem(path, f"cannot be: {problem}")]
            continue
        wrong += [Problem((*path, *step), text) for step, text in _contradictions(entry, wanted)]
        found += wrong
        senders.append(
            Sender(
                partial(given.where, path),
                wanted,
                user,
                relay=entry.get("relay", False),
                default_for=tuple(entry.get("default_for", ())),
                people=tuple(entry.get("people", ())),
                shared=bool(entry.get("shared")),
                source=given.place,
            )
        )
    description = Description(given.place, domain, options, senders, bool(content.get("purge")))
    return description, found


def _unknown_account(content: Mapping[str, Any], site: Site) -> list[Problem]:
    account = content.get("account")
    if account is None or site.accounts is None or account in site.accounts:
        return []
    # Otherwise the account of the environment variables would be used.
    known = nearest(account, list(site.accounts)) or "; add it there, or correct the name"
    return [Problem(("account",), f"names {account}, which spamexperts_accounts does not have{known}")]


def _limits(content: Mapping[str, Any]) -> list[Problem]:
    found = []
    for name in ("limits", "shared_limits"):
        try:
            parse_limits(content.get(name) or {})
        except InputError as problem:
            found.append(Problem((name,), f"cannot be: {problem}"))
    return found


def _selectors(content: Mapping[str, Any]) -> Iterable[Problem]:
    for position, text in enumerate(content.get("dkim_selectors") or ()):
        if not is_selector(text):
            yield Problem(("dkim_selectors", position), f"is {text!r}, which is no name of a selector, such as s1")


def _unknown_hosts(entry: Mapping[str, Any], path: Path, site: Site) -> Iterable[Problem]:
    """What is wrong with the hosts that a sender names."""
    relay = entry.get("relay", False)
    places: list[tuple[Path, object]] = []
    if isinstance(relay, list):
        places += [((*path, "relay", position), name) for position, name in enumerate(relay)]
    elif not isinstance(relay, bool):
        yield Problem((*path, "relay"), "has to be true, or a list of hosts or groups of the inventory")
    places += [((*path, "default_for", position), name) for position, name in enumerate(entry.get("default_for", ()))]
    places += [
        ((*path, "people", position, "host"), person["host"]) for position, person in enumerate(entry.get("people", ()))
    ]
    for place, name in places:
        if not isinstance(name, str):
            yield Problem(place, "has to be the name of a host or group, in quotes")
        elif name not in site.groups:
            known = nearest(name, list(site.groups)) or "; add it there, or correct the name"
            yield Problem(place, f"names {name}, which is no host and no group of the inventory{known}")


def _user(
    entry: Mapping[str, Any], domain: str, shared_limits: Mapping[str, Any], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """The sender as outgoing_users takes it, with the defaults beneath."""
    user = {name: value for name, value in entry.items() if name not in _SENDER_ONLY}
    if entry.get("state") == ABSENT:
        return {**user, "domain": domain, "state": ABSENT}
    for name in _SENDER_DEFAULTS:
        if name in defaults and name not in ("limits", "settings"):
            user.setdefault(name, defaults[name])
    if "settings" in defaults:
        user["settings"] = {**defaults["settings"], **user.get("settings", {})}
    own = entry.get("limits") or {}
    limits = merged(shared_limits if entry.get("shared") else defaults.get("limits") or {}, own)
    if limits or entry.get("shared"):
        user["limits"] = limits or dict(SHARED_LIMITS)
    if entry.get("state") == LOCKED:
        user["locked"] = True
    return {**user, "domain": domain}


def merged(beneath: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """These limits with others beneath; each limit is a number in one of them, or named in its `inherit`."""
    settled = {*own, *own.get("inherit", ()), "inherit"}
    limits = {**{name: value for name, value in beneath.items() if name not in settled}, **own}
    inherited = [*own.get("inherit", ()), *(name for name in beneath.get("inherit", ()) if name not in settled)]
    return {**limits, "inherit": inherited} if inherited else limits


def _contradictions(entry: Mapping[str, Any], wanted: Wanted) -> list[tuple[Path, str]]:
    """What a sender says that cannot be true together."""
    found: list[tuple[Path, str]] = []
    authentication, state = wanted.user.authentication, entry.get("state")
    if state == LOCKED and entry.get("locked") is False:
        found.append((("locked",), "is false, but state is locked; leave one of the two out"))
    used = [name for name in ("relay", "default_for", "people") if entry.get(name)]
    if state in (ABSENT, LOCKED) and used:
        found.append(((used[0],), f"has no meaning for a sender whose state is {state}; leave it out"))
    if authentication == IP and isinstance(entry.get("relay"), list):
        text = "has no meaning for an ip sender, which Postfix cannot choose by sender; name the hosts in default_for"
        found.append((("relay",), text))
    if authentication != USER and entry.get("people"):
        found.append((("people",), "is for senders with an address of their own; give each person one"))
    found += [
        (("people", position), "has neither user nor profile; say whose Thunderbird it is")
        for position, person in enumerate(entry.get("people", ()))
        if not person.get("user") and not person.get("profile")
    ]
    return found


def _twice(descriptions: Sequence[Description]) -> list[str]:
    """One sentence for each domain, sender and address that stands in two places."""
    found = []
    first: dict[str, Description] = {}
    for one in descriptions:
        other = first.setdefault(one.domain, one)
        if other is not one:
            found.append(
                f"{one.place}: domain {one.domain} is described in {other.place} as well; describe it in one place."
            )
    senders = [sender for one in first.values() for sender in one.senders]
    numbered = [replace(sender.wanted, position=position) for position, sender in enumerate(senders)]
    for problem in check_duplicates(numbered):
        found.append(_POSITION.sub(lambda position: senders[int(position[1])].place(), f"{problem}."))
    return found
