# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every call works on, and the look-ups that calls share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .names import ascii_domain
from .quirks import Quirks
from .replies import RefusedError, Reply
from .state import Domain, State


@dataclass
class Panel:
    """The emulated server without its network sides."""

    state: State
    quirks: Quirks = field(default_factory=Quirks)

    def own_domain(self, text: str) -> Domain:
        """A domain that the administrator may manage, or the refusal for a missing or foreign one."""
        domain = self.state.domains.get(ascii_domain(text))
        if domain is None and self.quirks.missing_domain == "not_yours":
            raise RefusedError(f"The domain '{text}' does not belong to the admin '{self.state.administrator}'")
        if domain is None:
            raise RefusedError(f"The domain '{text}' doesn't exist")
        if domain.owner != self.state.administrator:
            raise RefusedError(f"You are not allowed to manage the domain '{text}'")
        return domain


Arguments = Mapping[str, str]
Handler = Callable[[Panel, Arguments], Reply]


@dataclass(frozen=True)
class Call:
    """One call of the API: its parameters, and whether it writes. `open_names` allows further lower-case names."""

    handler: Handler
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    write: bool = False
    open_names: bool = False

    def check(self, arguments: Arguments) -> None:
        """Refuse missing and unknown parameters, as nothing is known that the vendor would tolerate."""
        known = {*self.required, *self.optional}
        unknown = {name for name in arguments if name not in known and not (self.open_names and name.islower())}
        if unknown or not set(self.required) <= set(arguments):
            raise RefusedError("Incorrect usage of API")


def switch(arguments: Arguments, name: str) -> int:
    """A boolean parameter: the vendor's API understands only 1 and 0."""
    if arguments[name] not in ("0", "1"):
        raise RefusedError(f"The value of '{name}' must be 0 or 1")
    return int(arguments[name])
