"""What an operator sees of the deployed service."""

import json
from typing import Any

import pytest

from emulator import engine
from tests.support.dashboards import metrics_of
from tests.support.fixtures import Aws, ImageMaker
from tests.support.service import Service, until

OWN = f"ColorQuantization/{engine.STACK_NAME}"


def published(aws: Aws) -> set[tuple[Any, ...]]:
    """Return namespace, metric and dimensions of all metrics in the functions' logs."""
    logs = aws("logs")
    found = set()
    groups = logs.get_paginator("describe_log_groups").paginate()
    for name in [group["logGroupName"] for page in groups for group in page["logGroups"]]:
        events = logs.get_paginator("filter_log_events").paginate(logGroupName=name)
        for message in [event["message"] for page in events for event in page["events"]]:
            record = json.loads(message) if message.startswith('{"_aws"') else {}
            for directive in record.get("_aws", {}).get("CloudWatchMetrics", []):
                for dimensions in directive["Dimensions"]:
                    values = tuple((name, record[name]) for name in dimensions)
                    for metric in directive["Metrics"]:
                        assert record[metric["Name"]], "it has no value"
                        found.add((directive["Namespace"], metric["Name"], *values))
    return found


@pytest.fixture(scope="module")
def seen(
    aws: Aws, service: Service, functions: dict[str, str], image: ImageMaker
) -> set[tuple[Any, ...]]:
    """Quantize an image, refuse one, let one crash; return the metrics that tell of it."""
    done = service.ended(service.upload("operations/good.png", image()))
    assert done["status"] == "SUCCEEDED"
    service.ended(service.upload("operations/bad.png", b"no image"))
    crashed = {
        "executionArn": "a:crash",
        "status": "TIMED_OUT",
        "input": done["input"].replace("good.png", "crashed.png"),
        "startDate": int(done["startDate"].timestamp() * 1000),
    }
    aws("lambda").invoke(
        FunctionName=functions["RecordFailureFunction"], Payload=json.dumps({"detail": crashed})
    )

    def look() -> set[tuple[Any, ...]] | None:
        metrics = published(aws)
        return metrics if any(metric[1] == "Crashes" for metric in metrics) else None

    return until(look)


def test_failures_are_counted_by_error(seen: set[tuple[Any, ...]]) -> None:
    assert (OWN, "Refusals", ("error", "UnsupportedImage")) in seen
    assert (OWN, "Crashes", ("error", "States.Timeout")) in seen


def test_dashboard_shows_what_the_functions_publish(aws: Aws, seen: set[tuple[Any, ...]]) -> None:
    cloudwatch = aws("cloudwatch")
    listed = cloudwatch.list_dashboards()["DashboardEntries"]
    (name,) = [d["DashboardName"] for d in listed if engine.STACK_NAME in d["DashboardName"]]
    body = cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"]
    widgets = json.loads(body)["widgets"]
    own = {
        (namespace, metric, tuple(dimension))
        for widget in widgets
        for namespace, metric, *dimension in metrics_of(widget)
        if not namespace.startswith("AWS/")
    }
    assert own == {metric for metric in seen if metric[0] == OWN and metric[2][0] == "service"}
    assert f'{{"{OWN}",error}}' in json.dumps(widgets).replace('\\"', '"')


def test_alarm_is_on_a_metric_that_the_functions_publish(
    aws: Aws, seen: set[tuple[Any, ...]]
) -> None:
    alarms = aws("cloudwatch").describe_alarms()["MetricAlarms"]
    own = [a for a in alarms if not a.get("Namespace", "-").startswith(("AWS/", "-"))]
    assert {
        (a["Namespace"], a["MetricName"], *((d["Name"], d["Value"]) for d in a["Dimensions"]))
        for a in own
    } == {(OWN, "Crashes", ("service", "record_failure"))}
    assert len(alarms) == 4
