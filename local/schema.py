"""Write the JSON Schema of the result, as the functions' own type has it."""

import json
import sys

import msgspec

from local.engine import ROOT
from quantization.messages import Result

PATH = ROOT / "schemas/result.schema.json"


def result_schema() -> str:
    """Return the schema's text."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Result"}
    return json.dumps(schema | msgspec.json.schema(Result), indent=2) + "\n"


def main() -> int:
    """Run the command line."""
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(result_schema())
    return 0


if __name__ == "__main__":
    sys.exit(main())
