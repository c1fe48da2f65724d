"""Simulate a burst of uploads under the quotas of an AWS account.

    python -m benchmarks.reliability.burst [--uploads 1000 1000000] [--seconds SAMPLE SCORE RENDER]
        [--concurrency 1000] [--map-concurrency 25] [--machine FILE]

All uploads come at once. EventBridge starts executions as fast as StartExecution lets it, and holds
the others back for up to a day. A call that Lambda has no room for is tried again as the state
machine's own file says. Of a burst over 20,000 uploads a part is simulated, under the same part of
the quotas, which changes neither times nor shares. Without --seconds the functions' time is
measured here, on a photo of 12 megapixels. What is left out: cold starts, other users of the
account, and that Lambda may take ten seconds to go from nothing to 1000 environments.

Quotas: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html and
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html, of us-east-1.
"""

import argparse
import math
import tempfile
from collections import defaultdict, deque
from pathlib import Path
from typing import Any, NamedTuple

import jsonata
import numpy as np
import yaml
from numpy.typing import NDArray
from samcli.yamlhelper import yaml_parse

from benchmarks import photos
from benchmarks.measure import ROOT, output_of, table
from benchmarks.pipeline import cost

KS = 25
STARTS_BUCKET, STARTS_A_SECOND = 1300, 300
TRANSITIONS_BUCKET, TRANSITIONS_A_SECOND = 5000, 5000
TICK = 0.1
"""Seconds; functions run for whole ticks."""
THROTTLED = "Lambda.TooManyRequestsException"
LARGEST = 20_000
"""Uploads that are simulated one by one."""
SAMPLE, SCORE, RENDER = range(3)


