# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who was declared to send, and who of them is declared no more. Pure, no I/O.

The store remembers every declared identity, so that somebody whose line is gone is a leaver, and not a stranger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._users.user import DOMAIN, IP, USER, Key
from .description import ABSENT, Description, Sender

#: What is remembered of a person whose Thunderbird sends as somebody.
_PLACE = ("host", "user", "profile")


@dataclass(frozen=True)
class Identity:
    """A sender that was declared.

    account: in which it is. relay: whether mail servers were to log in as it. gone: the day on which it was removed.
    """

    key: Key
    authentication: str
    account: str
    place: str
    relay: bool = False
    people: Sequence[Mapping[str, str]] = field(default=())
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
        for username, given in senders.items() if isinstance(senders, dict) else ():
            shown = given if isinstance(given, dict) else {}
            authentication = shown.get("authentication", USER if username else DOMAIN)
            people = [person for person in shown.get("people", ()) if isinstance(person, dict)]
            key = Key(domain, username)
            known[key] = Identity(
                key,
                authentication,
                str(entry.get("account", "default")),
                str(entry.get("place", "")),
                bool(shown.get("relay")),
                tuple(people),
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
        shown.update({"gone": one.gone} if one.gone else {})
        entry["senders"][one.key.username] = shown
    return remembered


def declared(descriptions: Iterable[Description]) -> Known:
    """Everybody who is declared to be there now."""
    return {
        sender.wanted.key: identity(one, sender)
        for one in descriptions
        for sender in one.senders
        if sender.state != ABSENT
    }


def identity(one: Description, sender: Sender) -> Identity:
    """What is remembered of a sender."""
    people = [{name: str(person[name]) for name in _PLACE if person.get(name)} for person in sender.people]
    return Identity(
        sender.wanted.key,
        sender.wanted.user.authentication,
        str(one.options.get("account", "default")),
        one.place,
        bool(sender.relay or sender.default_for),
        tuple(people),
    )


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
