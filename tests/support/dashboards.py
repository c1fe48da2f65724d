"""CloudWatch's notation of a dashboard's metrics."""

from collections.abc import Iterator
from typing import Any


def metrics_of(widget: dict[str, Any]) -> Iterator[list[str]]:
    """Yield namespace, metric and dimensions of each row of a widget, abbreviations written out.

    "." stands for the same as in the row above, "..." for all of it but what follows.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
    """
    above: list[str] = []
    for row in widget["properties"].get("metrics", []):
        names = [part for part in row if isinstance(part, str)]
        if not names:
            continue  # an expression
        if names[0] == "...":
            names = above[: len(above) - len(names) + 1] + names[1:]
        above = [above[i] if name == "." else name for i, name in enumerate(names)]
        yield above
