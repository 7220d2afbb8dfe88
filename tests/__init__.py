# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests, the programs that they need, and the tools of the maintainers."""

from pathlib import Path

#: The checkout.
ROOT = Path(__file__).resolve().parents[1]
