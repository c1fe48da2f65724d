"""stackport on 127.0.0.1, with histories that are whole; runs in the console's environment.

Stock stackport listens on all interfaces, lets any web site ask it, reads the first hundred events
of a history, where an execution that tries 25 K has 168, and has no view of the events themselves:
here they are part of an execution's "Raw" view.
"""

import contextlib
import functools
import json
import socket
import sys
from typing import Any

import uvicorn
from backend.main import app
from backend.routes import stepfunctions
from fastapi.middleware.cors import CORSMiddleware

from emulator.engine import HOST

_get_stock_client = stepfunctions.get_client


@functools.cache
def _get_client(service: str, **place: Any) -> Any:
    """Return a client that reads every page of a history, and adds it to what it describes."""
    client = _get_stock_client(service, **place)
    paginator = client.get_paginator("get_execution_history")
    describe = client.describe_execution

    def get_execution_history(maxResults: int, **request: Any) -> dict[str, Any]:  # noqa: N803
        pages = paginator.paginate(**request, PaginationConfig={"PageSize": 1000})
        return {"events": [event for page in pages for event in page["events"]]}

    def describe_execution(executionArn: str) -> dict[str, Any]:  # noqa: N803
        history = get_execution_history(0, executionArn=executionArn)
        described: dict[str, Any] = describe(executionArn=executionArn)
        del described["ResponseMetadata"]
        return described | {"events": [_parsed(event) for event in history["events"]]}

    client.get_execution_history = get_execution_history
    client.describe_execution = describe_execution
    return client


def _parsed(event: dict[str, Any]) -> dict[str, Any]:
    """Turn the JSON texts in an event's details into what they stand for."""

    def parsed(name: str, value: Any) -> Any:
        return json.loads(value) if name in ("input", "output", "parameters") else value

    return {
        name: {n: parsed(n, v) for n, v in value.items()} if isinstance(value, dict) else value
        for name, value in event.items()
    }


stepfunctions.get_client = _get_client
app.user_middleware = [part for part in app.user_middleware if part.cls is not CORSMiddleware]


class _Server(uvicorn.Server):  # type: ignore[misc] # uvicorn is in another environment
    """Says where its page is, but not before it can be opened."""

    def __init__(self, port: int, page: str) -> None:
        super().__init__(uvicorn.Config(app, host=HOST, port=port, log_level="warning"))
        self._page = page

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self._page, flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        _Server(int(sys.argv[1]), sys.argv[2]).run()
