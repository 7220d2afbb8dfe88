# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate authority in Thunderbird's enterprise policies, merged into what an administrator has there.

Policy `Certificates: Install`: Thunderbird's Policies.sys.mjs. It reads one certificate from each file, with the rights
of the person, and adds it to the profile at the next start.
"""

from __future__ import annotations

import json
import os
import ssl
import stat
from pathlib import Path
from typing import Any

from .._names import InputError
from . import files
from .errors import ThunderbirdError
from .installation import PACKAGE, installations

SYSTEM_FILE = Path("/etc/thunderbird/policies/policies.json")


def policies_file(program_directory: str) -> Path:
    """The file that Thunderbird reads (EnterprisePoliciesParent.sys.mjs): the system's, else the program's own.

    Where both could be, a new system file would put the program's own out of action.
    """
    if not os.access(SYSTEM_FILE, os.F_OK):
        for installation in installations(program_directory, Path("/")):
            own = installation.directory / "distribution" / "policies.json"
            if installation.kind is PACKAGE and own.exists():
                return own
    return SYSTEM_FILE


def require_authority(path: Path) -> None:
    """InputError unless this file has exactly one authority that everybody on the host can read."""
    # What update-ca-certificates keeps are links.
    real = Path(os.path.realpath(path))
    text = (files.read(real) or b"").decode("ascii", "ignore")
    if not path.is_absolute() or not text:
        raise InputError(f"path: there is no certificate in {path}; give the absolute path of a PEM file on the host")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=text)
    except ssl.SSLError:
        raise InputError(f"path: {path} is not a certificate in PEM form") from None
    count = context.cert_store_stats()
    if (count["x509"], count["x509_ca"]) != (1, 1):
        raise InputError(
            f"path: Thunderbird takes one authority from each file, and {path} has {count['x509']} certificates, "
            f"{count['x509_ca']} of them authorities"
        )
    for part in (path, *path.parents, *real.parents):
        if not part.stat().st_mode & (stat.S_IXOTH if part.is_dir() else stat.S_IROTH):
            raise InputError(f"path: Thunderbird runs as the person, who may not read {path} because of {part}")


def merge(content: bytes | None, authority: str, *, present: bool) -> bytes | None:
    """The policies with, or without, the authority; None: no file. What is already so comes back as it is.

    Raises ThunderbirdError where the content is not what Thunderbird could read.
    """
    try:
        document: Any = json.loads(content.decode("utf-8")) if content is not None else {"policies": {}}
        policies = document["policies"]
        certificates = policies.get("Certificates", {})
        installed = certificates.get("Install", [])
        if not isinstance(installed, list):
            raise TypeError("Install")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ThunderbirdError(
            "the policies file is not an object with the member policies, as Thunderbird needs it; correct it first"
        ) from None
    if (authority in installed) == present:
        return content
    if present:
        policies["Certificates"] = {**certificates, "Install": [*installed, authority]}
    else:
        certificates["Install"] = [path for path in installed if path != authority]
        if not certificates["Install"]:
            del certificates["Install"]
        if not certificates:
            del policies["Certificates"]
        if document == {"policies": {}}:
            return None
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def replace(path: Path, content: bytes | None) -> None:
    """Write the file for everybody to read, or remove it. Raises OSError."""
    if content is None:
        path.unlink()
        return
    mask = os.umask(0o022)  # and no chmod afterwards, which a kill could forestall for ever
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    finally:
        os.umask(mask)
    with files.stage(path.parent) as stage:
        files.write(stage / path.name, content)
        (stage / path.name).chmod(stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o644)
        files.move([path.name], stage, path.parent)
