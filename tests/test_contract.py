"""The result JSON against the schema that the project publishes."""

import json
from typing import Any

import jsonschema
import msgspec
import pytest

from quantization.contract import Result
from tools.schema import SCHEMAS

SCORE = {"silhouette": -1.0, "inertia": 0.0, "error": 0.0, "accent_error": 0.0}

RESULT = {
    "version": 1,
    "source": {
        "bucket": "input",
        "key": "a.jpg",
        "version_id": "v1",
        "etag": "e",
        "sequencer": "0A",
        "width": 4,
        "height": 3,
        "colors": 4,
        "ignored_metadata": ["mtime"],
    },
    "source_file": {"format": "jpeg", "bytes": 100, "frames": 1},
    "image_file": {
        "format": "png",
        "version_id": "v2",
        "bytes": 80,
        "ratio": 0.8,
    },
    "options": {
        "criterion": "silhouette",
        "error_budget": 2.0,
        "k_min": 1,
        "k_max": 3,
        "k": None,
        "keep": ["#00ff7f"],
        "palette": [],
        "space": "rgb",
        "format": "png",
        "dither": "none",
        "palettes": ["css"],
    },
    "picks": {"silhouette": 1, "guarded": 1},
    "silhouette_at": None,
    "k": 1,
    "palette": [{"color": "#00ff7f", "share": 1.0}],
    "scores": [
        {"k": 1, **SCORE, "palette": ["#00ff7f"], "failure": None},
        {"k": 2, **dict.fromkeys(SCORE), "palette": [], "failure": "MemoryError"},
        {"k": 3, **SCORE, "palette": ["#00ff7f", "#000000", "#ffffff"], "failure": None},
    ],
    "sample_size": 12,
    "execution": "arn:aws:states:us-east-1:123456789012:execution:quantize:first",
    "versions": {"quantization": "0.1.0"},
}


@pytest.fixture
def schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(SCHEMAS[Result].read_text())
    return schema


def test_schema_and_type_accept_a_result(schema: dict[str, Any]) -> None:
    jsonschema.validate(RESULT, schema)
    encoded = msgspec.json.encode(msgspec.convert(RESULT, Result))
    assert json.loads(encoded) == RESULT


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["k"], 0),
        (["version"], 2),
        (["options", "dither"], "odered"),
        (["picks"], {"best": 8}),
        (["k"], None),
        (["palette", 0, "color"], "#0f0"),
        (["palette", 0, "share"], 1.5),
        (["scores", 0, "silhouette"], "high"),
        (["source", "width"], "4"),
    ],
)
def test_schema_and_type_refuse_the_same(
    schema: dict[str, Any], path: list[str | int], value: object
) -> None:
    broken = json.loads(json.dumps(RESULT))
    *parents, last = path
    at = broken
    for step in parents:
        at = at[step]
    at[last] = value

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(broken, Result)