class Retrier(NamedTuple):
    """What a state does with a call that Lambda has no room for."""

    interval: float
    rate: float
    attempts: int
    longest: float

    def delays(self, tries: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the seconds to wait after so many tries, with full jitter."""
        growth = np.minimum(tries - 1, 40)
        full = np.minimum(self.interval * self.rate**growth, self.longest)
        delays: NDArray[np.float64] = full * rng.random(len(tries))
        return delays


class Machine(NamedTuple):
    """What the state machine's file says of waiting."""

    retriers: tuple[Retrier, ...]
    time_limit: float
    at_once: str
    """JSONata: how many K are scored at once, by how often Sample was tried again."""

    @classmethod
    def read(cls, file: Path) -> "Machine":
        """Read the file, which takes its time limit from the template."""
        template = yaml_parse((ROOT / "template.yml").read_text())["Resources"]
        given = template["QuantizeStateMachine"]["Properties"]["DefinitionSubstitutions"]
        text = file.read_text().replace("${TimeLimit}", given["TimeLimit"])
        definition = yaml.safe_load(text)
        states = definition["States"]
        tasks = [states["Sample"], states["ScoreEachK"]["ItemProcessor"]["States"]["ScoreK"]]
        tasks.append(states["Render"])
        at_once = states["Sample"]["Assign"]["map_concurrency"]
        return cls(
            tuple(map(cls._retrier, tasks)),
            definition["TimeoutSeconds"],
            at_once.removeprefix("{%").removesuffix("%}"),
        )

    def map_concurrency(self, parameter: int) -> np.ndarray:
        """Return how many K are scored at once after no retry of Sample, one, and so on."""
        text = self.at_once.replace("${MapConcurrency}", str(parameter))
        counts = []
        for retries in range(self.retriers[SAMPLE].attempts + 1):
            expression = jsonata.Jsonata(text)
            frame = expression.create_frame()
            frame.bind("states", {"context": {"State": {"RetryCount": retries}}})
            counts.append(expression.evaluate(None, frame))
        return np.array(counts)

    @staticmethod
    def _retrier(task: dict[str, Any]) -> Retrier:
        found = next(r for r in task["Retry"] if THROTTLED in r["ErrorEquals"])
        assert found["JitterStrategy"] == "FULL"
        longest = found.get("MaxDelaySeconds", math.inf)
        return Retrier(
            found["IntervalSeconds"], found["BackoffRate"], found["MaxAttempts"], longest
        )


class Bucket:
    """A token bucket, as AWS throttles with."""

    def __init__(self, size: float, a_second: float) -> None:
        self._size, self._refill, self._there = size, a_second * TICK, size

    def take(self, wanted: int) -> int:
        """Take so many tokens or what is there, once a tick."""
        taken = min(wanted, int(self._there))
        self._there = min(self._size, self._there - taken + self._refill)
        return taken


class Burst:
    """Executions on their way through the machine, one tick after the other."""

    def __init__(
        self,
        uploads: int,
        seconds: tuple[float, ...],
        machine: Machine,
        concurrency: int,
        map_concurrency: int,
    ) -> None:
        part = min(1.0, LARGEST / uploads)
        uploads = round(uploads * part)
        self.machine = machine
        self.concurrency = round(concurrency * part)
        self.map_concurrency = machine.map_concurrency(map_concurrency)
        self.ticks = [max(1, math.ceil(s / TICK)) for s in seconds]
        self.rng = np.random.default_rng(0)
        self.starts = Bucket(STARTS_BUCKET * part, STARTS_A_SECOND * part)
        self.transitions = Bucket(TRANSITIONS_BUCKET * part, TRANSITIONS_A_SECOND * part)
        self.waiting = self.uploads = uploads
        self.began = np.zeros(uploads, np.int64)
        self.running = np.zeros(uploads, bool)
        self.launched = np.zeros(uploads, np.int16)
        self.at_once = np.zeros(uploads, np.int16)
        self.scored = np.zeros(uploads, np.int16)
        # By tick: calls that are due as (kind, executions, tries so far), and calls that end.
        self.due: dict[int, list[tuple[int, np.ndarray, np.ndarray]]] = defaultdict(list)
        self.queue: deque[tuple[int, np.ndarray, np.ndarray]] = deque()
        self.ending: dict[int, list[tuple[int, np.ndarray]]] = defaultdict(list)
        self.tick = self.in_use = self.queued = self.most_tries = self.throttled = 0
        self.succeeded = self.exhausted = self.timed_out = 0
        self.half: float | None = None

    def run(self) -> "Burst":
        """Go on until every execution has ended."""
        while self.succeeded + self.exhausted + self.timed_out < self.uploads:
            self._end_calls()
            self._start_executions()
            self._begin_calls()
            if self.half is None and 2 * self.succeeded >= self.uploads:
                self.half = self.tick * TICK
            self.tick += 1
        return self

    def _start_executions(self) -> None:
        count = self.starts.take(self.waiting)
        first = self.uploads - self.waiting
        self.waiting -= count
        new = np.arange(first, first + count)
        self.began[new] = self.tick
        self.running[new] = True
        self._enter(SAMPLE, new)

    def _enter(self, kind: int, executions: np.ndarray) -> None:
        if len(executions):
            self.due[self.tick].append((kind, executions, np.zeros(len(executions), np.int64)))

    def _end_calls(self) -> None:
        for kind, ended in self.ending.pop(self.tick, []):
            self.in_use -= len(ended)
            executions = ended[self.running[ended]]
            if kind == SAMPLE:
                self._launch(executions, self.at_once[executions])
            elif kind == SCORE:
                executions, counts = np.unique(executions, return_counts=True)
                self.scored[executions] += counts.astype(np.int16)
                self._launch(executions, counts)
                self._enter(RENDER, executions[self.scored[executions] == KS])
            else:
                self.running[executions] = False
                self.succeeded += len(executions)

    def _launch(self, executions: np.ndarray, iterations: np.ndarray) -> None:
        iterations = np.minimum(iterations, KS - self.launched[executions])
        self.launched[executions] += iterations.astype(np.int16)
        self._enter(SCORE, np.repeat(executions, iterations))

    def _begin_calls(self) -> None:
        """Let enter what is due, first come, first served, as far as transitions are allowed."""
        new = self.due.pop(self.tick, [])
        self.queue.extend(new)
        self.queued += sum(len(executions) for _, executions, _ in new)
        allowed = self.transitions.take(self.queued)
        self.queued -= allowed
        entering: list[list[tuple[np.ndarray, np.ndarray]]] = [[], [], []]
        while allowed:
            kind, executions, tries = self.queue.popleft()
            if len(executions) > allowed:
                self.queue.appendleft((kind, executions[allowed:], tries[allowed:]))
            entering[kind].append((executions[:allowed], tries[:allowed]))
            allowed -= min(allowed, len(executions))
        for kind in self.rng.permutation([k for k in range(3) if entering[k]]):
            executions, tries = map(np.concatenate, zip(*entering[kind], strict=True))
            order = self.rng.permutation(np.flatnonzero(self.running[executions]))
            self._call(int(kind), executions[order], tries[order])

    def _call(self, kind: int, executions: np.ndarray, tries: np.ndarray) -> None:
        room = self.concurrency - self.in_use
        begun, refused = executions[:room], executions[room:]
        if len(begun):
            self.in_use += len(begun)
            if kind == SAMPLE:
                self.at_once[begun] = self.map_concurrency[tries[:room]]
            self.ending[self.tick + self.ticks[kind]].append((kind, begun))
        if len(refused):
            self._try_again(kind, refused, tries[room:] + 1)

    def _try_again(self, kind: int, executions: np.ndarray, tries: np.ndarray) -> None:
        self.throttled += len(executions)
        self.most_tries = max(self.most_tries, int(tries.max()))
        retrier = self.machine.retriers[kind]
        late = (self.tick - self.began[executions]) * TICK > self.machine.time_limit
        given_up = (tries > retrier.attempts) & ~late
        self.timed_out += self._fail(executions[late])
        self.exhausted += self._fail(executions[given_up])
        stay = self.running[executions]
        executions, tries = executions[stay], tries[stay]
        if not len(executions):
            return
        ticks = np.ceil(retrier.delays(tries, self.rng) / TICK).astype(np.int64)
        order = np.argsort(ticks, kind="stable")
        moments, firsts = np.unique(ticks[order], return_index=True)
        for moment, group in zip(moments, np.split(order, firsts[1:]), strict=True):
            at = self.tick + max(1, int(moment))
            self.due[at].append((kind, executions[group], tries[group]))

    def _fail(self, executions: np.ndarray) -> int:
        executions = np.unique(executions[self.running[executions]])
        self.running[executions] = False
        return len(executions)


def clock(seconds: float | None) -> str:
    """Write seconds as hours, minutes and seconds."""
    if seconds is None:
        return "never"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def measured() -> tuple[float, float, float]:
    """Take the CPU time of the functions' work here for their time on one vCPU there."""
    with tempfile.TemporaryDirectory() as name:
        source = photos.jpeg("china", 12, Path(name))
        stages = output_of(["python", ROOT / "benchmarks/pipeline/stages.py", source, "3"])
    _, _, sample, score, render = map(float, stages.split())
    return sample, score, render


def main() -> None:
    """Print how each burst goes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--uploads", type=int, nargs="+", default=[1000, 1_000_000])
    parser.add_argument("--seconds", type=float, nargs=3, metavar=("SAMPLE", "SCORE", "RENDER"))
    parser.add_argument("--concurrency", type=int, default=1000)
    parser.add_argument("--map-concurrency", type=int, default=KS)
    parser.add_argument(
        "--machine", type=Path, default=ROOT / "statemachine/quantize.asl.yaml", metavar="FILE"
    )
    options = parser.parse_args()
    seconds = tuple(options.seconds or measured())
    machine = Machine.read(options.machine)
    print(f"sample {seconds[0]:.2f} s, score {seconds[1]:.2f} s, render {seconds[2]:.2f} s\n")
    lines = []
    sample, score, render = seconds
    once = cost.price(cost.Seconds(sample, score, score, render), cost.UPLOADS).total / 1000
    for uploads in options.uploads:
        burst = Burst(uploads, seconds, machine, options.concurrency, options.map_concurrency).run()
        again = burst.throttled / burst.uploads
        shares = [burst.succeeded, burst.exhausted, burst.timed_out]
        lines.append(
            [
                f"{uploads:,}",
                *(f"{100 * n / burst.uploads:.1f}" for n in shares),
                clock(burst.half),
                clock(burst.tick * TICK),
                f"{again:.1f}",
                burst.most_tries,
                f"{uploads * (once + again * cost.TRANSITION):,.0f}",
                f"{uploads * again * cost.TRANSITION:,.0f}",
            ]
        )
    header = ["uploads", "% succeeded", "% out of retries", "% out of time", "half done"]
    header += ["all ended", "throttled calls an image", "most tries", "$", "of it for retries"]
    print(table(header, lines))


if __name__ == "__main__":
    main()
