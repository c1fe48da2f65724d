"""`make events` records what the functions were called with."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from emulator import engine
from tests.support.fixtures import Aws
from tests.support.scripted import ScriptedMachine
from tools import events

GIVEN = {"k": 2, "palette": ["#000000", "#ffffff"], "failure": None}


type Upload = Callable[[dict[str, object]], None]


@pytest.fixture
def upload(aws: Aws, engine_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Upload:
    """Run the stack's machine, as the command sees it, with an upload of a script."""
    run = ScriptedMachine(aws, tmp_path)
    machine = run.create()
    stack = SimpleNamespace(
        states=run.states, state_machine=machine, work_bucket="work", output_bucket="output"
    )
    monkeypatch.setenv(engine.PORT_VARIABLE, str(engine_port))
    monkeypatch.setattr(engine, "ROOT", tmp_path)
    monkeypatch.setattr(events, "find_stack", lambda *_: stack)

    def ended(script: dict[str, object]) -> None:
        assert run.ended(run.start(machine, script))["status"] == "SUCCEEDED"

    return ended


def test_events_are_of_the_newest_execution_that_called_each_function(
    upload: Upload, tmp_path: Path
) -> None:
    upload({"ks": [8, 9]})
    upload({"ks": [], "given": GIVEN})

    assert events.main() == 0

    recorded = {f.stem: json.loads(f.read_text()) for f in (tmp_path / "events").iterdir()}
    assert recorded.keys() == {"upload", "sample", "score_k", "render"}
    keys = {recorded["upload"]["detail"]["object"]["key"], recorded["render"]["source"]["key"]}
    assert keys == {json.dumps({"ks": [8, 9]})}
    assert recorded["score_k"]["k"] in (8, 9)


def test_no_execution_is_told_in_one_line(
    upload: Upload, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    upload({"ks": [], "given": GIVEN})

    assert events.main() == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert line == "error: no execution has called Sample, ScoreK, Render; `make run` starts one"
    assert not (tmp_path / "events").exists()
