# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rotation has done, as data and as text; without a secret. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Optional

from .._users.user import Key, identity
from .clients import UPDATED, WOULD_UPDATE, people
from .entry import NEXT, identities, key_of
from .outcome import COMMITTED, NOT_CHANGED, PENDING, ROLLED_BACK, ROLLING_BACK, UNPROVEN

WOULD_ROTATE = "would_rotate"  # in check mode
_WORDS = {
    COMMITTED: "has its new password everywhere",
    ROLLED_BACK: "was rolled back to its old password",
    ROLLING_BACK: "has its old password at the vendor again, but not on every mail server",
    PENDING: "is changed at the vendor, but not on every mail server",
    UNPROVEN: "has a new password, as the vendor's API says, but nobody could log in with it; the store keeps both",
    NOT_CHANGED: "was not changed, as the vendor did not take the new password",
    WOULD_ROTATE: "would get a new password",
}
_OPEN = (PENDING, ROLLING_BACK, UNPROVEN, NOT_CHANGED)


def report(plan: Mapping[str, Any], seen: Mapping[str, Any]) -> dict[str, Any]:
    """The report as data.

    seen: started, changed and finished (times as ISO 8601 texts), outcome (by name), hosts (by name: state, at, reason,
    waiting, and mail with the numbers of postfix_delivery_info, as far as they are known), clients (hosts with
    Thunderbird, by name: state, logins and reason), emergency, why the vendor did not take a login: sent (`users` of
    outgoing_users) and tried (`logins` of smtp_login_info), what became of the locks: lock_failed and unlocked (names),
    old_works: the names of those whose leaked password still works, made: of those whose user was not there,
    not_handed_over: the names that store_tasks have failed for, and not_looked_at: mail servers without a part in the
    rotation of which nobody knows what they use.
    """
    said = {Key.of_result(user): str(user.get("reason") or "") for user in seen.get("sent") or ()}
    proofs = {proof["login"]: str(proof["reason"]) for proof in seen.get("tried") or ()}
    credentials = [
        # Why the vendor did not take it: what the API said, or else the smarthost.
        _credential(entry, seen, said.get(key_of(entry, NEXT)) or proofs.get(entry[NEXT]) or "")
        for entry in plan["credentials"]
    ]
    clients = _clients(plan["credentials"], seen)
    return {
        "started": seen["started"],
        "finished": seen["finished"],
        "emergency": bool(seen.get("emergency")),
        "credentials": credentials,
        "clients": clients,
        "tell": _tell(plan, seen["outcome"], clients),
        "not_looked_at": list(seen.get("not_looked_at") or ()),
    }


