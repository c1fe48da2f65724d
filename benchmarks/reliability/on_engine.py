"""The deployed service on a local engine of the benchmark's own."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from emulator import engine
from emulator.deploy import deploy
from quantization_client.stack import find_stack
from tests.support.corpus import saved
from tests.support.service import Service, function_names


class Deployed(NamedTuple):
    """The service, and how to reach the engine's other services."""

    service: Service
    aws: Callable[[str], Any]
    functions: dict[str, str]
    port: int


@contextmanager
def deployed() -> Iterator[Deployed]:
    """Start an engine and deploy to it; stop it afterwards."""
    with socket.socket() as probe:
        probe.bind((engine.HOST, 0))
        port = probe.getsockname()[1]
    try:
        place = deploy(port)
        aws = engine.clients(port)
        service = Service(find_stack(engine.STACK_NAME, place))
        yield Deployed(service, aws, function_names(aws("cloudformation")), port)
    finally:
        engine.stop(port)


def small_image(seed: int) -> bytes:
    """Encode an image of three colors, others for another seed: one K to try."""
    rows = np.arange(12)[:, None, None] % 3 * 80
    colors = rows + np.array([0, seed % 80, seed // 80])
    return saved(Image.fromarray(np.broadcast_to(colors, (12, 12, 3)).astype(np.uint8)), "PNG")
