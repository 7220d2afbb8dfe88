# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the playbook rotate_credentials; each is documented in the file of its name beside this one."""

from __future__ import annotations

from typing import Any, Callable

from ..module_utils import _rotation, _rotation_plan, _rotation_report


class FilterModule:
    """The filters, as ansible-core finds them."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by their names."""
        return {
            "rotation_left": _rotation.left,
            "rotation_locked": _rotation.locked,
            "rotation_locks": _rotation.locks,
            "rotation_logins": _rotation.logins,
            "rotation_old_users": _rotation.old_users,
            "rotation_outcome": _rotation.outcome,
            "rotation_plan": _rotation_plan.plan,
            "rotation_problems": _rotation_plan.problems,
            "rotation_report": _rotation_report.report,
            "rotation_settled": _rotation.settled,
            "rotation_strays": _rotation_plan.strays,
            "rotation_summary": _rotation_report.summary,
            "rotation_taken": _rotation.taken,
            "rotation_undone": _rotation.undone,
            "rotation_unproven": _rotation.unproven,
            "rotation_users": _rotation.users,
        }
