# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several mail servers on one machine: real sshd and real Postfix, each in namespaces of its own."""

from __future__ import annotations

from tests.fleet.fleet import AUTHORITY, SMARTHOST_NAME, Fleet, fleet_emulator, why_impossible
from tests.fleet.host import Host, SteadyMail
from tests.fleet.network import FleetError

__all__ = [
    "AUTHORITY",
    "SMARTHOST_NAME",
    "Fleet",
    "FleetError",
    "Host",
    "SteadyMail",
    "fleet_emulator",
    "why_impossible",
]
