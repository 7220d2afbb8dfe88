# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells ansible-core which texts are secret, where it wants to know (2.22 and later)."""

from __future__ import annotations

try:
    from ansible.module_utils.secrets import register_secret as _register
except ImportError:
    _register = None


def register_secret(*secrets: str) -> None:
    """Have these texts masked in what Ansible prints. Older cores have nothing to register with."""
    if _register is not None:
        for secret in filter(None, secrets):
            _register(secret)
