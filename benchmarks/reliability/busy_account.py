"""Simulate the client on an account with a long past, other users and queues.

    python -m benchmarks.reliability.busy_account

Each line is a run of the command on the simulated account of `tests.support.busy_account`, in
simulated time: the quotas of Step Functions in the largest regions, 50 ms a call, and executions of
four seconds.
"""

import tempfile
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from benchmarks.measure import table
from quantization_client import patience, run
from quantization_client.jobs import Job
from tests.support.busy_account import BusyAccount, Clock


class Case(NamedTuple):
    """What the account is like, and how many images come."""

    images: int
    past: int = 0
    others: float = 0.0
    queue_seconds: float = 0.0


CASES = [
    Case(1),
    Case(1, past=100_000),
    Case(16, past=100_000),
    Case(1000, past=100_000),
    Case(1000, past=100_000, others=0.9),
    Case(16, past=100_000, queue_seconds=333),
]


def line(case: Case) -> list[Any]:
    """Run the command once; return a line of the table."""
    account = BusyAccount(Clock(), case.past)
    account.others, account.queue_seconds = case.others, case.queue_seconds
    if case.others:
        account.drain()
    with (
        tempfile.TemporaryDirectory() as name,
        mock.patch.object(run, "time", account.clock),
        mock.patch.object(patience, "time", account.clock),
    ):
        jobs = [Job(Path(name, f"{n}.jpg"), Path(f"{n}.jpg")) for n in range(case.images)]
        for job in jobs:
            job.path.touch()
        command = run.Run(account.stack(), Path(name, "out"), {}, lambda _job, _progress: None)
        done = sum(not outcome.error for outcome in command.outcomes(jobs))
    calls = account.calls
    states = [calls[f"{name}"] for name in ("describe_execution", "list_executions")]
    seen = calls["list_objects_v2"] + calls["get_object"]
    history = calls["get_execution_history"]
    numbers = [done, round(account.clock.now), *states, history, calls["throttled"], seen]
    return [case.images, f"{case.past:,}", f"{case.others:.0%}", case.queue_seconds, *numbers]


def main() -> None:
    """Print the table."""
    header = ["images", "past executions", "quotas used by others", "queue of starts, s", "done"]
    header += ["seconds", "DescribeExecution", "ListExecutions", "GetExecutionHistory"]
    print(table([*header, "throttled", "looks at S3"], [line(case) for case in CASES]))


if __name__ == "__main__":
    main()
