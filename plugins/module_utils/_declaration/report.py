# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `apply` says at its end: what was changed, what differs from what is declared, what a person has to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._users.user import counted

CLEAN, DRIFT, FAILED = "clean", "drift", "failed"
#: So many lines of one kind are said; programs find all of them in the result.
_MOST = 50
_NOT_DONE = ("failed", "not_attempted")
#: With something that is not known.
_NOT_CHANGED = ("unknown", "unchanged")
#: What is said once of all senders that it is about.
_NOTES = {
    "no_limits": "{}: this server has no call that changes limits, so they are as they were; see api_methods",
    "other_in_force": (
        "{}: there already with a password that the store does not have. Put that one into the store "
        "(credential_store), or say update_password: always in the description for one run, which sets a new one"
    ),
}


def report(
    data: Mapping[str, Any],
    hosts: Mapping[str, Mapping[str, Any]],
    clients: Mapping[str, Mapping[str, Any]],
    *,
    check: bool,
) -> dict[str, Any]:
    """The report of a run.

    data: what the phases hand on. hosts, clients: what became of each mail server, and of each computer. Gives `status`
    (CLEAN, DRIFT or FAILED), `changes`, `drift`, `failures`, `to_do`, all lists of sentences, and `summary`, the lines
    that are printed.
    """
    changed = [one for one in data["changes"] if one["action"] not in (*_NOT_DONE, *_NOT_CHANGED)]
    changes = [f"{_name(one)}: {_would(one['action'], check=check)}" for one in changed]
    changes += [
        f"mail server {host}: {_would('changed', check=check)}{_sends_as(data['mail_servers'].get(host) or {})}"
        for host, state in hosts.items()
        if state.get("changed")
    ]
    changes += [
        f"Thunderbird on {host}: {_would('changed', check=check)}"
        for host, state in clients.items()
        if state.get("changed")
    ]
    drift = [*(changes if check else ()), *_differences(data)]
    failures = _failures(data, hosts, clients)
    to_do = [*data["to_do"], *(_NOTES[what].format(_names(names)) for what, names in sorted(data["notes"].items()))]
    to_do += [
        f"mail server {host}: nothing says as what it sends, so it was left as it is; name it in relay or default_for "
        "of a sender"
        for host in data["left_alone"]
    ]
    unknown = [f"{_name(one)}: {_reason(one)}" for one in data["changes"] if one["action"] in _NOT_CHANGED]
    status = FAILED if failures else DRIFT if drift else CLEAN
    found = {
        "status": status,
        "changes": changes,
        "drift": drift,
        "failures": failures,
        "unknown": unknown,
        "to_do": to_do,
    }
    return {**found, "summary": _summary(found, data, hosts, check=check)}


def _differences(data: Mapping[str, Any]) -> list[str]:
    """What no run changes by itself: leavers, descriptions that have vanished, and strangers."""
    advice = "" if data.get("removes") else ": describe it again, or remove it with -e spamexperts_remove=true"
    leavers = (
        f"{one['login']} may still send, and is declared no more (its place was {one['place'] or 'lost'}){advice}"
        for one in data["leavers"]
    )
    vanished = (
        f"{gone[0]['place'] or domain} described {counted(len(gone), 'sender')} of {domain} and is not there any more; "
        "nobody is removed for that. Bring it back, or, to remove them, describe the domain with senders: []"
        for domain, gone in data["vanished"].items()
    )
    strangers = (f"{one['login']} may send, and nobody has ever declared it (a stranger)" for one in data["strangers"])
    people = (
        f"{one['login']} is entered in the Thunderbird of {one['person'] or 'somebody'} on {one['host']}, and people "
        f"names that one no more{advice.replace('describe it', 'name that one')}"
        for one in data["former_people"]
    )
    return [*leavers, *people, *vanished, *strangers]


def _failures(
    data: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]], clients: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    found = [f"{_name(one)}: {_reason(one)}" for one in data["changes"] if one["action"] in _NOT_DONE]
    found += data["problems"]
    found += [
        f"account {name} with {counted(one['domains'], 'domain')} was not looked at: {one['reason']}"
        for name, one in data.get("unreached", {}).items()
    ]
    for noun, states in (("mail server", hosts), ("Thunderbird on", clients)):
        found += [f"{noun} {host}: {_why(state)}" for host, state in states.items() if not state.get("done")]
    return found


