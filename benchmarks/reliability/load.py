"""Upload 200 images at once to a local engine, half of them odd or broken, and account for each.

    python -m benchmarks.reliability.load [--uploads 200]

An upload is accounted for if exactly one execution ended with a result of its own or with a
``.error.json`` of its own, whichever its status says, and of no result there are two.
"""

import argparse
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.reliability.on_engine import deployed, small_image
from emulator import engine
from quantization.errors import REFUSALS
from quantization.service.storage.keys import error_key, without_extension
from tests.support.corpus import corpus
from tests.support.service import Execution, Service

MOST_MB = 4000
"""That the engine and all functions may take together; one environment takes about 150 MB."""
LIMIT_SECONDS = 1800.0


def files(count: int) -> Iterator[tuple[str, bytes]]:
    """Yield so many files with a name each: by turns a good image and one of the tests' corpus."""
    odd = list(corpus())
    for i in range(count):
        name, body = odd[i * len(odd) // count]
        yield (f"{i:03}-{name}", body) if i % 2 else (f"{i:03}-good.png", small_image(i))


def memory(port: int) -> float:
    """Return the MB that the engine's processes take, shared pages counted once."""
    group = (engine.state_directory(port) / "process-group").read_text()
    kilobytes = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            # The name in parentheses may hold anything.
            _, _, fields = (process / "stat").read_text().rpartition(")")
            if fields.split()[2] == group:
                lines = (process / "smaps_rollup").read_text().splitlines()
                kilobytes += next(int(x.split()[1]) for x in lines if x.startswith("Pss:"))
    return kilobytes / 1000


@contextmanager
def watched(port: int) -> Iterator[list[float]]:
    """Note the memory twice a second."""
    seen: list[float] = [0.0]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            seen.append(memory(port))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def ended(service: Service, count: int) -> dict[str, list[Execution]]:
    """Wait until so many executions have ended, or for half an hour; list them by version."""
    deadline = time.monotonic() + LIMIT_SECONDS
    states, machine = service.stack.states, service.stack.state_machine
    while True:
        pages = states.get_paginator("list_executions").paginate(stateMachineArn=machine)
        listed = [execution for page in pages for execution in page["executions"]]
        running = sum(execution["status"] == "RUNNING" for execution in listed)
        if (len(listed) >= count and not running) or time.monotonic() > deadline:
            break
        time.sleep(2)
    found: dict[str, list[Execution]] = {}
    for execution in listed:
        described = states.describe_execution(executionArn=execution["executionArn"])
        version = json.loads(described["input"])["detail"]["object"]["version-id"]
        found.setdefault(version, []).append(described)
    return found


def account(service: Service, key: str, version: str, executions: list[Execution]) -> str:
    """Say how an upload ended: its error or "result", or "lost", "duplicated" or "wrong state"."""
    if not executions:
        return "lost"
    if len(executions) > 1:
        return "duplicated"
    (execution,) = executions
    result = service.read(f"{without_extension(key)}.json")
    failure = service.read(error_key(key))
    told = [document and document["source"]["version_id"] for document in (result, failure)]
    if execution["status"] == "SUCCEEDED" and told == [version, None]:
        there = service.stack.s3.list_object_versions(
            Bucket=service.stack.output_bucket, Prefix=without_extension(key) + "."
        )
        return "result" if len(there["Versions"]) == 3 else "duplicated"
    if execution["status"] == "FAILED" and told == [None, version]:
        error = execution["error"]
        return error if error in REFUSALS and error == failure["error"] else "wrong state"
    return "wrong state"


def run(count: int) -> tuple[Counter[str], float, float]:
    """Return how the uploads ended, the seconds that took, and the peak memory in MB."""
    with deployed() as (service, _, _, port), watched(port) as seen:
        bodies = dict(files(count))
        start = time.monotonic()
        with ThreadPoolExecutor(50) as threads:
            versions = dict(
                zip(bodies, threads.map(service.upload, bodies, bodies.values()), strict=True)
            )
        found = ended(service, count)
        seconds = time.monotonic() - start
        ends = Counter(
            account(service, key, version, found.pop(version, []))
            for key, version in versions.items()
        )
        ends["duplicated"] += sum(map(len, found.values()))  # executions of no upload
        return ends, seconds, max(seen)


def summary(ends: Counter[str], seconds: float) -> str:
    """Say in a line how the uploads ended."""
    told = ", ".join(f"{count} {end}" for end, count in ends.items())
    return f"{ends.total()} uploads in {seconds:.0f} s: {told}"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--uploads", type=int, default=200)
    count: int = parser.parse_args().uploads
    ends, seconds, peak = run(count)
    print(summary(ends, seconds))
    print(f"peak memory {peak:.0f} MB")
    wrong = ends["lost"] + ends["duplicated"] + ends["wrong state"]
    return 1 if wrong or peak > MOST_MB else 0


if __name__ == "__main__":
    sys.exit(main())
