# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an account of the vendor has, as far as it shows that. Only reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..module_utils._names import normalise_domain
from ..module_utils._users.user import Key
from ._owner import StopError

#: Asks a module: its name, why, its options.
Ask = Callable[[str, str, dict[str, Any]], dict[str, Any]]

#: Codes of a failure that says only that the account, or the server, does not show something.
_NOT_SHOWN = ("no_permission", "unsupported", "bad_reply", "not_offered", "not_found", "other")
_SETTINGS, _IDENTITY = "set_settings", ("domain", "username", "authentication_method")


@dataclass
class Account:
    """An account. domains: by their ASCII names, those that it has, as domain_info shows them.

    shown_users: as outgoing_user_info shows them; listed: whether these are all. settable: free settings that a call
    changes. unknown: what it does not show, one sentence each.
    """

    name: str
    domains: dict[str, dict[str, Any]] = field(default_factory=dict)
    listed: bool = False
    shown_users: list[dict[str, Any]] = field(default_factory=list)
    settable: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    @property
    def users(self) -> dict[Key, dict[str, Any]]:
        """The users by who they are."""
        return {Key.of_result(user): user for user in self.shown_users}

    def to_run(self) -> dict[str, Any]:
        """For the next phase. It holds no secret."""
        return asdict(self)

    @classmethod
    def from_run(cls, given: Mapping[str, Any]) -> Account:
        """What `to_run` gave."""
        return cls(**given)


def look_at_account(name: str, options: dict[str, Any], named: Sequence[str], ask: Ask) -> Account:
    """Ask an account for its domains and their users.

    named: domains of logins that were found, of which it is asked as well where it does not list them. Raises StopError
    where it cannot be asked at all.
    """
    account = Account(name)
    info = ask("api_info", f"see what the API offers with the account {name}", options)
    _refuse(info, name)
    for method in info["methods"]:
        if method["operation"] == _SETTINGS and method["offered"]:
            account.settable = [one for one in method["parameters"] if one not in _IDENTITY]
    answer = ask("domain_info", f"see the domains of the account {name}", options)
    if not _is_shown(answer, name):
        account.unknown.append(
            f"account {name}: it does not list its domains ({_reason(answer)}), so only those of the logins that were "
            "found are known"
        )
    _take_domains(account, answer)
    others = [domain for domain in named if domain not in account.domains]
    if others:
        more = ask("domain_info", f"see whether the account {name} has them", {**options, "domains": others})
        _refuse(more, name)
        _take_domains(account, more)
    if not account.domains:
        return account
    why = ""
    if info["works"]["read_users"]:
        arguments = {**options, "domains": sorted(account.domains)}
        answer = ask("outgoing_user_info", f"see who may send in the account {name}", arguments)
        if _is_shown(answer, name):
            account.listed, account.shown_users = True, answer["users"]
            return account
        why = f" ({_reason(answer)})"
    account.unknown.append(
        f"account {name}: it does not show its senders{why}, so only those are known whose logins work, and no limits"
    )
    return account


def _take_domains(account: Account, answer: Mapping[str, Any]) -> None:
    for one in answer.get("domains", ()):
        if one["exists"]:
            account.domains[normalise_domain(one["domain"])] = one


def _is_shown(answer: Mapping[str, Any], name: str) -> bool:
    if answer.get("failed") and (answer.get("failure") or {}).get("code") in _NOT_SHOWN:
        return False
    _refuse(answer, name)
    return True


def _refuse(answer: Mapping[str, Any], name: str) -> None:
    if answer.get("failed"):
        raise StopError(
            f"The account {name} cannot be asked: {answer.get('msg')} Nothing was changed. To take over passwords "
            "alone, without it, say spamexperts_describe: false."
        )


def _reason(answer: Mapping[str, Any]) -> str:
    return str(answer.get("msg")).rstrip(".")
