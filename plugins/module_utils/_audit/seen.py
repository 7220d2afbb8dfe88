# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an audit has seen, as far as it could look. Plain data; None and a reason stand for what nobody has seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Optional

from .._declaration.description import ABSENT, Description, Sender
from .._declaration.identities import Known, account_of
from .._declaration.relays import HostLogins
from .._users.user import Key, OutgoingUser, parse_state


@dataclass(frozen=True)
class Account:
    """One account at the vendor. users, domains: as outgoing_user_info and domain_info show them."""

    works: Mapping[str, bool] = field(default_factory=dict)
    users: Optional[Sequence[OutgoingUser]] = None
    no_users: str = ""
    domains: Optional[Mapping[str, Mapping[str, Any]]] = None
    no_domains: str = ""


@dataclass(frozen=True)
class Host:
    """One mail server. relay: of postfix_relay_info. queue: of postfix_queue_info. smarthost: that it has to use."""

    relay: Optional[Mapping[str, Any]] = None
    no_relay: str = ""
    queue: Optional[Mapping[str, Any]] = None
    no_queue: str = ""
    smarthost: str = ""


@dataclass(frozen=True)
class Computer:
    """One computer of people. profiles: of thunderbird_outgoing_server_info."""

    profiles: Optional[Sequence[Mapping[str, Any]]] = None
    reason: str = ""


@dataclass(frozen=True)
class Passwords:
    """The credential store, without a password.

    in_use: name of a credential -> what it logs in as now. others: further logins, of a rotation under way. same: names
    with one password. refused, accepted: logins that were tried. reason: why nobody has looked into it.
    """

    in_use: Mapping[str, str] = field(default_factory=dict)
    others: Sequence[str] = ()
    same: Sequence[Sequence[str]] = ()
    refused: Sequence[str] = ()
    accepted: Sequence[str] = ()
    reason: str = ""
    not_tried: str = ""


@dataclass(frozen=True)
class Seen:
    """Everything.

    servers: as what each mail server is declared to send. people: whose Thunderbird is declared to send as whom, by
    computer. dns: domain -> what sender_dns_info says.
    """

    descriptions: Sequence[Description]
    before: Known = field(default_factory=dict)
    servers: Mapping[str, HostLogins] = field(default_factory=dict)
    accounts: Mapping[str, Account] = field(default_factory=dict)
    hosts: Mapping[str, Host] = field(default_factory=dict)
    passwords: Passwords = field(default_factory=Passwords)
    dns: Optional[Mapping[str, Mapping[str, Any]]] = None
    no_dns: str = ""
    computers: Mapping[str, Computer] = field(default_factory=dict)
    people: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    def senders(self) -> list[tuple[Description, Sender]]:
        """Who is described to be there."""
        return [(one, sender) for one in self.descriptions for sender in one.senders if sender.state != ABSENT]

    def everybody(self) -> set[Key]:
        """Who is described to be there, or is at the vendor."""
        there = (key for domains in self.users.values() for users in domains.values() for key in users)
        return {*there, *(self.key_in_use(sender) for _description, sender in self.senders())}

    def described_accounts(self) -> Iterator[tuple[str, Account]]:
        """The accounts of the descriptions, by name; one that nobody has asked is empty."""
        for name in sorted({account_of(one) for one in self.descriptions}):
            yield name, self.accounts.get(name, Account())

    def key_in_use(self, sender: Sender) -> Key:
        """Who the sender is at the vendor: a rotation may have given it a second login."""
        login = self.passwords.in_use.get(sender.login, "")
        return (Key.of_login(login) if login else None) or sender.wanted.key

    @cached_property
    def users(self) -> dict[str, dict[str, dict[Key, OutgoingUser]]]:
        """Who is at the vendor: account -> domain -> its senders; without the accounts that nobody has seen."""
        found: dict[str, dict[str, dict[Key, OutgoingUser]]] = {}
        for name, account in self.accounts.items():
            if account.users is not None:
                domains = found.setdefault(name, {})
                for user in account.users:
                    domains.setdefault(user.key.domain, {})[user.key] = user
        return found

    def users_of(self, description: Description) -> Optional[dict[Key, OutgoingUser]]:
        """Who is at the vendor in the account of this domain; None where nobody has seen it."""
        domains = self.users.get(account_of(description))
        return None if domains is None else domains.get(description.domain, {})


def user_of_result(shown: Mapping[str, Any]) -> OutgoingUser:
    """A user that outgoing_user_info shows."""
    return OutgoingUser(Key.of_result(shown), str(shown["authentication_method"]), parse_state(shown))
