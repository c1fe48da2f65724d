"""Mends in Step Functions."""

import json
from typing import Any

import yaml
from ministack.services.cloudformation import provisioners

from local.launcher.mending import mend


@mend(provisioners, "_sfn_definition")
def definition_in_s3_may_be_yaml(stock: Any, props: dict[str, Any]) -> str:
    """Read a definition file that is YAML.

    AWS: a file named by DefinitionS3Location is JSON or YAML.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-stepfunctions-statemachine.html
    Stock: JSON only.
    """
    definition: str = stock(props)
    try:
        json.loads(definition)
    except ValueError:
        return json.dumps(yaml.safe_load(definition))
    return definition
