# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose descriptions are read."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the actions that write files for people who are described."""

    DOCUMENTATION = r"""
options:
  path:
    description: The folder with the descriptions; see M(smarthost.spamexperts.declaration).
    type: path
    default: ./domains
  domains:
    description: More descriptions; see M(smarthost.spamexperts.declaration).
    type: raw
    default: []
  defaults:
    description: What lies beneath every description; see M(smarthost.spamexperts.declaration).
    type: raw
    default: {}
  accounts:
    description: Names of the accounts that a description may name. If not given, it may name any.
    type: list
    elements: str
"""
