"""Build the project and deploy it to AWS, both for the same processor, as samconfig.toml says.

    python -m tools.deploy [--config-env ENV] [--build-only] [Architecture=x86_64] [KMax=64] ...

Parameters of the template that are named neither here nor in samconfig.toml stay as the stack has
them.
"""

import argparse
import subprocess
import sys

import boto3

from emulator.deploy import DEPLOYED, DeployError, build
from emulator.engine import ROOT
from tools import samconfig

LONGEST_STACK_NAME = 61
"""A state machine's name has at most 80 characters, and one is STACK-backfill-inventory.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html
"""

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
        if not (arguments.build_only or environment.region or boto3.Session().region_name):
            print(NO_REGION.format(environment.name), file=sys.stderr)
            return 1
        check_stack_name(environment)
        template = build(parameters["Architecture"]) / DEPLOYED
    except (samconfig.ConfigurationError, DeployError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if arguments.build_only:
        print(template)
        return 0
    return subprocess.run(
        [
            *("sam", "deploy", "--template-file", template),
            *("--config-file", samconfig.FILE, "--config-env", environment.name),
            *("--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items())),
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


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
