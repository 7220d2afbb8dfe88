# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a task fails, in words for programs. ansible-core has no fragments for return values, so these are notes."""

from __future__ import annotations


class ModuleDocFragment:
    """The words of C(failure.code); the sections add what only some modules have."""

    DOCUMENTATION = r"""
options: {}
notes:
  - When the task fails, C(failure.code) says why in a word for programs, beside the sentence for people in C(msg).
    V(invalid_options) means that an option is wrong or missing, or that options do not fit together. Nothing was done
    then.
"""
