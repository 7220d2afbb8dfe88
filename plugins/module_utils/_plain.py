# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a playbook gave, in Python's own containers. Pure, no I/O."""

from __future__ import annotations

from typing import Any


def plain(value: Any) -> Any:
    """The same in dict, list and tuple as they are; other values, and what marks a text as unsafe, stay.

    From 2.19 on ansible-core has containers that template what is taken out of them. A copy.deepcopy of one, as
    ArgumentSpecValidator makes it, copies the templating engine with every variable, once for each container in it.
    hostvars is no dict, and is left as it is: copied, it would be all variables of all hosts.
    """
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    return value
