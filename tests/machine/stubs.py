"""Stand-ins for the functions, told what to do by the key of the upload.

The key is JSON: ``{"sample": ERROR}``, ``{"render": ERROR}``, ``{"score": {K: ERROR}}`` raise an
error of that name; ``{"once": true}`` raises each only on the first call; ``{"slow": SECONDS}``
makes ScoreK sleep, and ``{"held": true}`` makes it wait until the test lets go;
``{"silhouettes": {K: VALUE}}`` and ``{"errors": {K: VALUE}}`` set what ScoreK returns;
``{"options": {NAME: VALUE}}`` is what the upload asks for, and ``{"given": SCORE}`` is of its
palette.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

LET_GO = "let go"


def sample(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return a claim that carries the script on to ScoreK."""
    upload = event["upload"]
    script = json.loads(upload["key"])
    play(script, "sample", event["execution"])
    return {
        "source": {**upload, "width": 4, "height": 3},
        "summary": {"bucket": "work", "key": upload["key"]},
        "sample_size": 12,
        "ks": script.get("ks", [8, 9, 10, 11]),
        "options": {
            "criterion": "silhouette",
            "error_budget": 2.0,
            "k_min": 8,
            "k_max": 32,
            "space": "oklab",
            "keep": [],
        }
        | script.get("options", {}),
        "given": script.get("given"),
    }


def score_k(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return a score as scripted, 0.5 unless said otherwise."""
    script = json.loads(event["summary"]["key"])
    k = str(event["k"])
    time.sleep(script.get("slow", 0))
    while script.get("held") and not (Path(os.environ["CALLS"]) / LET_GO).exists():
        time.sleep(0.1)
    play(script.get("score", {}) | {"once": script.get("once")}, k, event["execution"])
    return {
        "k": event["k"],
        "silhouette": script.get("silhouettes", {}).get(k, 0.5),
        "silhouette_beyond": script.get("silhouettes", {}).get(str(event["beyond"])),
        "inertia": 100.0 / event["k"],
        "error": script.get("errors", {}).get(k, 1.0 / event["k"]),
        "accent_error": 0.0,
        "palette": event["keep"]
        + [f"#0000{i:02x}" for i in range(event["k"] - len(event["keep"]))],
    }


def render(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return what Render was asked for."""
    play(json.loads(event["source"]["key"]), "render", event["execution"])
    return event


def record_failure(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return what is recorded."""
    ended = event["detail"]
    upload = json.loads(ended["input"])["detail"]["object"]
    return {"error": ended["error"], "cause": f"{upload['version-id']}: {ended['cause']}"}


def play(script: dict[str, Any], part: str, execution: str) -> None:
    """Raise the scripted error."""
    error = script.get(part)
    if not error:
        return
    called = Path(os.environ["CALLS"]) / f"{execution.rpartition(':')[2]}-{part}"
    if script.get("once") and called.exists():
        return
    called.touch()
    raise type(error, (Exception,), {})(f"{part} failed as scripted")
