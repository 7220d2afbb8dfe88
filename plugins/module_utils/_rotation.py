# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook rotate_credentials does at the vendor, and what becomes of each login. Pure, no I/O.

An entry here is one of the credentials that `_rotation_plan.plan` gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ._outgoing_user import DOMAIN, LOCK_SETTINGS, USER, InputError, normalise_domain, normalise_local_part

NEXT = "next_login"
#: What becomes of a login. ROLLING_BACK and PENDING are not done yet, the one on its way back and the other forward.
COMMITTED, ROLLED_BACK, PENDING, NOT_CHANGED = "committed", "rolled_back", "pending", "not_changed"
ROLLING_BACK = "rolling_back"


def identity(login: str) -> dict[str, str]:
    """The outgoing user that logs in so, as outgoing_users names it. Raises InputError for what cannot log in."""
    local, at, domain = login.rpartition("@")
    method = USER if local else DOMAIN
    user = {"domain": normalise_domain(domain if at else login), "authentication_method": method}
    if local:
        user["username"] = normalise_local_part(local, user["domain"])
    return user


def users(
    entries: Sequence[Mapping[str, Any]],
    passwords: Sequence[str],
    which: str,
    present: Sequence[Mapping[str, Any]] = (),
    works: Optional[Mapping[str, bool]] = None,
) -> list[dict[str, Any]]:
    """The option `users` of outgoing_users that makes the vendor take these passwords, in the same order.

    which: next_login, or login for the way back. A password that the vendor may know already is tried before it is set.
    present: of outgoing_user_info; a second login gets the limits and lock settings of the first, and the first one, if
    it has been removed, those of the second, as far as the server shows and takes them (works, as api_info gives it).
    """

    def user(entry: Mapping[str, Any], password: str) -> dict[str, Any]:
        forward = which == NEXT
        new = entry["moves"] and (forward or not _listed(entry[which], present))
        known = entry["resumed"] if forward else entry["moves"]
        return {
            **identity(entry[which]),
            **(_copied(entry["login" if forward else NEXT], present, works or {}) if new else {}),
            "password": password,
            "update_password": "on_mismatch" if known else "always",
        }

    return [user(entry, password) for entry, password in zip(entries, passwords)]


def _copied(login: str, present: Sequence[Mapping[str, Any]], works: Mapping[str, bool]) -> dict[str, Any]:
    names = [
        *(("limits",) if works.get("change_limits") else ()),
        *(LOCK_SETTINGS if works.get("change_settings") else ()),
    ]
    user = _listed(login, present)
    copied = {name: user[name] for name in names if name in user}
    # A new user inherits whatever is not set.
    limits = {name: value for name, value in copied.pop("limits", {}).items() if name != "inherit"}
    return {**copied, **({"limits": limits} if limits else {})}


def _listed(login: str, present: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What outgoing_user_info shows of this login; empty where it does not know it."""
    return next((user for user in present if user_key(user) == login_key(login)), {})


def login_key(login: str) -> tuple[str, str]:
    """The domain and the username of a login, as `user_key` gives them."""
    wanted = identity(login)
    return wanted["domain"], wanted.get("username", "")


def written_key(login: str) -> tuple[str, str]:
    """As login_key, for a login that nobody has checked and that may be none."""
    try:
        return login_key(login)
    except InputError:
        return login, ""


def keys_of(entries: Sequence[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """The logins of these entries, before and after."""
    return {written_key(entry[which]) for entry in entries for which in ("login", NEXT)}


def user_key(user: Mapping[str, Any]) -> tuple[str, str]:
    """The domain and the username in a result, which shows domains for people."""
    return normalise_domain(user["domain"]), user["username"]


def locked(entries: Sequence[Mapping[str, Any]], present: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence for each second login that is there and locked: a login works, but its mail is refused.

    present: of outgoing_user_info.
    """
    return [
        f"{entry['name']}: the second login {entry['next_login']} is locked at the vendor, so its mail would be "
        "refused; unlock it, or remove it."
        for entry in entries
        if entry["moves"] and _listed(entry[NEXT], present).get("locked")
    ]


def logins(entries: Sequence[Mapping[str, Any]], passwords: Sequence[str], which: str) -> list[dict[str, Any]]:
    """The option `logins` of smtp_login_info that tries these passwords, in the same order.

    A second login must be able to send what the first one sends, before anybody moves.
    """
    return [
        {"login": entry[which], "password": password, **({"senders": entry["senders"]} if entry["moves"] else {})}
        for entry, password in zip(entries, passwords)
    ]


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


def locks(entries: Sequence[Mapping[str, Any]], locked: bool) -> list[dict[str, Any]]:
    """The option `users` of outgoing_users that locks or unlocks the present logins."""
    return [{**identity(entry["login"]), "locked": locked} for entry in entries]


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
