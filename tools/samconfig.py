"""What samconfig.toml says of the stack that an environment stands for."""

import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ProfileNotFound

from emulator.engine import ROOT

FILE = ROOT / "samconfig.toml"


class ConfigurationError(Exception):
    """samconfig.toml does not say what it is asked for."""


@dataclass(frozen=True)
class Environment:
    """A stack, as samconfig.toml has it."""

    name: str
    """Of the section, such as "default"."""
    stack_name: str
    region: str | None
    parameters: dict[str, str]
    """Of the template, by name."""
    profile: str | None = None

    def session(self) -> boto3.Session:
        """Return a session with what sam deploys with: samconfig.toml goes before the shell.

        Raises
        ------
        ConfigurationError
            If there is no such profile.
        """
        try:
            return boto3.Session(profile_name=self.profile, region_name=self.region)
        except ProfileNotFound as error:
            raise ConfigurationError(str(error)) from error


def read(name: str, file: Path = FILE) -> Environment:
    """Read the sections of an environment.

    Raises
    ------
    ConfigurationError
        If there is no such environment, it names no stack, or the file is no TOML.
    """
    try:
        tables = tomllib.loads(file.read_text())
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file.name}: {error}") from error
    sections = {title: table for title, table in tables.items() if isinstance(table, dict)}
    if name not in sections:
        raise ConfigurationError(f"{file.name} has no section {name!r}, only {', '.join(sections)}")
    settings: dict[str, Any] = {}
    for command in ("global", "deploy"):
        settings |= sections[name].get(command, {}).get("parameters", {})
    if "stack_name" not in settings:
        raise ConfigurationError(f"{file.name} says no stack_name in {name}.global.parameters")
    overrides = settings.get("parameter_overrides", [])
    pairs = shlex.split(overrides) if isinstance(overrides, str) else overrides
    return Environment(
        name,
        settings["stack_name"],
        settings.get("region"),
        dict(pair.split("=", 1) for pair in pairs),
        settings.get("profile"),
    )
