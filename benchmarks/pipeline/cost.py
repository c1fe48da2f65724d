"""What an image costs on AWS by the list prices of us-east-1, without free tiers.

https://aws.amazon.com/lambda/pricing, /step-functions/pricing, /s3/pricing; read in 2026. Logs,
traces, storage and transfer to the internet are left out.
"""

from typing import NamedTuple

import yaml

from benchmarks.measure import ROOT, table

GB_SECOND = {"arm64": 0.0000133334, "x86_64": 0.0000166667}
INVOCATION = 0.20 / 1e6
TRANSITION = 25 / 1e6
GET, PUT = 0.0004 / 1e3, 0.005 / 1e3
MEMORY_GB = 1769 / 1024
"""The default of template.yml for all three functions: one vCPU each."""


class Seconds(NamedTuple):
    """How long the functions run for one image, on one vCPU."""

    sample: float
    score: float
    """Of one function that scores one K; the time that K does not change included."""
    score_each: float
    """Of that, what every further K in the same function would add."""
    render: float


def transitions(iterations: int) -> int:
    """Count the states that a successful execution enters, from the definition."""
    definition = yaml.safe_load((ROOT / "statemachine" / "quantize.asl.yaml").read_text())
    count = 0
    state = definition["StartAt"]
    while state:
        body = definition["States"][state]
        count += 1 + (iterations if body["Type"] == "Map" else 0)
        state = body.get("Next") or (body.get("Choices") or [{}])[0].get("Next")
    return count


def per_1000_images(seconds: Seconds, functions: int, architecture: str, ks: int = 25) -> list[str]:
    """Price 1000 images with the K spread over a number of functions."""
    in_each = ks / functions
    scoring = functions * (seconds.score + (in_each - 1) * seconds.score_each)
    gb_seconds = MEMORY_GB * (seconds.sample + scoring + seconds.render)
    steps = transitions(functions)
    parts = [
        1000 * gb_seconds * GB_SECOND[architecture],
        1000 * steps * TRANSITION,
        1000 * (functions + 2) * INVOCATION,
        # The upload, the sample and two results are put; image, image again and samples are read.
        1000 * (4 * PUT + (functions + 2) * GET),
    ]
    prices = [f"{part:.3f}" for part in (*parts, sum(parts))]
    return [str(functions), architecture, f"{gb_seconds:.2f}", str(steps), *prices]


def summary(warm: Seconds, cold: Seconds) -> str:
    """Lay out the price for 25 functions and for fewer, warm and cold."""
    header = ["functions", "processor", "GB-s an image", "transitions", "Lambda $"]
    header += ["Step Functions $", "requests $", "S3 $", "1000 images $"]
    lines = []
    for state, seconds in (("warm", warm), ("cold", cold)):
        for functions in (25, 5, 1):
            first, *others = per_1000_images(seconds, functions, "arm64")
            lines.append([f"{first} {state}", *others])
    return table(header, lines)
