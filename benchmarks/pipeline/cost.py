"""What images and the stack cost on AWS by the list prices of us-east-1, without free tiers.

https://aws.amazon.com/lambda/pricing, /step-functions/pricing, /s3/pricing, /cloudwatch/pricing;
read in 2026. EventBridge charges nothing for events of S3. Left out are storage, transfer to the
internet, and traces, of which X-Ray samples few.
"""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from samcli.yamlhelper import yaml_parse

from benchmarks.measure import ROOT, output_of, table
from tests.support.dashboards import metrics_of

GB_SECOND = {"arm64": 0.0000133334, "x86_64": 0.0000166667}
INVOCATION = 0.20 / 1e6
TRANSITION = 25 / 1e6
GET, PUT = 0.0004 / 1e3, 0.005 / 1e3
LOGGED_BYTE = 0.50 / 1e9
REPORTED_BYTES = 500
"""Of the lines START, END and REPORT that Lambda adds to a call's own."""
ALARM_METRIC, DASHBOARD, CUSTOM_METRIC, KEY = 0.10, 3.0, 0.30, 1.0
"""A month. An account's first three dashboards are free."""
SNAPSHOT_GB_SECOND = 1.5046e-6
RESTORED_GB = 1.397998e-4
MONTH = 730 * 3600
"""Seconds."""
MEMORY = 1769
MEMORY_GB = MEMORY / 1024
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


class Requests(NamedTuple):
    """What one image asks of S3, and what its functions write to their logs."""

    gets: float
    puts: float
    logged: float
    """Bytes."""


@cache
def counted() -> dict[str, dict[str, int]]:
    """Run the functions' handlers once and count, for each of them."""
    photo = ROOT / "docs" / "images" / "photo.jpg"
    script = Path(__file__).with_name("count_requests.py")
    count: dict[str, dict[str, int]] = json.loads(
        output_of(["python", script, photo]).splitlines()[-1]
    )
    return count


def requests(functions: int) -> Requests:
    """Count what an image asks with its K spread over a number of functions."""
    of = counted()
    calls = {"sample": 1, "score_k": functions, "render": 1}

    def total(what: str) -> int:
        return sum(number * of[name].get(what, 0) for name, number in calls.items())

    # The upload itself is put, too.
    logged = total("logged") + sum(calls.values()) * REPORTED_BYTES
    return Requests(total("get"), total("put") + 1, logged)


def per_1000_images(seconds: Seconds, functions: int, architecture: str, ks: int = 25) -> list[str]:
    """Price 1000 images with the K spread over a number of functions."""
    in_each = ks / functions
    scoring = functions * (seconds.score + (in_each - 1) * seconds.score_each)
    gb_seconds = MEMORY_GB * (seconds.sample + scoring + seconds.render)
    steps = transitions(functions)
    asked = requests(functions)
    parts = [
        1000 * gb_seconds * GB_SECOND[architecture],
        1000 * steps * TRANSITION,
        1000 * (functions + 2) * INVOCATION,
        1000 * (asked.puts * PUT + asked.gets * GET),
        1000 * asked.logged * LOGGED_BYTE,
    ]
    prices = [f"{part:.3f}" for part in (*parts, sum(parts))]
    return [str(functions), architecture, f"{gb_seconds:.2f}", str(steps), *prices]


def summary(warm: Seconds, cold: Seconds) -> str:
    """Lay out the price for 25 functions and for fewer, warm and cold."""
    header = ["functions", "processor", "GB-s an image", "transitions", "Lambda $"]
    header += ["Step Functions $", "requests $", "S3 $", "logs $", "1000 images $"]
    lines = []
    for state, seconds in (("warm", warm), ("cold", cold)):
        for functions in (25, 5, 1):
            first, *others = per_1000_images(seconds, functions, "arm64")
            lines.append([f"{first} {state}", *others])
    starts = 25 + 2
    restored = f"{1000 * starts * MEMORY_GB * RESTORED_GB:.2f}"
    return f"{table(header, lines)}\n\nSnapStart, {starts} starts each: {restored} $ more"


def a_month() -> str:
    """Lay out what the stack costs a month, with no image and beside images."""
    resources = yaml_parse((ROOT / "template.yml").read_text())["Resources"].values()
    alarms = of_type(resources, "AWS::CloudWatch::Alarm")
    watched = sum(
        len([metric for metric in alarm.get("Metrics", [alarm]) if "Expression" not in metric])
        for alarm in alarms
    )
    (dashboard,) = of_type(resources, "AWS::CloudWatch::Dashboard")
    widgets = json.loads(dashboard["DashboardBody"]["Fn::Sub"])["widgets"]
    shown = {tuple(metric[:2]) for widget in widgets for metric in metrics_of(widget)}
    own = [metric for namespace, metric in shown if not namespace.startswith("AWS/")]
    functions = of_type(resources, "AWS::Serverless::Function")
    sizes = [size if isinstance(size := f["MemorySize"], int) else MEMORY for f in functions]
    snapshots = sum(sizes) / 1024
    lines = [
        [f"{watched} metrics of {len(alarms)} alarms", watched * ALARM_METRIC],
        ["a dashboard, where the account has three already", DASHBOARD],
        ["a key of KMS, where the stack is given one", KEY],
        ["snapshots, with SnapStart", snapshots * MONTH * SNAPSHOT_GB_SECOND],
        [f"{len(own)} metrics of its own, with images in every hour", len(own) * CUSTOM_METRIC],
        ["each name of an error that comes in every hour", CUSTOM_METRIC],
    ]
    return table(["", "$ a month"], [[what, f"{price:.2f}"] for what, price in lines])


def of_type(resources: Iterable[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Return the properties of the resources of a type."""
    return [resource["Properties"] for resource in resources if resource["Type"] == kind]
