"""The same work on two processors: `tests.support.outcomes` in the built functions."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from emulator import deploy
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


def run_on_all(
    interpreters: Mapping[str, Command],
    folder: Path,
    *,
    files: Mapping[str, bytes],
    images: Mapping[str, bytes],
    scored: Sequence[int],
    rendered: Sequence[int],
) -> dict[str, Outcomes]:
    """Take files through all stages on several processors at the same time.

    Parameters
    ----------
    interpreters : mapping of str to sequence of str or Path
        The Python of each architecture.
    folder : Path
        For what the stages leave.
    files : mapping of str to bytes
        What is only decoded, by name.
    images : mapping of str to bytes
        What goes through all other stages.
    scored, rendered : sequence of int
        The K that are fitted, and those of them that are rendered.
    """
    builds = {architecture: deploy.build(architecture) for architecture in interpreters}

    def run(architecture: str) -> Outcomes:
        place = folder / architecture
        for kind, contents in {"files": files, "images": images}.items():
            (place / kind).mkdir(parents=True)
            for name, body in contents.items():
                (place / kind / name).write_bytes(body)
        return _run(builds[architecture], interpreters[architecture], place, scored, rendered)

    with ThreadPoolExecutor() as pool:
        return dict(zip(interpreters, pool.map(run, interpreters), strict=True))


def _run(
    build: Path,
    interpreter: Command,
    folder: Path,
    scored: Sequence[int],
    rendered: Sequence[int],
) -> Outcomes:
    """Run the stages of one processor on what lies in a folder."""
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
