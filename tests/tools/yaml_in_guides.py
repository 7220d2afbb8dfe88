# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let yamllint read the YAML in guides and READMEs; ansible-test reads that in modules. Ends with 1 if it finds any."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from yamllint import linter
from yamllint.config import YamlLintConfig

from tests import ROOT
from tests.support.documentation import Block, guide_blocks


def findings(blocks: Iterator[Block]) -> Iterator[str]:
    """Yield what yamllint says of each block."""
    config = YamlLintConfig(file=str(ROOT / ".yamllint"))
    config.rules["document-start"] = False  # a piece of a file does not begin like one
    for block in blocks:
        for problem in linter.run(f"{block.text}\n", config):
            yield f"{block.source}, line {problem.line} of the block: {problem.desc} ({problem.rule})"


def main() -> int:
    found = list(findings(guide_blocks()))
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
