# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the answers to a rotation's requests mean, and what becomes of each login. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._users.login import identity, login_key, user_key, written_key
from .entry import NEXT, keys_of

#: What becomes of a login. ROLLING_BACK and PENDING are not done yet, the one on its way back and the other forward.
COMMITTED, ROLLED_BACK, PENDING, NOT_CHANGED = "committed", "rolled_back", "pending", "not_changed"
ROLLING_BACK = "rolling_back"


def old_users(entries: Sequence[Mapping[str, Any]], outcome: Mapping[str, str]) -> list[dict[str, Any]]:
    """The option `users` of outgoing_users that removes the login of each pair that nobody uses any more.

    outcome: by name. None is removed of an entry that is not done, or whose login stays.
    """
    return [{**identity(entry[unused]), "state": "absent"} for entry in entries if (unused := _unused(entry, outcome))]


def _unused(entry: Mapping[str, Any], outcome: Mapping[str, str]) -> str:
    """Which login of an entry nobody uses any more; empty where there is none."""
    unused = {COMMITTED: "login", ROLLED_BACK: NEXT}.get(outcome.get(entry["name"], ""), "")
    return unused if entry["moves"] else ""


def left(entries: Sequence[Mapping[str, Any]], outcome: Mapping[str, str], result: Mapping[str, Any]) -> dict[str, str]:
    """What becomes of each entry when the logins that nobody uses are removed; one that is still there is not done.

    outcome: by name, from before. result: of outgoing_users with what `old_users` gives.
    """
    gone = {user_key(user) for user in result.get("users", ()) if user["action"] in ("removed", "unchanged")}
    open_ = {COMMITTED: PENDING, ROLLED_BACK: ROLLING_BACK}
    still = [entry for entry in entries if (unused := _unused(entry, outcome)) and login_key(entry[unused]) not in gone]
    return {**outcome, **{entry["name"]: open_[outcome[entry["name"]]] for entry in still}}


def undone(entries: Sequence[Mapping[str, Any]], result: Mapping[str, Any]) -> list[str]:
    """The names of the credentials whose present login outgoing_users has not brought to the wanted state."""
    done = {user_key(user) for user in result.get("users", ()) if user["action"] in ("updated", "unchanged")}
    return [entry["name"] for entry in entries if login_key(entry["login"]) not in done]


def taken(
    entries: Sequence[Mapping[str, Any]],
    result: Mapping[str, Any],
    proofs: Sequence[Mapping[str, Any]],
    which: str = NEXT,
) -> list[str]:
    """The names of the credentials whose next password, or with `login` whose old one, the vendor takes.

    result: of outgoing_users with all of them. proofs: of smtp_login_info, for those about which it was not sure.
    A second login that works is not enough: where a call has failed, it may be without the limits of the first.
    """
    accepted = {proof["login"] for proof in proofs if proof["accepted"] and proof.get("may_send", True)}
    doubtful = {entry["name"] for entry in unproven(entries, result, which)}
    failed = {
        user_key(user) for user in result.get("users", ()) if user["action"] not in ("created", "updated", "unchanged")
    }
    return [
        entry["name"]
        for entry in entries
        if not (entry["moves"] and login_key(entry[which]) in failed)
        and (entry["name"] not in doubtful or entry[which] in accepted)
    ]


def unproven(
    entries: Sequence[Mapping[str, Any]], result: Mapping[str, Any], which: str = NEXT
) -> list[Mapping[str, Any]]:
    """The credentials whose next login, or with `login` whose old one, has to be tried.

    That are those of which outgoing_users did not say that the password is set or right, and every other login, since
    the mail servers shall not move before it works.
    """
    good = {
        user_key(user)
        for user in result.get("users", ())
        if user["action"] in ("created", "updated", "unchanged") and user.get("password") in ("set", "kept")
    }
    return [entry for entry in entries if entry["moves"] or login_key(entry[which]) not in good]


def outcome(
    entries: Sequence[Mapping[str, Any]],
    switched: Sequence[str],
    hosts: Mapping[str, Mapping[str, Any]],
    roll_back: bool = False,
) -> list[dict[str, Any]]:
    """The credentials, each with `outcome`, what is to become of it.

    switched: the names of those whose next password the vendor takes.
    hosts: host -> state, which is active, failed or anything else for a host that was not reached.
    roll_back: all of them. An old password that strangers know is never set again.
    """
    taken_over = set(switched)

    def decided(entry: Mapping[str, Any]) -> str:
        states = {str(hosts.get(host, {}).get("state")) for host in entry["hosts"]}
        if roll_back:
            return ROLLED_BACK
        if entry["name"] not in taken_over:
            return NOT_CHANGED
        if states <= {"active"}:
            return COMMITTED
        return ROLLED_BACK if "failed" in states and not entry["leaked"] else PENDING

    return [{**entry, "outcome": decided(entry)} for entry in entries]


def settled(
    entries: Sequence[Mapping[str, Any]],
    back: Sequence[str],
    unfinished: Sequence[str],
    hosts: Mapping[str, Mapping[str, Any]],
    clients: Mapping[str, Mapping[str, Any]],
) -> dict[str, str]:
    """What has become of each of the credentials that `outcome` gives, by name.

    back: the names of those whose old password the vendor takes again. unfinished: of those that are still locked, or
    unknown to another store. hosts: host -> state. clients: hosts with Thunderbird, by name: state and logins.
    """
    returned, waits = set(back), set(unfinished)
    # The login of a pair that is to be removed stays while a Thunderbird may use it.
    behind = {
        written_key(login) for client in clients.values() if client["state"] != "updated" for login in client["logins"]
    }

    def waiting(entry: Mapping[str, Any]) -> bool:
        return entry["name"] in waits or (entry["moves"] and not behind.isdisjoint(keys_of([entry])))

    def now(entry: Mapping[str, Any]) -> str:
        name, wanted = entry["name"], entry["outcome"]
        if wanted == ROLLED_BACK:
            if name not in returned:
                return PENDING
            done = all(hosts[host]["state"] == ROLLED_BACK for host in entry["hosts"])
            return ROLLED_BACK if done and not waiting(entry) else ROLLING_BACK
        if wanted == COMMITTED and waiting(entry):
            return PENDING
        return str(wanted)

    return {entry["name"]: now(entry) for entry in entries}
