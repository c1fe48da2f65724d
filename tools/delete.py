"""Delete a stack: empty its work bucket, which CloudFormation deletes only when empty, then sam.

The input and the output bucket stay, with all that is in them.
"""

import argparse
import subprocess
import sys
import tomllib

from emulator.engine import ROOT
from quantization_client.stack import NoSuchStackError, Stack, find_stack


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.delete", description=__doc__)
    parser.add_argument("--config-env", default="default", help="a section of samconfig.toml")
    environment: str = parser.parse_args().config_env
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    if environment not in config:
        print(f"error: samconfig.toml has no section {environment!r}", file=sys.stderr)
        return 2
    try:
        stack = find_stack(config[environment]["global"]["parameters"]["stack_name"])
    except NoSuchStackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    empty_work_bucket(stack)
    done = subprocess.run(
        ["sam", "delete", "--config-env", environment, "--no-prompts"], cwd=ROOT, check=False
    )
    print(f"kept, with what is in them: {stack.input_bucket}, {stack.output_bucket}")
    return done.returncode


def empty_work_bucket(stack: Stack) -> None:
    """Delete the samples, which nothing needs once their execution has ended."""
    for page in stack.s3.get_paginator("list_objects_v2").paginate(Bucket=stack.work_bucket):
        for found in page.get("Contents", []):
            stack.s3.delete_object(Bucket=stack.work_bucket, Key=found["Key"])


if __name__ == "__main__":
    sys.exit(main())
