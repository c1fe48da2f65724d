"""The options of an upload that names none: the stack's parameters, by way of the environment."""

from collections.abc import Mapping

from quantization.options import FIELDS, Options

PREFIX = "DEFAULT_"
"""Of the variables that the template sets: DEFAULT_K_MIN is the default of the option k-min."""


def default_options(environment: Mapping[str, str]) -> Options:
    """Return the options as the stack's variables have them.

    Raises
    ------
    InvalidOptions
        If a variable has a value that its option does not take.
    """
    variables = {name: PREFIX + field.name.upper() for name, field in FIELDS.items()}
    given = {name: environment[v] for name, v in variables.items() if v in environment}
    return Options().updated(given)
