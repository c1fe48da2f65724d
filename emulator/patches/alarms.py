"""Patches in CloudWatch."""

from typing import Any

from ministack.services.cloudformation import provisioners

from emulator.patches.patching import patch


@patch(provisioners, "_cw_metric_alarm_record", "name, props")
def alarm_may_be_on_several_metrics(stock: Any, name: str, props: dict[str, Any]) -> Any:
    """Let a template have alarms on metric math.

    AWS: an alarm's Metrics may be combined by an expression.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-alarm.html
    Stock: they are refused, and the stack with them. As hardly a metric is published here, it is
    enough to keep such an alarm, in the state of one without data.
    """
    if "Metrics" not in props:
        return stock(name, props)
    unmeasured = {"Namespace": "-", "MetricName": "-"}
    record = stock(name, {k: v for k, v in props.items() if k != "Metrics"} | unmeasured)
    return record | {"Metrics": props["Metrics"]}
