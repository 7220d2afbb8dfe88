# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the playbook onboard_domain; each is documented in the file of its name beside this one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable, Optional

from ansible.errors import AnsibleFilterError

from ..module_utils._declaration import onboarding as _onboarding
from ..module_utils._declaration import onboarding_summary
from ..module_utils._names import InputError
from ..module_utils._passwords import PasswordFileError, read_or_generate
from ..module_utils._plain import given_plain


def _resolved(sender: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sender with the whole path of its file: modules run in another folder than that of the run."""
    path = sender.get("password_file")
    return {**sender, "password_file": str(Path(path).expanduser().absolute())} if path else dict(sender)


def onboarding_users(onboarding: Mapping[str, Any], limits_offered: bool = True) -> list[dict[str, Any]]:
    """Return the users."""
    return [_resolved(user) for user in _onboarding.users(onboarding, limits_offered)]


def onboarding_relay(onboarding: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """Return the sender, None where there is none."""
    sender = _onboarding.relay_sender(onboarding)
    return None if sender is None else _resolved(sender)


def onboarding_people(
    onboarding: Mapping[str, Any], wanted: Sequence[Mapping[str, Any]], check_mode: bool = False
) -> list[dict[str, Any]]:
    """Return the people. Raises AnsibleFilterError for somebody without a name, and for a password file that is not
    there or cannot be read.
    """

    def read(path: str) -> str:
        password, new = read_or_generate(path, write=False)
        if new and not check_mode:
            raise PasswordFileError(
                f"password_file {path} is not there, so nobody knows the password; run the playbook without --limit, "
                "which makes it"
            )
        return password

    try:
        return _onboarding.people(onboarding, wanted, read)
    except (InputError, PasswordFileError) as problem:
        raise AnsibleFilterError(f"{problem}.") from None


class FilterModule:
    """The filters, as ansible-core finds them."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by their names."""
        filters: dict[str, Callable[..., Any]] = {
            "onboarding_left_alone": _onboarding.left_alone,
            "onboarding_people": onboarding_people,
            "onboarding_problems": _onboarding.problems,
            "onboarding_relay": onboarding_relay,
            "onboarding_summary": onboarding_summary.summary,
            "onboarding_users": onboarding_users,
        }
        return {name: given_plain(function) for name, function in filters.items()}
