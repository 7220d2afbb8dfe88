# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with mail servers, and with the mail that waits on them. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional, Union

from .._postfix.queue import span
from .._users.user import Key, counted
from .finding import Finding, Unseen, found
from .rule import QUEUE, SERVERS
from .seen import Seen
from .senders import logins_on, some

#: Levels at which the certificate is matched with the smarthost's name.
_SAFE_LEVELS = ("secure", "verify")
#: Mail that was not tried yet is no trouble before that.
_AN_HOUR = 3600
_DAY = 86400


def findings(seen: Seen) -> Iterator[Finding]:
    """Everything that is wrong with mail servers."""
    for name, host in seen.hosts.items():
        if host.relay is not None:
            yield from _server(seen, name, host.relay, host.smarthost.lower())
        if host.queue is not None:
            yield from _queue(name, host.queue)
            yield from _foreign(seen, name, host.queue)
    yield from _shared_logins(seen)


def unseen(seen: Seen) -> Iterator[Unseen]:
    """What could not be looked at."""
    for name, host in seen.hosts.items():
        if host.relay is None:
            yield Unseen(SERVERS, f"{name}, how it sends", host.no_relay or "it could not be reached")
        yield from _unseen_of_relay(name, host.relay or {})
        if host.queue is None:
            if host.relay is None or host.relay.get("installed"):
                why = host.no_queue or host.no_relay or "it could not be reached"
                yield Unseen(QUEUE, f"{name}, what waits there", why)
            continue
        if not host.queue["complete"]:
            yield Unseen(QUEUE, f"{name}, a part of what waits there", "reading the queue took too long")
        back = host.queue["log_reaches_back"]
        if back is None:
            yield Unseen(QUEUE, f"{name}, what was returned to senders", "it has no mail log that can be read")
        elif back < _DAY:
            yield Unseen(QUEUE, f"{name}, what was returned more than {span(back)} ago", "its mail log begins then")


def _unseen_of_relay(name: str, relay: Mapping[str, Any]) -> Iterator[Unseen]:
    for network in relay.get("mynetworks", ()):
        wide = _is_wide(network, relay.get("own_networks"))
        if isinstance(wide, Unsure):
            yield Unseen(SERVERS, f"{name}, whom {network} lets send through it", wide.why)
    for table in relay.get("tables_not_read", ()):
        yield Unseen(SERVERS, f"{name}, what {table} does with mail", "it cannot be listed, or asked")


def _server(seen: Seen, name: str, relay: Mapping[str, Any], smarthost: str) -> Iterator[Finding]:
    if relay.get("objection"):
        yield found("host_managed", name, objection=str(relay["objection"]).rstrip("."))
    if not relay["installed"]:
        yield found("no_postfix", name)
        return
    if not relay["running"]:
        yield found("not_running", name)
    if relay["unfinished"]:
        yield found("unfinished", name)
    if relay["next_hop"]:
        yield from _way(smarthost, name, relay)
        yield from _exceptions(smarthost, name, relay)
    elif not relay.get("objection"):
        yield found("not_set_up", name)
    yield from _declared_logins(seen, name, relay)
    for network in relay["mynetworks"]:
        wide = _is_wide(network, relay.get("own_networks"))
        if isinstance(wide, str):
            yield found("wide_mynetworks", name, network=network, more=wide)
    yield from (found("readable_passwords", name, path=path) for path in relay["readable_password_files"])
    if relay["verification_probes"] and relay["next_hop"]:
        yield found("probes_at_smarthost", name)


class Unsure(NamedTuple):
    """Why nobody knows."""

    why: str


