# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an audit looks at from the controller: the descriptions, the store, the vendor and DNS. It only reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..module_utils._audit.seen import Account, Computer, Host, Passwords, Seen, user_of_result
from ..module_utils._audit.servers import is_below
from ..module_utils._declaration import identities
from ..module_utils._declaration.description import Description
from ..module_utils._declaration.hosts import people_of_hosts
from ..module_utils._declaration.identities import account_of
from ..module_utils._names import InputError, normalise_domain
from ..module_utils._smarthost.options import asked_place
from ._credentials import Credentials
from ._declared import declared
from ._secrets import register_secret
from ._store import Store, StoreError

#: Runs a module of the collection on the controller: its name and its options; the result, which may say `failed`.
Call = Callable[[str, dict[str, Any]], dict[str, Any]]

_NO_LIST = "this server has no call that lists senders; see api_methods"
#: Of the vendor at once, of which nothing is said; it takes more than one.
_CONCURRENCY = 8


class AuditError(ValueError):
    """The audit cannot begin; the message is for people."""


class Auditor:
    """Looks. Each method gives what it has seen, or the reason why it has not."""

    def __init__(self, options: Mapping[str, Any], store: Store, call: Call) -> None:
        """options: as the module `audit` documents them."""
        self._options, self._store, self._call = options, store, call
        self.warnings: list[str] = []

    def look(self) -> Seen:
        """Everything. Raises AuditError with what is wrong with the descriptions."""
        options = self._options
        descriptions, servers, problems, self.warnings = declared(
            {**options, "path": options["domains_path"], "accounts": sorted({"default", *options["accounts"]})},
            options["groups"],
            options["mail_servers"],
        )
        if problems:
            more = f" {len(problems) - 1} more: see what the module declaration says." if len(problems) > 1 else ""
            raise AuditError(f"{problems[0]}{more}")
        credentials, reason = self._read()
        hosts = {name: host_of(options["hosts"].get(name) or {}) for name in options["mail_servers"]}
        accounts = {name: self._account(name) for name in sorted({account_of(one) for one in descriptions})}
        dns, no_dns = self._dns(descriptions, envelope_domains(descriptions, hosts.values()))
        return Seen(
            descriptions,
            identities.from_store(credentials.declared),
            servers,
            accounts,
            hosts,
            self._passwords(credentials, reason),
            dns,
            no_dns,
            {name: computer_of(options["computers"].get(name) or {}) for name in options["clients"]},
            people_of_hosts(
                [sender for one in descriptions for sender in one.senders],
                *((), {}),
                lambda sender: sender.login,
                options["groups"],
            ),
        )

    def _read(self) -> tuple[Credentials, str]:
        if not self._store.path.exists():
            return Credentials(), f"there is no credential store at {self._store.path}"
        try:
            credentials = self._store.read()
            for entry in credentials.entries.values():
                register_secret(entry.current, entry.next, entry.former)
        except (StoreError, InputError) as problem:
            return Credentials(), str(problem)
        return credentials, ""

    def _passwords(self, credentials: Credentials, reason: str) -> Passwords:
        entries = credentials.entries.values()
        by_password: dict[str, list[str]] = {}
        for entry in entries:
            by_password.setdefault(entry.in_use[1], []).append(entry.name)
        in_use = {entry.name: entry.in_use[0] for entry in entries}
        others = [login for one in entries for login in (one.login, one.next_login, one.former_login) if login]
        same = [names for names in by_password.values() if len(names) > 1]
        accepted, refused, not_tried = self._prove(credentials) if self._options["prove"] == "all" else ([], [], "")
        return Passwords(in_use, others, same, refused, accepted, reason, not_tried)

    def _prove(self, credentials: Credentials) -> tuple[list[str], list[str], str]:
        """Which logins are accepted and refused, and why the rest was not tried."""
        pairs = [entry.in_use for entry in credentials.entries.values()]
        if not pairs:
            return [], [], ""
        logins = [{"login": login, "password": password} for login, password in pairs]
        arguments = {**asked_place(self._options), "logins": logins, "fail_on_refusal": False}
        answer = self._call("smtp_login_info", arguments)
        shown = answer.get("logins") or ()
        reasons = [str(one["reason"]) for one in shown if one["accepted"] is None]
        return (
            [one["login"] for one in shown if one["accepted"] is True],
            [one["login"] for one in shown if one["accepted"] is False],
            str(answer.get("msg")) if answer.get("failed") else next(iter(reasons), ""),
        )

    def _account(self, name: str) -> Account:
        options = dict(self._options["accounts"].get(name) or {})
        answer = self._call("api_info", options)
        if answer.get("failed"):
            return Account(no_users=str(answer.get("msg")), no_domains=str(answer.get("msg")))
        works = answer["works"]
        users, no_users = None, _NO_LIST
        if works.get("read_users"):
            shown = self._call("outgoing_user_info", {**options, "concurrency": _CONCURRENCY})
            no_users = str(shown.get("msg"))
            users = None if shown.get("failed") else [user_of_result(user) for user in shown["users"]]
        shown = self._call("domain_info", {**options, "concurrency": _CONCURRENCY})
        if shown.get("failed"):
            return Account(works, users, no_users, None, str(shown.get("msg")))
        domains = {normalise_domain(one["domain"]): one for one in shown["domains"]}
        return Account(works, users, no_users, domains)

    def _dns(self, descriptions: Iterable[Description], others: set[str]) -> tuple[dict[str, Any] | None, str]:
        asked = {one.domain: dns_of(one.options) for one in descriptions}
        asked.update({domain: {} for domain in others - set(asked)})
        place = {name: self._options[name] for name in ("nameservers", "port")}
        given = {name: value for name, value in place.items() if value is not None}
        domains = [{"domain": name, **options} for name, options in sorted(asked.items())]
        answer = self._call("sender_dns_info", {"domains": domains, **given})
        if answer.get("failed"):
            return None, str(answer.get("msg"))
        return {normalise_domain(one["domain"]): one for one in answer["domains"]}, ""


def dns_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """What a description says of the DNS of its domain, as sender_dns_info takes it."""
    names = {"include": options.get("spf_include"), "selectors": options.get("dkim_selectors")}
    return {name: value for name, value in names.items() if value}


def host_of(state: Mapping[str, Any]) -> Host:
    """What the tasks on a mail server have seen."""
    relay, queue = state.get("relay") or {}, state.get("queue") or {}
    return Host(
        relay if "installed" in relay else None,
        str(state.get("no_relay") or relay.get("msg") or ""),
        queue if "waiting" in queue else None,
        str(state.get("no_queue") or queue.get("msg") or ""),
        str(state.get("smarthost") or ""),
    )


def computer_of(state: Mapping[str, Any]) -> Computer:
    """What the tasks on a computer of people have seen."""
    profiles = state.get("profiles")
    return Computer(None if profiles is None else profiles, str(state.get("msg") or ""))


def envelope_domains(descriptions: Iterable[Description], hosts: Iterable[Host]) -> set[str]:
    """The domains with which mail servers send: those of their tables, and of the log those below a described one."""
    described, found = {one.domain for one in descriptions}, set()
    for host in hosts:
        keys = [str(entry["key"]) for entry in (host.relay or {}).get("logins", ())]
        used = [key.rpartition("@")[2] for key in keys if "@" in key]
        used += [each for each in (host.queue or {}).get("sender_domains") or () if is_below(each, described)]
        for domain in used:
            try:
                found |= {normalise_domain(domain)} if domain else set()
            except InputError:
                continue
    return found
