# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the playbook rotate_credentials; each is documented in the file of its name beside this one."""

from __future__ import annotations

from typing import Any, Callable

from ..module_utils._plain import given_plain
from ..module_utils._rotation import description, objections, outcome, plan, report, requests


class FilterModule:
    """The filters, as ansible-core finds them."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by their names."""
        filters: dict[str, Callable[..., Any]] = {
            "rotation_left": outcome.left,
            "rotation_locked": objections.locked,
            "rotation_locks": requests.locks,
            "rotation_logins": requests.logins,
            "rotation_old_users": outcome.old_users,
            "rotation_outcome": outcome.outcome,
            "rotation_plan": plan.plan,
            "rotation_problems": description.problems,
            "rotation_report": report.report,
            "rotation_settled": outcome.settled,
            "rotation_strays": objections.strays,
            "rotation_summary": report.summary,
            "rotation_taken": outcome.taken,
            "rotation_undone": outcome.undone,
            "rotation_unproven": outcome.unproven,
            "rotation_unwell": objections.unwell,
            "rotation_users": requests.users,
        }
        return {name: given_plain(function) for name, function in filters.items()}
