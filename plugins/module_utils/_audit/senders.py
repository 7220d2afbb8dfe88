# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with who may send. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, Optional

from .._declaration.description import ABSENT, LOCKED, PRESENT, Description, Sender
from .._declaration.identities import leavers
from .._declaration.only import login_of
from .._users.user import DOMAIN, INHERIT, IP, Key, OutgoingUser
from .finding import Finding, Unseen, found
from .rule import SENDERS
from .seen import Seen

#: More addresses than a small site gets from its provider.
_MOST_ADDRESSES = {4: 8, 6: 2**64}
_OF_THE_LIST = "strangers, leavers, senders that are missing, limits and locks"


def findings(seen: Seen) -> Iterator[Finding]:
    """Everything that is wrong with senders."""
    passwords = seen.passwords
    known = {Key.of_login(login) for login in [*passwords.in_use.values(), *passwords.others]}
    known |= {key for key, one in seen.before.items() if not one.gone}
    for description in seen.descriptions:
        users = seen.users_of(description)
        if users is not None:
            yield from _at_the_vendor(seen, description, users, known)
    yield from _leavers(seen)
    hosts: dict[Key, list[str]] = {}
    for host, logins in seen.servers.items():
        for key in {sender.wanted.key for sender in (logins.default, *logins.by_domain.values())}:
            hosts.setdefault(key, []).append(host)
    for _description, sender in seen.senders():
        yield from _described(sender, hosts.get(sender.wanted.key, []))
    yield from _passwords(seen)


def unseen(seen: Seen) -> Iterator[Unseen]:
    """What could not be looked at."""
    for name, account in seen.described_accounts():
        if account.users is None:
            what = f"{_OF_THE_LIST} of the account {name}"
            yield Unseen(SENDERS, what, account.no_users or "nobody has asked")
            continue
        unknown = [
            login_of(user.key) for user in account.users if not any(name.startswith("limits.") for name in user.state)
        ]
        if unknown:
            yield Unseen(SENDERS, f"limits of {some(unknown)}", "the server's list does not show them")
    passwords = seen.passwords
    if passwords.reason:
        yield Unseen(SENDERS, "passwords that are the same, or that nobody uses", passwords.reason)
    tried = {*passwords.refused, *passwords.accepted}
    left = sorted(login for login in passwords.in_use.values() if login not in tried)
    if left:
        why = passwords.not_tried or "only spamexperts_prove=all tries passwords"
        yield Unseen(SENDERS, f"whether the passwords of {some(left)} work", why)


def _at_the_vendor(
    seen: Seen, description: Description, users: Mapping[Key, OutgoingUser], known: Container[Optional[Key]]
) -> Iterator[Finding]:
    """Who is there against who is described. known: who is no stranger, though not described."""
    ours = {seen.key_in_use(sender) for sender in description.senders}
    ours |= {sender.wanted.key for sender in description.senders}
    yield from (found("stranger", login_of(key)) for key in sorted(users) if key not in ours and key not in known)
    for sender in description.senders:
        if sender.state == ABSENT:
            continue
        user = users.get(seen.key_in_use(sender))
        if user is None:
            yield found("missing", _name(sender))
        else:
            yield from _compared(sender, user)


def _compared(sender: Sender, user: OutgoingUser) -> Iterator[Finding]:
    wanted, there = sender.wanted.user, user.state
    if wanted.authentication != user.authentication:
        yield found("other_method", _name(sender), there=user.authentication, described=wanted.authentication)
    differences = [
        f"{name.partition('.')[2]} is {_shown(there[name])} and not {_shown(value)}"
        for name, value in sorted(wanted.state.items())
        if name.startswith("limits.") and name in there and there[name] != value
    ]
    if differences:
        yield found("other_limits", _name(sender), differences=", ".join(differences))
    if there.get("limits.enabled") is False and not sender.shared:
        yield found("no_limits", _name(sender))
    if there.get("locked") is True and sender.state == PRESENT:
        yield found("locked", _name(sender))


def _leavers(seen: Seen) -> Iterator[Finding]:
    for one in leavers(seen.descriptions, seen.before):
        if one.key in seen.users.get(one.account, {}).get(one.key.domain, {}):
            yield found("leaver", login_of(one.key))


def _described(sender: Sender, hosts: list[str]) -> Iterator[Finding]:
    """What the descriptions alone show. hosts: the mail servers that send as it."""
    if sender.state == LOCKED:
        return
    authentication = sender.wanted.user.authentication
    if authentication == DOMAIN:
        yield found("by_domain", _name(sender))
    if authentication == IP:
        yield found("by_address", _name(sender))
        network = ipaddress.ip_network(sender.wanted.key.username)
        if network.num_addresses > _MOST_ADDRESSES[network.version]:
            yield found("wide_network", _name(sender), addresses=network.num_addresses)
    if sender.people and hosts:
        yield found("personal_login", _name(sender), host=some(hosts))


def _passwords(seen: Seen) -> Iterator[Finding]:
    passwords = seen.passwords
    for names in passwords.same:
        for name in names:
            yield found("same_password", name, others=some([other for other in names if other != name]))
    yield from (found("refused", login) for login in passwords.refused)
    described = {sender.login for _one, sender in seen.senders()}
    on_hosts = {login for host in seen.hosts.values() for login in logins_on(host.relay or {})}
    profiles = [profile for computer in seen.computers.values() for profile in computer.profiles or ()]
    on_hosts |= {server["login"] for profile in profiles for server in profile["servers"]}
    looked_everywhere = all(host.relay is not None for host in seen.hosts.values())
    looked_everywhere &= all(computer.profiles is not None for computer in seen.computers.values())
    for name, login in passwords.in_use.items():
        remembered = seen.before.get(Key.of_login(name) or Key("", ""))
        if {name, login}.isdisjoint(described | on_hosts) and looked_everywhere and not remembered:
            yield found("unused_credential", name)


def logins_on(relay: Mapping[str, Any]) -> list[str]:
    """The logins that a mail server has."""
    ours, others = relay.get("logins") or [], relay.get("other_logins") or []
    return [*(str(one["login"]) for one in ours), *map(str, others)]


def _name(sender: Sender) -> str:
    return login_of(sender.wanted.key)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "inherited" if value == INHERIT else str(value)


def some(names: Sequence[str]) -> str:
    """The first three of these."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
