"""Make every file of this repository anew that follows from others.

python -m tools.generate
"""

import sys

from tools import diagram, docs, schema

GENERATORS = (schema, diagram, docs)
"""Each has a function `generated` that returns texts by their paths."""


def main() -> int:
    """Run the command line."""
    for generator in GENERATORS:
        for path, text in generator.generated().items():
            path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
