# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module can do, said once."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes of all modules; the sections add what only some have."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and returns what it would change, without changing it.
    support: full
  diff_mode:
    description: Returns what has changed, or would change, in C(diff_mode). A diff never holds a secret.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
  platform:
    description: Systems on which it runs.
    support: full
    platforms: posix
"""

    API = r"""
options: {}
attributes:
  action_group:
    description: Set the connection once for all modules of this group with C(module_defaults).
    support: full
    membership:
      - smarthost.spamexperts.api
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    description: Runs in C(check_mode) as it does without; it changes nothing.
    support: full
  diff_mode:
    description: Has nothing to show in C(diff_mode), as it changes nothing.
    support: N/A
  idempotent:
    description: Changes nothing.
    support: N/A
  platform:
    description: Systems on which it runs.
    support: full
    platforms: posix
"""
