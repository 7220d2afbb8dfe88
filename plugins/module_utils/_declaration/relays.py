# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As what a mail server sends, worked out from all descriptions together. Pure, no I/O.

Mail of a domain goes out with the login that this domain names for the host; everything else (bounces, the host's own
mail) with the host's default login. No order of descriptions has a meaning, and nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .description import PRESENT, Description, Sender


@dataclass(frozen=True)
class HostLogins:
    """As what one host sends.

    default: the sender of all mail that no other is for; an ip sender has no login. by_domain: domain -> the sender of
    its mail, where that is not the default.
    """

    default: Sender
    by_domain: Mapping[str, Sender]


def logins_of_hosts(
    descriptions: Sequence[Description], hosts: Iterable[str], groups: Mapping[str, Collection[str]]
) -> tuple[dict[str, HostLogins], list[str]]:
    """Each of these mail servers with what it sends as, and one sentence for each that cannot be worked out.

    hosts: all mail servers. groups: of the inventory, name -> hosts, where each host is a group of its own. A host that
    no description names is in neither.
    """
    worked_out, problems = {}, []
    for host in sorted(set(hosts)):
        logins, found = _logins_of_host(descriptions, host, groups)
        problems += found
        worked_out.update({} if logins is None else {host: logins})
    known = set(worked_out) | set(hosts)
    problems += [
        f"{sender.place()} names {name}, where no host is a mail server; add the host to the mail servers of "
        "the inventory (group mail_relays, or spamexperts_relay_hosts), or correct the name."
        for one in descriptions
        for sender in one.senders
        for name in [*(sender.relay if isinstance(sender.relay, list) else ()), *sender.default_for]
        if known.isdisjoint(groups.get(name, ()))
    ]
    return worked_out, problems


def _logins_of_host(
    descriptions: Sequence[Description], host: str, groups: Mapping[str, Collection[str]]
) -> tuple[HostLogins | None, list[str]]:
    def names(places: Iterable[str]) -> bool:
        return any(host in groups.get(place, ()) for place in places)

    by_domain: dict[str, Sender] = {}
    problems = []
    defaults = []
    for one in descriptions:
        senders = [sender for sender in one.senders if sender.state == PRESENT]
        # Who names the host goes before who names every mail server.
        own = [sender for sender in senders if isinstance(sender.relay, list) and names(sender.relay)]
        able = own or [sender for sender in senders if sender.relay is True]
        if len(able) > 1:
            problems.append(
                f"{host} cannot know as what it sends the mail of {one.domain}: {_places(able)} are both its relay; "
                "leave relay to one of them, or name the hosts of each."
            )
        elif able:
            by_domain[one.domain] = able[0]
        defaults += [sender for sender in senders if names(sender.default_for)]
    if len(defaults) > 1:
        problems.append(f"{host} has more than one default: {_places(defaults)}; leave it in default_for of one.")
    elif not defaults and len(by_domain) > 1:
        problems.append(
            f"{host} sends for {len(by_domain)} domains, and nothing says as what it sends its other mail, such as "
            f"bounces; name {host}, or a group, in default_for of one of {_places(list(by_domain.values()))}."
        )
    if problems or not (defaults or by_domain):
        return None, problems
    default = defaults[0] if defaults else next(iter(by_domain.values()))
    others = {domain: sender for domain, sender in by_domain.items() if sender is not default}
    without_login = [sender for sender in others.values() if not sender.login]
    if without_login:
        # Postfix chooses a login by sender, but not "no login" by sender.
        return None, [
            f"{host} cannot send the mail of one domain by its address and all other mail with a login: leave relay "
            f"out of {_places(without_login)}, or name {host} in its default_for."
        ]
    return HostLogins(default, others), []


def _places(senders: Sequence[Sender]) -> str:
    shown = [f"{sender.place()} ({sender.login or sender.wanted.key})" for sender in senders[:3]]
    return " and ".join([*shown, *([f"{len(senders) - 3} more"] if len(senders) > 3 else [])])
