"""What `sam build` left: the functions with their layers, as the built template has them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse

ARCHITECTURES = ("arm64", "x86_64")


@dataclass(frozen=True)
class BuiltFunction:
    """A function as Lambda would unpack it."""

    name: str
    """Logical id in the template."""
    handler: str
    task: Path
    """What becomes /var/task."""
    layers: dict[str, Path]
    """By logical id, what becomes /opt."""
    variables: dict[str, str]
    """The environment that the template gives: parameters at defaults, buckets named by id."""


def functions(build: Path) -> Iterator[BuiltFunction]:
    """Read the functions from the template that sam wrote into the build."""
    template = yaml_parse((build / "template.yaml").read_text())
    resources, common = template["Resources"], template["Globals"]["Function"]
    values = {name: about.get("Default") for name, about in template["Parameters"].items()}

    def resolve(value: Any) -> str:
        match value:
            case {"Ref": name}:
                return str(values.get(name, name.lower()))
            case {"Fn::Sub": text}:
                return str(text)
        return str(value)

    for name, resource in resources.items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        own = resource["Properties"]
        variables = common["Environment"]["Variables"] | own["Environment"]["Variables"]
        yield BuiltFunction(
            name=name,
            handler=own["Handler"],
            task=build / own["CodeUri"],
            layers={
                layer["Ref"]: build / resources[layer["Ref"]]["Properties"]["ContentUri"]
                for layer in own["Layers"]
            },
            variables={variable: resolve(value) for variable, value in variables.items()},
        )


def files(folder: Path) -> list[Path]:
    """List the files below a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def size(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in files(folder))
