"""The JSON Schemas of what lies in the output bucket, as the functions' own types have it."""

import json
from pathlib import Path

import msgspec

from emulator.engine import ROOT
from quantization.contract import Failure, Result

SCHEMAS = {
    Result: ROOT / "schemas/result.schema.json",
    Failure: ROOT / "schemas/failure.schema.json",
}


def schema_of(contract: type) -> str:
    """Return the schema's text."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    schema = {"$schema": dialect, "title": contract.__name__}
    return json.dumps(schema | msgspec.json.schema(contract), indent=2) + "\n"


def generated() -> dict[Path, str]:
    """Return the schemas by their paths."""
    return {path: schema_of(contract) for contract, path in SCHEMAS.items()}
