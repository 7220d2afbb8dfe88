# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What onboard_domain says at its end: who may send, how, how much, what is left to do. Pure, no I/O, no secret."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Optional

from .._domains.spf import DEFAULT_INCLUDE
from .._thunderbird.dialogue import SECURITY, settings_by_hand
from .._users.user import DOMAIN, IP, LIMIT_NAMES, USER
from .description import ABSENT, Description

_WIDTH = 32


def summary(
    domain: str,
    details: Mapping[str, Any],
    smarthost: str,
    spf: Optional[Mapping[str, Any]],
    *,
    implicit_tls: bool = False,
) -> list[str]:
    """Give the lines of the summary of one domain.

    details: as `details_of` gives them. smarthost: as host:port. spf: the domain's entry in the result of spf_info,
    where it ran. implicit_tls: TLS comes before the first word, as on port 465.
    """
    predicted = " (check mode: nothing was changed)" if details["check"] else ""
    lines = [f"{domain} sends through {smarthost}, {SECURITY[implicit_tls]} and login{predicted}.", "", "Who may send"]
    lines += [_sender(user) for user in details["users"]]
    for title, rows in (
        (
            "To do by hand: this server's API has no known call that sets limits; set them in the control panel",
            [_row(login, text) for login, text in details["limits_by_hand"].items()],
        ),
        ("Discouraged: whoever gets onto a host that sends by its address sends as anyone", _named(details, IP)),
        (f"Weaker than users: whoever has this password sends as any address of {domain}", _named(details, DOMAIN)),
        ("Thunderbird, to enter by hand (English, German)", _clients(details, smarthost, implicit_tls)),
        ("Mail servers", _relays(details)),
        ("What the DNS needs, so that receivers accept the mail", _spf(domain, details["spf_include"], spf)),
    ):
        if rows:
            lines += ["", title, *rows]
    return [*lines, "", _changes(details)]


def details_of(
    one: Description,
    users: Sequence[Mapping[str, Any]],
    domain_action: str,
    *,
    limits_offered: bool,
    relays: Mapping[str, str],
    entered: Collection[str],
    check: bool,
) -> dict[str, Any]:
    """What the summary of a domain is made of.

    users: what became of its senders, as outgoing_users says it. relays: host -> what is to be said of it. entered:
    logins that the run has entered into somebody's Thunderbird. check: whether nothing was done.
    """
    wanted = {
        sender.login or sender.wanted.key.username: sender.user.get("limits")
        for sender in (() if limits_offered else one.senders)
        if sender.state != ABSENT
    }
    return {
        "users": [dict(user) for user in users],
        "action": domain_action,
        "limits_by_hand": {login: limit_text(limits) for login, limits in wanted.items() if limits},
        "used": sorted({*entered, *(s.login for s in one.senders if s.relay or s.default_for)}),
        "relays": dict(relays),
        "has_relay": any(sender.relay for sender in one.senders),
        "spf_include": one.options.get("spf_include") or DEFAULT_INCLUDE,
        "check_spf": bool(one.options.get("check_spf")),
        "check": check,
    }


def _row(left: str, *rest: str) -> str:
    return f"  {left:{_WIDTH}} {' '.join(rest)}".rstrip()


def _sender(user: Mapping[str, Any]) -> str:
    limits = user.get("state", {}).get("limits", {})
    # A new user inherits whatever is not set. Of another one it is known only where the list shows it.
    inherited = user["action"] == "created" or "inherit" in limits
    return _row(
        user.get("login") or user["username"],
        f"{user['authentication_method']:7}",
        f"{user['action']:10}",
        limit_text(limits) or ("limits of the account" if inherited else "limits not known"),
    )


def limit_text(limits: Mapping[str, Any]) -> str:
    """Give limits in words; nothing where none is set for this user itself."""
    if limits.get("enabled") is False:
        return "limits switched off"
    own = [f"{limits[name]} {name.replace('_', ' ')}" for name in LIMIT_NAMES if name in limits]
    return ", ".join(own)


def _clients(details: Mapping[str, Any], smarthost: str, implicit_tls: bool) -> list[str]:
    """What those people enter whose Thunderbird is not managed, and who are not a mail server's login."""
    senders = [user for user in details["users"] if user["authentication_method"] == USER and "login" in user]
    logins = [user["login"] for user in senders if user["login"] not in details["used"]]
    host, _colon, port = smarthost.rpartition(":")
    return settings_by_hand(logins, host, int(port), implicit_tls=implicit_tls) if logins else []


def _relays(details: Mapping[str, Any]) -> list[str]:
    if details["relays"]:
        return [_row(host, text) for host, text in details["relays"].items()]
    if details["has_relay"]:
        return ["  None sends for it: the inventory has none (group mail_relays, or spamexperts_relay_hosts)."]
    return ["  None sends for it: none of its senders is marked with relay, as what mail servers log in as."]


def _named(result: Mapping[str, Any], authentication: str) -> list[str]:
    return [
        _row(user.get("login") or user["username"])
        for user in result["users"]
        if user["authentication_method"] == authentication
    ]


def _spf(name: str, include: str, looked_up: Optional[Mapping[str, Any]]) -> Iterable[str]:
    found = looked_up or {}
    problems = [f"  {problem}" for problem in found.get("problems", ())]
    # To be copied: on a line of its own, and without quotation marks, which ansible-core would print as \".
    title = f"  TXT record of {name} (a zone file has it in quotation marks):"
    if found.get("recommended_record"):
        return [title, f"  {found['recommended_record']}", *problems]
    # Where the DNS did not answer, or its record is broken, nothing can be recommended on top of it.
    return [
        *problems,
        title,
        f"  v=spf1 include:{include} ~all",
        f"  A record that is there already gets include:{include} before its all: there must be one SPF record only.",
    ]


def _changes(details: Mapping[str, Any]) -> str:
    counts = Counter(user["action"] for user in details["users"])
    totals = [f"{count} {action.replace('_', ' ')}" for action, count in sorted(counts.items())]
    return f"Domain {details['action']}; senders: {', '.join(totals) or 'none'}."
