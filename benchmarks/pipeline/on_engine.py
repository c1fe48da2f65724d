"""A warm execution on the local engine, timed from the upload to the result."""

import statistics
import time
from pathlib import Path
from typing import NamedTuple

from emulator import engine
from emulator.deploy import deploy
from quantization_client.follow import Execution, find_execution, upload
from quantization_client.stack import Stack, find_stack


class Taken(NamedTuple):
    """Seconds of wall time that one image took."""

    whole: float
    """From the start of the upload to the result."""
    functions: float
    """Of that, with a function running."""
    machine: float
    """The rest of the execution: the state machine's own."""


def run(source: Path, runs: int, port: int) -> Taken:
    """Quantize an image over and over, after a first time that starts the functions."""
    already = engine.is_running(port)
    stack = find_stack(engine.STACK_NAME, deploy(port))
    try:
        taken = [one(stack, source, f"{number}.jpg") for number in range(runs + 1)][1:]
    finally:
        if not already:
            engine.stop(port)
    return Taken(*map(statistics.median, zip(*taken, strict=True)))


def one(stack: Stack, source: Path, key: str) -> Taken:
    """Upload an image and wait for its result."""
    start = time.time()
    version_id = upload(stack, source, key, {})
    while (arn := find_execution(stack, key, version_id)) is None:
        time.sleep(0.02)
    execution = Execution(stack, arn)
    while (ended := execution.poll().ended) is None:
        time.sleep(0.02)
    if ended.output is None:
        raise RuntimeError(f"{ended.error}: {ended.cause}")
    described = stack.states.describe_execution(executionArn=arn)
    end = described["stopDate"].timestamp()
    busy = with_a_function(stack, arn)
    execution_time = end - described["startDate"].timestamp()
    return Taken(end - start, busy, execution_time - busy)


def with_a_function(stack: Stack, arn: str) -> float:
    """Add up the time in which at least one function ran, from the execution's history."""
    edges = []
    pages = stack.states.get_paginator("get_execution_history").paginate(executionArn=arn)
    for page in pages:
        for event in page["events"]:
            if event["type"] in ("TaskStarted", "LambdaFunctionStarted"):
                edges.append((event["timestamp"].timestamp(), 1))
            elif event["type"] in ("TaskSucceeded", "LambdaFunctionSucceeded"):
                edges.append((event["timestamp"].timestamp(), -1))
    busy, running, since = 0.0, 0, 0.0
    for moment, change in sorted(edges):
        if running:
            busy += moment - since
        running += change
        since = moment
    return busy