def _credential(entry: Mapping[str, Any], seen: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """What became of one credential. reason: why the vendor did not take its password, if it did not."""
    name = entry["name"]
    states = {host: dict(seen["hosts"].get(host) or {"state": "not_reached"}) for host in entry["hosts"]}
    outcome = seen["outcome"].get(name, WOULD_ROTATE)
    if outcome in (PENDING, ROLLED_BACK, ROLLING_BACK):
        for state in states.values():
            # It was well, and then did not even fail.
            state["state"] = "not_reached" if state["state"] == "ready" else state["state"]
    shown = {"name": name, "login": entry["login"], "outcome": outcome, "hosts": states}
    if entry[NEXT] != entry["login"]:
        shown[NEXT] = entry[NEXT]
    if outcome in (NOT_CHANGED, UNPROVEN) and reason:
        shown["reason"] = reason
    if entry.get("locked") and name in (seen.get("lock_failed") or ()):
        shown["locked"] = False
    elif entry.get("locked") and outcome in _OPEN:
        shown["locked"] = entry["moves"] or name not in (seen.get("unlocked") or ())
    if name in (seen.get("not_handed_over") or ()):
        shown["handed_over"] = False
    shown.update({mark: True for mark in ("leaked", "doubtful") if entry.get(mark)})
    shown.update({mark: True for mark in ("old_works", "made") if name in (seen.get(mark) or ())})
    if not entry["resumed"]:  # a run that goes on does not know when the window was opened
        window = _seconds(seen.get("changed"), [state.get("at") for state in states.values()])
        shown.update({} if window is None else {"window_seconds": window})
    return shown


def _clients(entries: Sequence[Mapping[str, Any]], seen: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The people whose Thunderbird uses one of these logins, by host; before a change or after it."""
    chosen = identities(entries)
    clients = {}
    for host, client in (seen.get("clients") or {}).items():
        persons = [person for person in people(client) if identity(person["login"]) in chosen]
        if not seen["outcome"]:  # check mode
            persons = [{"login": person["login"], "state": WOULD_UPDATE} for person in persons]
        if persons:
            clients[host] = persons
    return clients


def _tell(
    plan: Mapping[str, Any], outcome: Mapping[str, str], clients: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[str]:
    """The logins whose people must be told, as they log in from now on: no mail server and no managed profile knows."""
    known = {
        identity(person["login"])
        for persons in clients.values()
        for person in persons
        if person["state"] in (UPDATED, WOULD_UPDATE)
    }
    unchanged = (NOT_CHANGED, ROLLED_BACK, ROLLING_BACK)
    return sorted(
        entry["next_login"]
        for entry in plan["credentials"]
        if not entry["hosts"] and outcome.get(entry["name"]) not in unchanged and not known & identities([entry])
    )


def _lines(entry: Mapping[str, Any]) -> list[str]:
    """What is said of one credential: what became of it, what else is to be known, and its mail servers."""
    done = entry["outcome"] == COMMITTED
    moved = f", now {entry['next_login']}" if done and "next_login" in entry else ""
    window = f" after {entry['window_seconds']} s" if done and "window_seconds" in entry else ""
    reason = f" ({entry['reason']})" if entry.get("reason") else ""
    words = _WORDS[entry["outcome"]]
    if entry["outcome"] == PENDING and all(state["state"] == "active" for state in entry["hosts"].values()):
        place = "on every mail server" if entry["hosts"] else "at the vendor"
        words = f"has its new password {place}, but is not finished"
    lines = [f"{entry['name']}{moved} {words}{window}{reason}.", *(f"  {note}" for note in _notes(entry))]
    for host, state in sorted(entry["hosts"].items()):
        parts = [state["state"].replace("_", " "), state.get("reason", ""), state.get("waiting", "")]
        parts.append(_mail(state.get("mail")))
        lines.append(f"  {host}: " + ", ".join(part for part in parts if part))
    return lines


def _notes(entry: Mapping[str, Any]) -> list[str]:
    login, outcome = entry["login"], entry["outcome"]
    old_works = outcome == NOT_CHANGED or ("next_login" in entry and outcome in _OPEN)
    notes = []
    if entry.get("locked"):
        notes.append(f"{login} is locked at the vendor, and stays so until a run has finished")
    elif old_works and "locked" in entry:
        notes.append(f"{login} could not be locked, and its old password still works")
    elif old_works and outcome == PENDING:
        notes.append(f"{login} works as well, until nobody uses it and a run has removed it")
    if entry.get("old_works"):
        notes.append(f"{login} still gets in with the leaked password; lock it at the vendor, or run again")
    elif entry.get("leaked") and outcome in (UNPROVEN, NOT_CHANGED) and not entry.get("locked"):
        notes.append(f"{login} may still get in with the leaked password; lock it at the vendor")
    if entry.get("made"):
        notes.append(
            "the vendor had no such user, so it was made; if somebody had left, remove it, and take it out of the store"
        )
    if entry.get("doubtful"):
        notes.append(
            "its rotation was under way before this run, so its password is the one that was in use already; if that "
            "is the one that has leaked, rotate it once more"
        )
    if "handed_over" in entry:
        notes.append("the other store may not know the password that is in use; the next run hands it over again")
    return notes


def summary(data: Mapping[str, Any]) -> list[str]:
    """The report as lines of text."""
    lines = [line for entry in data["credentials"] for line in _lines(entry)]
    for host, persons in sorted(data["clients"].items()):
        for person in persons:
            reason = f", {person['reason']}" if person.get("reason") else ""
            lines.append(f"Thunderbird on {host}, {person['login']}: {person['state'].replace('_', ' ')}{reason}")
    if data["tell"]:
        before = {entry["next_login"]: entry["login"] for entry in data["credentials"] if "next_login" in entry}
        shown = [f"{login} (until now {before[login]})" if login in before else login for login in data["tell"]]
        lines.append(
            "No mail server uses these logins, and no managed Thunderbird has their new passwords; tell the people who "
            f"do: {', '.join(shown)}"
        )
    if data.get("not_looked_at"):
        lines.append(
            "These mail servers were not looked at; one that uses such a login all the same still has the old "
            f"password: {', '.join(data['not_looked_at'])}"
        )
    unfinished = [entry for entry in data["credentials"] if entry["outcome"] in _OPEN]
    if unfinished:
        # What has leaked is never used again.
        back = "." if any(entry.get("leaked") for entry in unfinished) else ", or set roll_back: true."
        lines.append(f"Not everything is done: run the same again{back}")
    return lines


def unfinished(data: Mapping[str, Any], *, roll_back: bool) -> list[str]:
    """The names of the credentials for which the run has failed; empty in check mode."""
    done = {COMMITTED, WOULD_ROTATE, *((ROLLED_BACK,) if roll_back else ())}
    return [
        entry["name"]
        for entry in data["credentials"]
        if entry["outcome"] not in done or (entry.get("doubtful") and entry["outcome"] != WOULD_ROTATE)
    ]


def _mail(numbers: Optional[Mapping[str, Optional[int]]]) -> str:
    """What the window has cost on one mail server, in words; empty where nobody has counted."""
    if numbers is None:
        return ""
    if numbers["deferred"] is None:
        return "no mail log, so what was deferred is not known"
    ends = [f"{numbers[name]} {name}" for name in ("delivered", "returned", "waiting") if numbers[name]]
    return f"{numbers['deferred']} mails were deferred{': ' if ends else ''}{', '.join(ends)}"


def _seconds(start: Optional[str], ends: Sequence[Optional[str]]) -> Optional[float]:
    """How long it took from the change at the vendor until the last mail server was active."""
    times = [_time(end) for end in ends if end]
    if not start or not times:
        return None
    return round((max(times) - _time(start)).total_seconds(), 1)


def _time(text: str) -> datetime:
    """In UTC; Ansible's own `now(utc=true)` does not say so."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
