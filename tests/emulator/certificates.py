# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The throw-away certificate authority, and the server certificate for each start."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import trustme


def server_context(directory: Path, names: list[str]) -> tuple[ssl.SSLContext, Path]:
    """A TLS context for these DNS names and addresses, and the file of the authority, which stays the same."""
    authority_file, key_file = directory / "ca.pem", directory / "ca-key.pem"
    if authority_file.exists() and key_file.exists():
        authority = trustme.CA.from_pem(authority_file.read_bytes(), key_file.read_bytes())
    else:
        authority = trustme.CA(organization_name="Emulator, for tests only")
        descriptor = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(authority.private_key_pem.bytes())
        authority.cert_pem.write_to_path(str(authority_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context, authority_file
