"""A backfill on the local engine: some broken, killed once, started again, each accounted for."""

import json
import time
from collections import Counter
from typing import NamedTuple

from benchmarks.reliability.load import watched
from benchmarks.reliability.on_engine import deployed, small_image
from quantization_client.backfill import Backfill
from tests.support.service import Service

FOLDER = "proof/"


class Proof(NamedTuple):
    """What became of the objects."""

    outcomes: Counter[str]
    """Of the second run."""
    done_before: int
    """Results that lay there when the first run had been killed."""
    results: int
    written_twice: int
    told: int
    """Broken objects with a failure JSON."""
    seconds: float
    peak_mb: float
    peak_of_the_first_half: float


def prove(objects: int, broken: int) -> Proof:
    """Run it; every object is to be in `outcomes`, `results` or `told`, and none twice."""
    with deployed() as (service, _, _, port), watched(port) as seen:
        _fill(service, objects, broken)
        start = time.monotonic()
        settings = {"max_concurrency": 8, "tolerated_failure_percentage": 10}
        first = Backfill.start(service.stack, {"prefix": FOLDER}, settings)
        while first.counts().ended < objects // 2:
            time.sleep(1)
        service.stop_backfill(first.execution)
        half = max(seen)
        before = len(service.result_versions(FOLDER))
        second = Backfill.start(service.stack, {"prefix": FOLDER}, settings)
        second.follow(lambda _: time.sleep(1))
        seconds = time.monotonic() - start
        outcomes = second.summary().outcomes
        written = service.result_versions(FOLDER)
        told = sum(
            service.read(f"{FOLDER}{number}.png.error.json") is not None
            for number in range(0, objects, objects // broken)
        )
    twice = sum(count > 1 for count in written.values())
    return Proof(outcomes, before, len(written), twice, told, seconds, max(seen), half)


def _fill(service: Service, objects: int, broken: int) -> None:
    """Put the objects into the bucket, broken ones evenly among them."""
    stack = service.stack
    with service.before_the_stack():
        for number in range(objects):
            body = small_image(number) if number % (objects // broken) else b"broken"
            stack.s3.put_object(Bucket=stack.input_bucket, Key=f"{FOLDER}{number}.png", Body=body)


def line(proof: Proof) -> str:
    """Say it in one line of JSON."""
    return json.dumps(proof._asdict())
