# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Postfix that a module is about."""

from __future__ import annotations


class ModuleDocFragment:
    """The option of every module that works with a Postfix on its host, and what it needs there."""

    DOCUMENTATION = r"""
options:
  config_directory:
    description:
      - Configuration directory of the Postfix instance, for hosts with several.
      - The default is the main instance, usually V(/etc/postfix).
    type: path
requirements:
  - Python 3.9 or newer
"""
