# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a credential store holds, read and written without the collection's own code."""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.vault import VaultLib, VaultSecret


def read_whole_store(path: Path, vault_password: str) -> dict[str, Any]:
    """All that is in the file."""
    vault = VaultLib([("any", VaultSecret(vault_password.encode()))])
    return dict(yaml.safe_load(vault.decrypt(path.read_bytes())))


def read_store(path: Path, vault_password: str) -> dict[str, dict[str, str]]:
    """The credentials by their names."""
    return dict(read_whole_store(path, vault_password)["credentials"])


def write_store(path: Path, vault_password: str, credentials: Mapping[str, Mapping[str, str]]) -> None:
    """Have a store with exactly these credentials."""
    secret = VaultSecret(vault_password.encode())
    text = json.dumps({"format": 1, "credentials": credentials})
    path.write_bytes(VaultLib([("any", secret)]).encrypt(text, secret))


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Have the kernel refuse to write more than `size` bytes to a file, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
