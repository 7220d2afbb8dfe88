# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nameservers are asked, and for how long."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of every module that looks into DNS."""

    DOCUMENTATION = r"""
requirements:
  - dnspython >= 2.1
  - idna
options:
  nameservers:
    description: IP addresses of the nameservers to ask. Those of the host that the module runs on by default.
    type: list
    elements: str
  port:
    description: The port of the nameservers.
    type: int
    default: 53
  timeout:
    description: How many seconds one question may take, its repetitions included, from 1 to 60.
    type: int
    default: 5
"""
