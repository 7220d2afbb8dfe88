# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What speaks against a rotation, before anything is changed. Pure, no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .._users.user import Identity, identity
from .description import IN_PLACE, LOCK, NAME
from .entry import NEXT, ByLogin, identities, key_of, listed
from .selection import Uses


def undeclared(plan: Mapping[str, Any], seen: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One sentence for each mail server that has one of these logins and would keep its old password.

    seen: mail servers that are not among the hosts of the plan, each with the result of postfix_relay_info, or without
    what nobody could see. A login whose rotation has begun is finished, whoever has it.
    """
    keys = identities([entry for entry in plan["credentials"] if not entry["resumed"]])
    found = []
    for host, relay in seen.items():
        logins = [*(entry["login"] for entry in relay.get("logins", ())), *relay.get("other_logins", ())]
        found += [
            f"{host} sends with {login}, which its variables do not name, so it would keep the old password; describe "
            "as what it sends, or give it outgoing_mail_login and outgoing_mail_password (or outgoing_mail_logins) "
            "there, or take the login away from it, and run again."
            for login in sorted({login for login in logins if identity(login) in keys})
        ]
    return found


def dangers(rotation: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence for each entry with which this rotation would lose mail, or leave a stranger's way in."""
    found = []
    for entry in entries:
        name, login = entry["name"], entry["login"]
        if entry["moves"] and not entry["hosts"] and not entry["resumed"]:
            found.append(
                f"{name}: no mail server uses {login}, so nobody can see when a second login has taken over from it; "
                f"rotate it {IN_PLACE}."
            )
        if entry["moves"] and rotation.get("emergency") and not entry["locks"]:
            found.append(
                f"{name}: {login} would work with the leaked password until every mail server uses "
                f"{entry['next_login']}; add emergency_action: {LOCK}, or rotate it {IN_PLACE}."
            )
        if entry["leaked"] and rotation.get("roll_back"):
            found.append(
                f"{name}: its password from before has leaked, as it was rotated with emergency: true, so it is not "
                "rolled back; finish its rotation, and choose the others by their logins."
            )
    return found


def login_conflicts(
    entries: Sequence[Mapping[str, Any]],
    by_login: ByLogin,
    uses: Sequence[tuple[str, Uses]],
) -> list[str]:
    """One sentence for each login that two credentials have, or that would be taken from somebody who uses it."""
    found = []
    second: dict[Identity, str] = {}
    users: dict[Identity, str] = {}
    for host, logins in uses:
        for login in logins or ():
            users.setdefault(identity(login), host)
    for entry in entries:
        twin = by_login[identity(entry["login"])]["name"]
        if twin != entry["name"]:
            found.append(
                f"{entry['name']} and {twin} are the same login in the credential store, which can have one password "
                "only; remove one of the two (credential_store, state: absent)."
            )
        key = identity(entry["next_login"])
        if not entry["moves"] or (entry["resumed"] and by_login[key]["name"] == entry["name"]):
            continue
        user = users.get(key, "")
        owner = by_login[key]["name"] if key in by_login else second.get(key, "")
        if owner or user:
            whose = f"the credential {owner} has" if owner else f"the host {user} uses"
            found.append(
                f"{NAME}.alternates: {entry['name']} cannot move to {entry['next_login']}, which {whose} already; "
                "give it a second login of its own."
            )
        second.setdefault(key, entry["name"])
    return found


def locked(entries: Sequence[Mapping[str, Any]], present: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence for each second login that is there and locked: a login works, but its mail is refused.

    present: of outgoing_user_info.
    """
    return [
        f"{entry['name']}: the second login {entry['next_login']} is locked at the vendor, so its mail would be "
        "refused; unlock it, or remove it."
        for entry in entries
        if entry["moves"] and listed(entry[NEXT], present).get("locked")
    ]


def not_ready(states: Mapping[str, Mapping[str, Any]]) -> str:
    """What to say of mail servers that are not ready, before a password is changed; empty if all are.

    states: host -> state and reason, as each of them has said.
    """
    broken = {
        host: str(state.get("reason") or "not reached")
        for host, state in states.items()
        if state.get("state") != "ready"
    }
    if not broken:
        return ""
    text = (
        "No password was changed, because these mail servers are not well: "
        f"{', '.join(f'{host} ({reason})' for host, reason in broken.items())}. Mend them, or set "
        "leave_out_broken_hosts: true to finish them with a later run."
    )
    if any(re.search(r"The login \S+ was refused", reason) for reason in broken.values()):
        # More likely than a vendor that has forgotten a password; to send the store's once more would be the worst.
        text += (
            " A login that is refused has another password at the vendor than in the credential store, as where the "
            "store comes from a backup or an older commit. Then run nothing that writes to mail servers, as they may "
            "have the only copy: import_site says where the right password is, and docs/recovery.md what to do."
        )
    return text


def missing_users(entries: Sequence[Mapping[str, Any]], present: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence for each entry whose user is not at the vendor any more, and would be made again.

    present: of outgoing_user_info, for all of their domains. Users only: nothing says that a list names domain users.
    """
    return [
        f"{entry['name']}: the vendor's list has no user {entry['login']} any more, and a rotation would make it "
        f"again; take {entry['name']} out of the credential store (credential_store, state: absent), or make the user "
        "first (outgoing_users)."
        for entry in entries
        if key_of(entry).username and not any(listed(entry[which], present) for which in ("login", NEXT))
    ]
