# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an audit has seen of a site on which nothing is wrong, for tests that change something of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.seen import (
    Account,
    Host,
    Passwords,
    Seen,
    user_of_result,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration.description import (
    Description,
    Given,
    Site,
    read,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration.relays import logins_of_hosts

TODAY = date(2026, 11, 30)
GROUPS = {"mail1": ["mail1"], "mail2": ["mail2"], "desktop1": ["desktop1"], "mail_relays": ["mail1", "mail2"]}
SMARTHOST = "4489.smtp.example"
ALICE = {"username": "alice", "limits": {"per_hour": 100}}
SERVER = {"username": "server1", "relay": ["mail1"]}


def described(*senders: Mapping[str, Any], domain: str = "example.com", **keys: Any) -> list[Description]:
    content = {"domain": domain, "dkim_selectors": ["s1"], "senders": list(senders), **keys}
    descriptions, problems = read([Given(f"domains/{domain}.yml", content)], {}, Site(GROUPS))
    assert problems == []
    return descriptions


def user(username: str = "", *, method: str = "user", domain: str = "example.com", **known: Any) -> Any:
    shown = {"domain": domain, "username": username, "authentication_method": method}
    return user_of_result({**shown, "locked": False, "limits": {"enabled": True, "per_hour": 100}, **known})


RELAY: dict[str, Any] = {
    **{"objection": "", "installed": True, "running": True, "unfinished": False, "managed": True},
    **{"next_hop": f"[{SMARTHOST}]:587", "tls_level": "secure", "authentication": "login"},
    **{"password_only_for_verified_servers": True, "tls_required_header_ignored": True},
    **{"changed_routes": [], "lowered_tls": [], "past": [], "tables_not_read": []},
    "domain": "example.com",
    "own_networks": ["127.0.0.0/8", "192.168.7.0/24", "203.0.113.0/28", "fe80::/64"],
    **{"mynetworks": ["127.0.0.0/8", "[::1]/128"], "readable_password_files": [], "verification_probes": False},
    **{"logins": [{"key": "*", "login": "server1@example.com"}], "other_logins": []},
}
QUEUE: dict[str, Any] = {
    **{"waiting": 0, "held": 0, "elsewhere": 0, "oldest_age": None, "first_lost_in": None, "reasons": []},
    **{"complete": True, "bounced": 0, "log": "/var/log/mail.log", "log_reaches_back": 86400},
    "sender_domains": ["example.com"],
}
SPF = {"included": True, "problems": [], "recommended_record": "v=spf1 include:spf.example -all"}
DMARC = {"place": "example.com", "record": "v=DMARC1; p=reject", "policy": "reject", "aspf": "r", "adkim": "r"}
KEY = {"selector": "s1", "exists": True, "problems": []}
DNS: dict[str, Any] = {"dmarc": {**DMARC, "problems": []}, "dkim": [KEY], "takes_mail": True, "unanswered": []}
DOMAIN = {"exists": True, "products": {"outgoing": True}, "abuse_contact": "abuse@example.com"}
USERS = (user("alice"), user("server1"))


def dns(known: Mapping[str, Any]) -> dict[str, Any]:
    return {**DNS, "spf": {**SPF, **known["spf"]}, "dmarc": {**DNS["dmarc"], **known["dmarc"]}, **known["dns"]}


def site(senders: Sequence[Mapping[str, Any]] = (ALICE, SERVER), users: Any = USERS, **changes: Any) -> Seen:
    """A site on which nothing is wrong, but for what is changed."""
    descriptions = changes.pop("descriptions", None) or described(*senders)
    known = {name: changes.pop(name, {}) for name in ("relay", "queue", "domain", "spf", "dmarc", "dns")}
    servers, problems = logins_of_hosts(descriptions, ["mail1", "mail2"], GROUPS)
    assert problems == []
    account = Account({"read_users": True}, users, domains={"example.com": {**DOMAIN, **known["domain"]}})
    logins = {"alice@example.com": "alice@example.com", "server1@example.com": "server1@example.com"}
    seen = Seen(
        descriptions,
        servers=servers,
        accounts={"default": account},
        hosts={"mail1": Host({**RELAY, **known["relay"]}, "", {**QUEUE, **known["queue"]}, "", SMARTHOST)},
        passwords=Passwords(logins, accepted=list(logins)),
        dns={"example.com": dns(known)},
    )
    return replace(seen, **changes)


def told_by(
    part: Any,
) -> tuple[Callable[[Seen], list[str]], Callable[[Seen], list[str]], Callable[[Seen], list[tuple[str, str]]]]:
    """What a part of the audit tells: codes and sentences of its findings, and what was not seen with the reason."""
    return (
        lambda seen: [one.code for one in part.findings(seen)],
        lambda seen: [one.what for one in part.findings(seen)],
        lambda seen: [(one.what, one.why) for one in part.unseen(seen)],
    )
