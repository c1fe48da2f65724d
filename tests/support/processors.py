"""The same work on two processors: `tests.support.outcomes` in the built functions."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support import built, outcomes
from tests.support.sandbox import Command, Sandbox

FUNCTIONS = {
    "read": "SampleFunction",
    "sample": "SampleFunction",
    "score": "ScoreKFunction",
    "render": "RenderFunction",
}
"""Whose layers a stage has, by the stage."""

type Outcomes = dict[str, dict[str, dict[str, object]]]
"""By stage, file and step."""


def run(
    build: Path,
    interpreter: Command,
    folder: Path,
    *,
    files: Mapping[str, bytes],
    images: Mapping[str, bytes],
    scored: Sequence[int],
    rendered: Sequence[int],
) -> Outcomes:
    """Take files through all stages on one processor.

    Parameters
    ----------
    build : Path
        What `emulator.deploy.build` made for the processor.
    interpreter : sequence of str or Path
        Its Python.
    folder : Path
        A new folder, for what the stages leave.
    files : mapping of str to bytes
        What is only decoded, by name.
    images : mapping of str to bytes
        What goes through all other stages.
    scored, rendered : sequence of int
        The K that are fitted, and those of them that are rendered.
    """
    for kind, contents in {"files": files, "images": images}.items():
        (folder / kind).mkdir(parents=True)
        for name, body in contents.items():
            (folder / kind / name).write_bytes(body)
    functions = {function.name: function for function in built.functions(build)}
    ks = {"read": (), "sample": (), "score": scored, "render": rendered}

    def go_through(*stages: str) -> None:
        for stage in stages:
            root = folder / stage
            root.mkdir()
            place = Sandbox(functions[FUNCTIONS[stage]], root, {}, interpreter)
            place.python("-P", outcomes.__file__, stage, str(folder), *map(str, ks[stage]))

    with ThreadPoolExecutor() as pool:
        reading = pool.submit(go_through, "read")
        go_through("sample", "score", "render")
        reading.result()
    return {stage: json.loads((folder / f"{stage}.json").read_text()) for stage in FUNCTIONS}
