"""Alarms are taken as CloudWatch takes them."""

import json
from typing import Any

from tests.support.cloud import Cloud, until


def test_alarm_may_be_on_several_metrics(cloud: Cloud) -> None:
    def calls(name: str) -> dict[str, Any]:
        metric = {"Namespace": "AWS/Lambda", "MetricName": "Throttles"}
        stat = {"Metric": metric, "Period": 60, "Stat": "Sum"}
        return {"Id": name, "MetricStat": stat, "ReturnData": False}

    metrics = [{"Id": "all", "Expression": "one + other"}, calls("one"), calls("other")]
    alarm = {
        "Metrics": metrics,
        "EvaluationPeriods": 1,
        "Threshold": 0,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    name = cloud.name()
    template = {"Resources": {"It": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm}}}
    cloud.stacks.create_stack(StackName=name, TemplateBody=json.dumps(template))

    def look() -> str | None:
        status = cloud.stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        return None if status.endswith("IN_PROGRESS") else status

    assert until(look) == "CREATE_COMPLETE"