def _is_wide(network: str, own: Optional[Sequence[str]]) -> Union[str, Unsure, None]:
    """None where it is no more than the networks of the host; what there is to say besides where it is more.

    own: the networks of the host's interfaces; None where nobody knows them.
    """
    if network.startswith("!"):
        return None
    try:
        parsed = ipaddress.ip_network(network.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return Unsure("it is no network but a table")
    least = {4: 24 if parsed.is_global else 16, 6: 48}
    if parsed.is_loopback or parsed.num_addresses == 1:
        return None
    if parsed.prefixlen < least[parsed.version]:
        return ""
    if own is None:
        return Unsure("the host does not say in which networks it is itself")
    return None if any(_lies_in(parsed, each) for each in own) else ", and is none that it is in itself"


def _lies_in(network: Union[ipaddress.IPv4Network, ipaddress.IPv6Network], other: str) -> bool:
    around = ipaddress.ip_network(other)
    return around.version == network.version and around.supernet_of(network)  # type: ignore[arg-type]  # one version


def _way(smarthost: str, name: str, relay: Mapping[str, Any]) -> Iterator[Finding]:
    there = relay["next_hop"].partition("]")[0].lstrip("[").lower()
    if smarthost and there not in (smarthost, f"ipv6:{smarthost}"):
        yield found("other_next_hop", name, there=there, wanted=smarthost)
    if relay["tls_level"] not in _SAFE_LEVELS:
        yield found("weak_tls", name, level=relay["tls_level"] or "none")
    if relay["authentication"] == "login" and relay["password_only_for_verified_servers"] is False:
        yield found("password_for_anybody", name)
    if relay["tls_required_header_ignored"] is False:
        yield found("header_lowers_tls", name)


def _exceptions(smarthost: str, name: str, relay: Mapping[str, Any]) -> Iterator[Finding]:
    """What somebody has changed of the way to the smarthost, and made beside it."""
    for route in relay["changed_routes"]:
        there = f"{route['value'] or 'the server of each domain'} ({route['name']})"
        yield found("other_next_hop", name, there=there, wanted=smarthost)
    for one in relay["lowered_tls"]:
        yield found("lowered_tls", name, place=one["place"], level=one["level"])
    for one in relay["past"]:
        more = f" and {one['number'] - len(one['names'])} more" if one["number"] > len(one["names"]) else ""
        yield found("past_the_smarthost", name, place=one["place"], keys=", ".join(one["names"]) + more)


def _foreign(seen: Seen, name: str, queue: Mapping[str, Any]) -> Iterator[Finding]:
    """The envelope domains that no description has, itself or above it."""
    described = {one.domain for one in seen.descriptions}
    foreign = [domain for domain in queue.get("sender_domains") or () if not is_below(domain, described)]
    if foreign and described:
        yield found("foreign_envelope", name, domains=some(foreign))


def is_below(domain: str, others: Collection[str]) -> bool:
    """Whether it is one of these domains, or a subdomain of one."""
    labels = domain.split(".")
    return any(".".join(labels[number:]) in others for number in range(len(labels)))


def _declared_logins(seen: Seen, name: str, relay: Mapping[str, Any]) -> Iterator[Finding]:
    """The logins of a host against those that the descriptions give it."""
    if name not in seen.servers:
        # Its inventory says as what it sends.
        return
    logins = seen.servers[name]
    senders = [one for one in (logins.default, *logins.by_domain.values()) if one.login]
    wanted = {seen.passwords.in_use.get(one.login, one.login) for one in senders}
    there = logins_on(relay)
    keys = {Key.of_login(login) for login in wanted}
    yield from (found("undescribed_login", name, login=one) for one in there if Key.of_login(one) not in keys)
    has = {Key.of_login(login) for login in there}
    missing = sorted(login for login in wanted if Key.of_login(login) not in has)
    if relay["next_hop"]:
        yield from (found("declared_login_missing", name, login=login) for login in missing)
    number, own = len(logins.by_domain), relay.get("domain", "").lower()
    if number and own and logins.default.login and not is_below(own, {logins.default.wanted.key.domain}):
        yield found("borrowed_login", name, domains=counted(number + 1, "domain"), login=logins.default.login)


def _shared_logins(seen: Seen) -> Iterator[Finding]:
    hosts: dict[str, list[str]] = {}
    for name, host in seen.hosts.items():
        for login in dict.fromkeys(logins_on(host.relay or {})):
            hosts.setdefault(login, []).append(name)
    for login, names in hosts.items():
        for name in names if len(names) > 1 else ():
            yield found("shared_login", name, login=login, others=some([one for one in names if one != name]))


def _queue(name: str, queue: Mapping[str, Any]) -> Iterator[Finding]:
    lost = queue["first_lost_in"]
    when = "" if lost is None else f", and the first is lost in {span(lost)}" if lost else ", and lost at the next try"
    for reason in queue["reasons"]:
        if reason["group"] == "not_tried" and queue["oldest_age"] < _AN_HOUR:
            continue
        shown = {"mails": f"{counted(reason['mails'], 'mail')} {'is' if reason['mails'] == 1 else 'are'}"}
        yield found(
            "mail_waits",
            name,
            **shown,
            group=reason["group"],
            age=span(queue["oldest_age"]),
            lost=when,
            remedy=reason["remedy"],
        )
    if queue["bounced"]:
        mails = f"{counted(queue['bounced'], 'mail')} for the smarthost {'was' if queue['bounced'] == 1 else 'were'}"
        yield found("mail_returned", name, mails=mails, span=span(queue["log_reaches_back"]))
