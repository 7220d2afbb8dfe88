# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with mail servers, and with the mail that waits on them. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from .._postfix.queue import span
from .._users.user import Key, counted
from .finding import QUEUE, SERVERS, Finding, Unseen, found
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
    yield from _shared_logins(seen)


def unseen(seen: Seen) -> Iterator[Unseen]:
    """What could not be looked at."""
    for name, host in seen.hosts.items():
        if host.relay is None:
            yield Unseen(SERVERS, f"{name}, how it sends", host.no_relay or "it could not be reached")
        for network in (host.relay or {}).get("mynetworks", ()):
            if _is_wide(network) is None:
                yield Unseen(SERVERS, f"{name}, whom {network} lets send through it", "it is no network but a table")
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
    elif not relay.get("objection"):
        yield found("not_set_up", name)
    yield from _declared_logins(seen, name, relay)
    yield from (found("wide_mynetworks", name, network=one) for one in relay["mynetworks"] if _is_wide(one) is True)
    yield from (found("readable_passwords", name, path=path) for path in relay["readable_password_files"])
    if relay["verification_probes"] and relay["next_hop"]:
        yield found("probes_at_smarthost", name)


def _is_wide(network: str) -> Optional[bool]:
    """Whether it is more than the networks of one site; None for a table, into which nobody has looked."""
    if network.startswith("!"):
        return False
    try:
        parsed = ipaddress.ip_network(network.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return None
    if parsed.is_loopback:
        return False
    least = {4: 24 if parsed.is_global else 16, 6: 48}
    return parsed.prefixlen < least[parsed.version]


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
