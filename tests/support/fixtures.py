"""Types of the fixtures that are functions."""

import subprocess
from collections.abc import Callable
from typing import Any

from numpy.typing import ArrayLike

from quantization.contract import Upload

type Aws = Callable[[str], Any]
"""Make a client of a service, by its name."""

type Uploader = Callable[..., Upload]
"""Upload bytes under a key, with metadata as keywords."""

type PngMaker = Callable[[ArrayLike], bytes]
"""Encode an RGB array."""

type ImageMaker = Callable[..., bytes]
"""Encode a small image, another one for each seed."""

type Command = Callable[..., subprocess.CompletedProcess[str]]
"""Run a command with these arguments."""

CommandInProcess = Callable[..., int]
"""Run the command in this process; return its exit code."""