def _summary(found: Mapping[str, Any], data: Mapping[str, Any], hosts: Mapping[str, Any], *, check: bool) -> list[str]:
    lines = [*_some(found["failures"], "FAILED: "), *_some(found["changes"]), *_some(found["unknown"], "not known: ")]
    said = set(found["changes"])
    lines += _some([line for line in found["drift"] if line not in said], "differs: ")
    lines += _some(found["to_do"], "to do: ")
    lines += _by_sender(data["mail_servers"], hosts)
    lines.append(
        f"As declared{'' if check else ' before this run'}: {data['same']} of {counted(data['senders'], 'sender')} in "
        f"{counted(data['domains'], 'domain')}, and "
        f"{sum(1 for state in hosts.values() if state.get('done') and not state.get('changed'))} of "
        f"{counted(len(hosts), 'mail server')}."
    )
    tested = [host for host, state in hosts.items() if state.get("test_mail")]
    if tested:
        lines.append(f"The smarthost has taken a test mail from {_names(tested)}.")
    return [*lines, *_proofs(data["passwords"], check=check)]


def _proofs(passwords: Mapping[str, int], *, check: bool) -> Iterable[str]:
    total = counted(sum(passwords.values()), "password")
    if passwords.get("earlier"):
        yield (
            f"Not tried in this run: {passwords['earlier']} of {total}, which an earlier run has proven "
            "(spamexperts_prove=all tries them)."
        )
    if passwords.get("unproven") and not check:
        yield f"Not proven: {passwords['unproven']} of {total}."


def _some(lines: Sequence[str], before: str = "") -> Iterable[str]:
    yield from (f"{before}{line}" for line in lines[:_MOST])
    if len(lines) > _MOST:
        yield f"{before}and {len(lines) - _MOST} more, see spamexperts_result_file"


def _name(one: Mapping[str, Any]) -> str:
    if one["kind"] == "domain":
        return f"domain {one['domain']}"
    return str(one.get("login") or (f"{one['username']}@{one['domain']}" if one["username"] else one["domain"]))


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _would(action: str, *, check: bool) -> str:
    return f"would be {action}" if check else action


def _reason(one: Mapping[str, Any]) -> str:
    unknown = f"{', '.join(one['unknown'])} cannot be compared" if one.get("unknown") else "nobody knows its state"
    return str(one.get("reason") or (unknown if one["action"] in _NOT_CHANGED else one["action"]))


def relay_lines(
    servers: Mapping[str, Mapping[str, Any]], hosts: Mapping[str, Mapping[str, Any]], domain: str
) -> dict[str, str]:
    """What is to be said of each mail server that sends the mail of this domain."""
    lines = {}
    for host, server in servers.items():
        named = [entry["login"] for entry in server.get("logins", ()) if f"@{domain}" in entry["senders"]]
        login = named[0] if named else server.get("login")
        if login is not None and login.rpartition("@")[2] in ("", domain):
            state = hosts.get(host, {})
            done = "changed" if state.get("changed") else "unchanged"
            sends = f"{done}, sends {f'as {login}' if login else 'by its address'}"
            lines[host] = sends if state.get("done") else _why(state)
    return lines


def _sends_as(server: Mapping[str, Any]) -> str:
    if not server:
        return ""
    if server["authentication"] == "ip":
        return ", sends by its address"
    more = len(server["logins"])
    return f", sends as {server['login']}{f' and {more} more' if more else ''}"


def _by_sender(servers: Mapping[str, Any], hosts: Mapping[str, Any]) -> Iterable[str]:
    """What logins by sender cost, said where a mail server changes, and not in each run."""
    names = [host for host, state in hosts.items() if state.get("changed") and (servers.get(host) or {}).get("logins")]
    if names:
        yield (
            f"note: {_names(names)}: Postfix opens a connection for each mail there, as the login goes by the sender. "
            "Where one login for all mail of the host would do, name the host in default_for of that one, and in "
            "relay of none."
        )


def _why(state: Mapping[str, Any]) -> str:
    return str(state.get("reason") or "not reached, or not finished; see above, and run again")
