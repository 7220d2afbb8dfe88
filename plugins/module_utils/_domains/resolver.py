# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads DNS with dnspython; the only file that imports it."""

from __future__ import annotations

import importlib.util
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Optional, TypeVar

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .._names import InputError
from .spf import Lookup, LookupFailure

try:
    import dns.exception
    import dns.name
    import dns.resolver

    IMPORT_ERROR = ""
except ImportError:
    IMPORT_ERROR = traceback.format_exc()


#: Domains that are looked at at once.
_CONCURRENCY = 8
Asked = TypeVar("Asked")
Found = TypeVar("Found")


def look_at_each(
    module: AnsibleModule,
    checked: Callable[[Mapping[str, Any]], Sequence[Asked]],
    look: Callable[[Asked, Lookup], Found],
) -> list[Found]:
    """What is found of each domain that the options name. Ends the module where they, or this host, do not serve.

    checked: what to look at, by the options; it raises InputError.
    """
    require_dnspython(module)
    params = module.params
    try:
        asked = checked(params)
        resolver = Dns(params["nameservers"], params["port"], params["timeout"])
    except InputError as problem:
        module.fail_json(msg=str(problem), code=problem.code)
    except LookupFailure as failure:
        text = f"No nameserver is known where the module runs ({failure}); name some as nameservers."
        module.fail_json(msg=text, code="no_nameserver")
    with ThreadPoolExecutor(max_workers=_CONCURRENCY) as pool:
        return list(pool.map(lambda one: look(one, resolver.lookup), asked))


def require_dnspython(module: AnsibleModule) -> None:
    """End the module, saying what to install, where Python has no dnspython, or not what domain names need."""
    if IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("dnspython"), code="missing_library", exception=IMPORT_ERROR)
    if importlib.util.find_spec("idna") is None:
        text = missing_required_lib("idna", reason="for internationalised domain names")
        module.fail_json(msg=text, code="missing_library")


class Dns:
    """Asks the given nameservers (IP addresses), or those of this host; safe for use by several threads."""

    def __init__(self, nameservers: Optional[Sequence[str]], port: int, timeout: float) -> None:
        """timeout: seconds for one question, all repetitions included. Raises LookupFailure without a nameserver."""
        try:
            self._resolver = dns.resolver.Resolver(configure=nameservers is None)
        except dns.exception.DNSException as error:
            raise LookupFailure(str(error)) from None
        if nameservers is not None:
            self._resolver.nameservers = list(nameservers)
        self._resolver.port = port
        self._resolver.lifetime = timeout
        # The provider's records are needed for every domain, and asked for once.
        self._resolver.cache = dns.resolver.LRUCache()

    def lookup(self, name: str, kind: str) -> list[str]:
        """The records of type A, AAAA, MX (names) or TXT (joined strings); none where there are none.

        Raises LookupFailure when no nameserver gave an answer.
        """
        try:
            # Label by label, since a backslash in a name is an escape to dnspython, and one that it may stumble over.
            full_name = dns.name.Name([*name.encode().split(b"."), b""])
            answer = self._resolver.resolve(full_name, kind)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.DNSException as error:
            raise LookupFailure(str(error).rstrip(".")) from None
        if kind == "TXT":
            return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]
        if kind == "MX":
            return [record.exchange.to_text(omit_final_dot=True) for record in answer]
        return [record.address for record in answer]
