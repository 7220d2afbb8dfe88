# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the playbook offboard_user; each is documented in the file of its name beside this one."""

from __future__ import annotations

from typing import Any, Callable

from ..module_utils._declaration import offboarding
from ..module_utils._plain import given_plain


class FilterModule:
    """The filters, as ansible-core finds them."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by their names."""
        filters: dict[str, Callable[..., Any]] = {
            "offboarding_problems": offboarding.problems,
            "offboarding_remaining": offboarding.remaining,
            "offboarding_unnamed": offboarding.unnamed,
            "offboarding_users": offboarding.users,
            "offboarding_uses": offboarding.uses,
        }
        return {name: given_plain(function) for name, function in filters.items()}
