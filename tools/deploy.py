"""Build the project and deploy it to AWS, both for the same processor, as samconfig.toml says.

    python -m tools.deploy [--config-env ENV] [--build-only] [Architecture=x86_64] [KMax=64] ...

Parameters of the template that are named neither here nor in samconfig.toml stay as the stack has
them.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from botocore.exceptions import BotoCoreError

from emulator.deploy import (
    DeployError,
    as_sam_takes_them,
    build,
    files_are_written,
    one_at_a_time,
    write_template,
)
from emulator.engine import ROOT
from tools import samconfig

LONGEST_STACK_NAME = 61
"""A state machine's name has at most 80 characters, and one is STACK-backfill-inventory.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html
"""

ARCHITECTURES = ("arm64", "x86_64")
"""What can be built for."""

PACKED = "packed.json"
"""The template of a build that has the layers as zip files."""

NO_REGION = """\
error: no AWS region is set. Set one of
  AWS_DEFAULT_REGION=eu-central-1         in the shell; sam does not read AWS_REGION
  region = "eu-central-1"                 in samconfig.toml, section {}.global.parameters"""


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.deploy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parameters", nargs="*", metavar="NAME=VALUE", type=_pair)
    parser.add_argument("--config-env", default="default", help="an environment of samconfig.toml")
    parser.add_argument("--build-only", action="store_true", help="do not deploy")
    arguments = parser.parse_args()
    try:
        environment = samconfig.read(arguments.config_env)
        parameters = environment.parameters | dict(arguments.parameters)
        # Asked for before the build, which takes minutes.
        if not (arguments.build_only or environment.session().region_name):
            print(NO_REGION.format(environment.name), file=sys.stderr)
            return 1
        check_stack_name(environment)
        architecture = parameters.get("Architecture")
        if architecture not in ARCHITECTURES:
            raise samconfig.ConfigurationError(
                f"Architecture is {architecture}; choose from {', '.join(ARCHITECTURES)}"
            )
        template = packed(build(architecture))
    except (samconfig.ConfigurationError, DeployError, BotoCoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if arguments.build_only:
        print(template)
        return 0
    return subprocess.run(
        [
            *("sam", "deploy", "--template-file", template),
            *("--config-file", samconfig.FILE, "--config-env", environment.name),
            *("--parameter-overrides", *as_sam_takes_them(parameters)),
        ],
        cwd=ROOT,
        check=False,
    ).returncode


def check_stack_name(environment: samconfig.Environment) -> None:
    """Refuse a name with which AWS would begin to create the stack, and fail.

    Raises
    ------
    ConfigurationError
    """
    if len(environment.stack_name) > LONGEST_STACK_NAME:
        raise samconfig.ConfigurationError(
            f"the stack name {environment.stack_name} has {len(environment.stack_name)} characters;"
            f" choose one of at most {LONGEST_STACK_NAME} in {samconfig.FILE.name}"
        )


@files_are_written()
def packed(build: Path) -> Path:
    """Pack a build's layers into zip files, if that was not done, and return the template of these.

    sam would compress the layers for each deployment again, which takes most of its time.
    """
    template = build / PACKED
    with one_at_a_time():
        if not template.exists():  # Each build empties the folder first.
            write_template(build, PACKED, _pack)
    return template


def _pack(folder: Path) -> Path:
    """Write a zip file beside a folder; of the same content, it has the same bytes."""
    target = folder.with_suffix(".zip")
    # The quickest level, which makes them a ninth larger than the usual one.
    with ZipFile(target, "w", ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = ZipInfo(str(path.relative_to(folder)))
            entry.external_attr = path.stat().st_mode << 16
            entry.compress_type = ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes(), compresslevel=1)
    return target


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
