# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that a chrooted SMTP client needs: Debian's service copies them, a bare `postfix start` does not."""

from __future__ import annotations

from pathlib import Path

from . import files
from .commands import Instance

# What Debian 12 and Ubuntu run before each start of the service; "-" is the main instance. From Debian 13 on it only
# works for `postfix start`, which then fills the chroot itself.
SCRIPT = "usr/lib/postfix/configure-instance.sh"
MAIN_INSTANCE = "/etc/postfix"
_FILES = ("etc/resolv.conf", "etc/hosts", "etc/services", "etc/nsswitch.conf")


def missing(instance: Instance, root: Path = Path("/")) -> list[str]:
    """The files that the chroot of the main instance lacks, by their paths inside it."""
    script = files.read(str(root / SCRIPT))
    if instance.config_directory != MAIN_INSTANCE or script is None or b"internal script" in script:
        return []
    service = instance.services().get("smtp/unix")
    if service is None or service[4] != "y":
        return []
    queue = root / instance.effective(["queue_directory"])["queue_directory"].lstrip("/")
    return [name for name in _FILES if (root / name).exists() and not (queue / name).exists()]


def fill(instance: Instance) -> None:
    """Let the package copy what its chroot needs."""
    instance.run_script(f"/{SCRIPT}", "-")
