# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who was declared to send, and who of them is declared no more. Pure, no I/O.

The store remembers every declared identity, so that somebody whose line is gone is a leaver, and not a stranger.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .._users.user import DOMAIN, IP, USER, Key
from .description import ABSENT, LOCKED, Description, Sender

#: What is remembered of a person whose Thunderbird sends as somebody.
_PLACE = ("host", "user", "profile")


@dataclass(frozen=True)
class Identity:
    """A sender that was declared.

    account: in which it is. relay: whether mail servers were to log in as it, in this run or an earlier one. people:
    whose Thunderbird was to send as it, until it does so no more.
    has_other_password: whether it was there before it was declared, with a password that the store does not have.
    locked: whether it was declared to be locked, and has not been unlocked since. gone: the day when it was removed.
    """

    key: Key
    authentication: str
    account: str
    place: str
    relay: bool = False
    people: Sequence[Mapping[str, str]] = field(default=())
    has_other_password: bool = False
    locked: bool = False
    gone: str = ""

    @property
    def login(self) -> str:
        """The name for AUTH; empty for one that is recognised by its address."""
        if self.authentication == IP:
            return ""
        return f"{self.key.username}@{self.key.domain}" if self.key.username else self.key.domain

    def to_user(self) -> dict[str, str]:
        """Who it is, as outgoing_users names it."""
        named = {"domain": self.key.domain, "authentication_method": self.authentication}
        return {**named, **({"username": self.key.username} if self.key.username else {})}


Known = dict[Key, Identity]


def from_store(remembered: Mapping[str, Mapping[str, Any]]) -> Known:
    """What `to_store` wrote. What somebody has made unreadable is not known."""
    known = {}
    for domain, entry in remembered.items():
        senders = entry.get("senders")
        for name, given in senders.items() if isinstance(senders, dict) else ():
            username = str(name)
            shown = given if isinstance(given, dict) else {}
            authentication = IP if shown.get("authentication") == IP else USER if username else DOMAIN
            listed = shown.get("people")
            people = [
                {part: str(person[part]) for part in _PLACE if person.get(part)}
                for person in (listed if isinstance(listed, list) else ())
                if isinstance(person, dict) and person.get("host")
            ]
            key = Key(domain, username)
            known[key] = Identity(
                key,
                authentication,
                str(entry.get("account", "default")),
                str(entry.get("place", "")),
                bool(shown.get("relay")),
                tuple(people),
                bool(shown.get("has_other_password")),
                bool(shown.get("locked")),
                str(shown.get("gone", "")),
            )
    return known


def to_store(known: Iterable[Identity]) -> dict[str, dict[str, Any]]:
    """As the store keeps them: domain -> account, place and senders, without what can be told from the rest."""
    remembered: dict[str, dict[str, Any]] = {}
    for one in sorted(known, key=lambda one: one.key):
        entry = remembered.setdefault(one.key.domain, {"account": one.account, "place": one.place, "senders": {}})
        shown: dict[str, Any] = {"authentication": IP} if one.authentication == IP else {}
        shown.update({"relay": True} if one.relay else {})
        shown.update({"people": [dict(person) for person in one.people]} if one.people else {})
        shown.update({"has_other_password": True} if one.has_other_password else {})
        shown.update({"locked": True} if one.locked else {})
        shown.update({"gone": one.gone} if one.gone else {})
        entry["senders"][one.key.username] = shown
    return remembered


def remembered(
    descriptions: Sequence[Description], before: Known, takes: Callable[[Key], bool], stored: Container[str]
) -> Known:
    """Who is remembered from now on: everybody from before, and who is declared now.

    takes: whether the run is about a sender. stored: the logins whose passwords the store has.
    """
    known = dict(before)
    for one in descriptions:
        for sender in one.senders:
            key = sender.wanted.key
            if sender.state != ABSENT and takes(key):
                now, earlier = identity(one, sender), before.get(key)
                known[key] = (
                    now
                    if earlier is None
                    else replace(
                        now,
                        relay=now.relay or earlier.relay,
                        people=[*now.people, *former_people(sender, earlier)],
                        locked=now.locked or earlier.locked,
                        has_other_password=earlier.has_other_password and sender.login not in stored,
                    )
                )
    # A domain is in one account; who has left it is there as well.
    described = {one.domain: one for one in descriptions}
    return {
        key: replace(one, account=account_of(described[key.domain]), place=described[key.domain].place)
        if key.domain in described
        else one
        for key, one in known.items()
    }


def account_of(one: Description) -> str:
    """The name of the account that the domain belongs to."""
    return str(one.options.get("account", "default"))


def identity(one: Description, sender: Sender) -> Identity:
    """What is remembered of a sender."""
    return Identity(
        sender.wanted.key,
        sender.wanted.user.authentication,
        account_of(one),
        one.place,
        bool(sender.relay or sender.default_for),
        _people_of(sender),
        locked=sender.state == LOCKED,
    )


def former_people(sender: Sender, earlier: Identity | None) -> list[Mapping[str, str]]:
    """Whose Thunderbird was to send as this sender, and is no more."""
    now = _people_of(sender)
    return [person for person in (earlier.people if earlier else ()) if person not in now]


def _people_of(sender: Sender) -> list[Mapping[str, str]]:
    return [{name: str(person[name]) for name in _PLACE if person.get(name)} for person in sender.people]


def leavers(descriptions: Sequence[Description], before: Known) -> list[Identity]:
    """Who was declared before and is not now, in a domain that is still described.

    A domain whose description has vanished has no leavers: a file may be lost, or not be checked out.
    """
    described = {one.domain for one in descriptions}
    named = {sender.wanted.key for one in descriptions for sender in one.senders}
    return [one for key, one in sorted(before.items()) if key.domain in described and key not in named and not one.gone]


def vanished(descriptions: Sequence[Description], before: Known) -> dict[str, list[Identity]]:
    """Domain -> who was declared in a description that is not there any more."""
    described = {one.domain for one in descriptions}
    found: dict[str, list[Identity]] = {}
    for key, one in sorted(before.items()):
        if key.domain not in described and not one.gone:
            found.setdefault(key.domain, []).append(one)
    return found
