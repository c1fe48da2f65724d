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
from quantization_client.finding import sample_image
from tests.support.dashboards import metrics_of

GB_SECOND = {"arm64": 0.0000133334, "x86_64": 0.0000166667}
INVOCATION = 0.20 / 1e6
TRANSITION = 25 / 1e6
"""Of a Standard workflow; each child that a Distributed Map starts is one, too.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-transitions.html
"""
EXPRESS_REQUEST, EXPRESS_GB_SECOND = 1 / 1e6, 0.06 / 3600
EXPRESS_MB = 64
"""What is charged for 50 MB, a definition of 15 kB and 25 times some kB: the next 64 MB."""
GET, PUT = 0.0004 / 1e3, 0.005 / 1e3
LOGGED_BYTE = 0.50 / 1e9
REPORTED_BYTES = 500
"""Of the lines START, END and REPORT that Lambda adds to a call's own."""
LOGGED_A_K, LOGGED_OF_THE_REST = 5500, 60_000
"""Bytes of an Express workflow that logs all, with data: for one K, and for its other states.

That is 200 kB for 25 K. On the local engine the history of one is 156 kB, to which AWS adds the
headers of each function's response.
"""
ALARM_METRIC, DASHBOARD, CUSTOM_METRIC, KEY = 0.10, 3.0, 0.30, 1.0
"""A month. An account's first three dashboards are free."""
SNAPSHOT_GB_SECOND = 1.5046e-6
RESTORED_GB = 1.397998e-4
MONTH = 730 * 3600
"""Seconds."""
MEMORY = 1769
MEMORY_GB = MEMORY / 1024
"""The default of template.yml for all three functions: one vCPU each."""


SMALL_GB = 256 / 1024
"""Of FindUpload."""
FIND_SECONDS, FIND_GETS = 0.06, 2
MACHINE_SECONDS = 0.3
"""What the state machine takes for itself, as on the local engine."""
KS = 25


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
    script = Path(__file__).with_name("count_requests.py")
    count: dict[str, dict[str, int]] = json.loads(
        output_of(["python", script, sample_image()]).splitlines()[-1]
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


class Way(NamedTuple):
    """How an image's states are run."""

    name: str
    functions: int
    """That the K are spread over."""
    standard: int
    """State transitions of Standard workflows."""
    express: int = 0
    """Express workflows, one within the other."""
    logged: int = 0
    """Bytes that an Express workflow logs."""
    finds: int = 0
    """Calls of FindUpload: one in a backfill."""


LOGGED_KS = KS * LOGGED_A_K
LOGGED = LOGGED_KS + LOGGED_OF_THE_REST
UPLOADS = Way("uploads", KS, transitions(KS))
BACKFILL = Way("backfill", KS, standard=1, express=2, logged=LOGGED, finds=1)
WAYS = [
    UPLOADS,
    # In place of the Map's states, the one that calls the Express workflow.
    Way("uploads, FanOut=Express", KS, transitions(0), express=1, logged=LOGGED_KS),
    BACKFILL,
    # Not built: the whole machine as Express, and a Standard one of Task, Choice, Succeed about it.
    Way("uploads, all nested as Express", KS, 3, 1, LOGGED),
    Way("uploads, five K a function", 5, transitions(5)),
    Way("uploads, all K in a function", 1, transitions(1)),
]


class Price(NamedTuple):
    """Dollars, by what is charged."""

    functions: float
    machine: float
    calls: float
    storage: float
    logs: float

    @property
    def total(self) -> float:
        """All of it."""
        return sum(self)


def price(seconds: Seconds, way: Way, architecture: str = "arm64") -> Price:
    """Price 1000 images that are quantized in some way."""
    calls = way.functions + 2 + way.finds
    express_seconds = seconds.sample + seconds.score + seconds.render + MACHINE_SECONDS
    express = EXPRESS_REQUEST + express_seconds * EXPRESS_MB / 1024 * EXPRESS_GB_SECOND
    asked = requests(way.functions)
    # What a backfill finds need not be put; a thousand keys are listed by what a put costs.
    puts = asked.puts - way.finds * (1 - 1 / 1000)
    gets = asked.gets + way.finds * FIND_GETS
    each = Price(
        functions=gb_seconds(seconds, way) * GB_SECOND[architecture],
        machine=way.standard * TRANSITION + way.express * express,
        calls=calls * INVOCATION,
        storage=puts * PUT + gets * GET,
        logs=(asked.logged + way.logged + way.finds * REPORTED_BYTES) * LOGGED_BYTE,
    )
    return Price(*(1000 * part for part in each))


def gb_seconds(seconds: Seconds, way: Way) -> float:
    """Return what the functions take for an image."""
    scoring = way.functions * (seconds.score + (KS / way.functions - 1) * seconds.score_each)
    found = SMALL_GB * FIND_SECONDS * way.finds
    return MEMORY_GB * (seconds.sample + scoring + seconds.render) + found


def summary(warm: Seconds, cold: Seconds) -> str:
    """Lay out the price of each way, warm and cold."""
    header = ["1000 images", "", "GB-s an image", "transitions", "Lambda $", "Step Functions $"]
    header += ["calls $", "S3 $", "logs $", "$"]
    lines = []
    for state, seconds in (("warm", warm), ("cold", cold)):
        for way in WAYS:
            parts = price(seconds, way)
            prices = [f"{part:.3f}" for part in (*parts, parts.total)]
            used = f"{gb_seconds(seconds, way):.2f}"
            lines.append([way.name, state, used, str(way.standard), *prices])
    starts = KS + 2
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
