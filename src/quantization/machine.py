"""The state machine's own file, run in this process: so much of its language as it uses.

What the functions of a stack do is done by functions here, and all that is between them, the choice
of K above all, by the file's JSONata expressions. Nothing is retried: what passes on AWS, a lack of
room or a fault of the network, does not come about here.
https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from jsonata import Jsonata

_INSTALLED = Path(__file__).with_name("quantize.asl.yaml")
_FILE = (
    _INSTALLED
    if _INSTALLED.exists()
    else Path(__file__).parents[2] / "statemachine" / _INSTALLED.name
)

_EXPRESSION = re.compile(r"\{%(.*)%\}", re.DOTALL)
_SUBSTITUTION = re.compile(r"\$\{(\w+)\}")


class ExecutionFailed(Exception):  # noqa: N818 - named as Step Functions names it
    """The machine ended in a Fail state.

    Attributes
    ----------
    error, cause : str
        As the state gives them.
    """

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error, self.cause = error, cause


def load(concurrency: int) -> Any:
    """Read the machine's file.

    Parameters
    ----------
    concurrency : int
        In place of the stack's parameter: iterations of the Map at the same time. Functions are
        called by the names that the template has for them.
    """
    given = {"MapConcurrency": str(concurrency), "ScoringWorkflow": ""}
    text = _FILE.read_text(encoding="utf-8")
    text = _SUBSTITUTION.sub(lambda name: given.get(name[1], name[1]), text)
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506


class Machine:
    """A state machine, and the functions that its tasks call.

    Parameters
    ----------
    definition : mapping
        As `load` reads it.
    functions : mapping of str to callable
        Each takes the payload of a call and returns the answer, both as of JSON.
    """

    def __init__(
        self, definition: Mapping[str, Any], functions: Mapping[str, Callable[[Any], Any]]
    ) -> None:
        self._definition = definition
        self._functions = functions

    def run(self, given: Any, execution: str) -> Any:
        """Run an execution, by its name, to its end, and return its output.

        Raises
        ------
        ExecutionFailed
            If it ends in a Fail state.
        Exception
            Whatever a function raises that no state catches.
        """
        start = datetime.now(UTC).isoformat()
        context = {"Execution": {"Id": execution, "Input": given, "StartTime": start}}
        return self._run(self._definition, given, {}, context)

    def _run(
        self,
        states: Mapping[str, Any],
        given: Any,
        variables: dict[str, Any],
        context: Mapping[str, Any],
    ) -> Any:
        """Go through the states of a machine, or of an iteration, and return the last output."""
        name = states["StartAt"]
        while name:
            entered = {"EnteredTime": datetime.now(UTC).isoformat(), "RetryCount": 0}
            scope = _Scope(given, variables, {**context, "State": entered})
            given, name = self._step(states["States"][name], scope)
        return given

    def _step(self, state: Mapping[str, Any], scope: "_Scope") -> tuple[Any, str | None]:
        """Return a state's output, and the name of the next state."""
        match state["Type"]:
            case "Task":
                call = scope.evaluate(state["Arguments"])
                try:
                    function = self._functions[call["FunctionName"]]
                    scope.result = {"Payload": function(call["Payload"])}
                except Exception as raised:
                    name = type(raised).__name__
                    catches = state.get("Catch", ())
                    caught = next((c for c in catches if name in c["ErrorEquals"]), None)
                    if caught is None:
                        raise
                    scope.error = {"Error": name, "Cause": str(raised)}
                    return scope.evaluate(caught["Output"]), caught["Next"]
            case "Map":
                scope.result = self._map(state, scope)
            case "Choice":
                default = {**state, "Next": state["Default"]}
                choices = (c for c in state["Choices"] if scope.evaluate(c["Condition"]))
                state = next(choices, default)
            case "Fail":
                error, cause = scope.evaluate([state["Error"], state["Cause"]])
                raise ExecutionFailed(error, cause)
        output = scope.evaluate(state["Output"]) if "Output" in state else scope.given
        scope.variables |= scope.evaluate(state.get("Assign", {}))
        return output, state.get("Next")

    def _map(self, state: Mapping[str, Any], scope: "_Scope") -> list[Any]:
        def iterate(item: Any) -> Any:
            context = {**scope.context, "Map": {"Item": {"Value": item}}}
            inner = _Scope(scope.given, dict(scope.variables), context)
            selected = inner.evaluate(state["ItemSelector"])
            return self._run(state["ItemProcessor"], selected, inner.variables, context)

        with ThreadPoolExecutor(scope.evaluate(state["MaxConcurrency"])) as pool:
            return list(pool.map(iterate, scope.evaluate(state["Items"])))


class _Scope:
    """What expressions of a state know.

    Attributes
    ----------
    given : Any
        The state's input.
    variables : dict
        What states before it assigned; an Assign adds to it.
    context : mapping
        The context object.
    result, error : Any
        What the state's work came to.
    """

    def __init__(self, given: Any, variables: dict[str, Any], context: Mapping[str, Any]) -> None:
        self.given = given
        self.variables = variables
        self.context = context
        self.result: Any = None
        self.error: Any = None

    def evaluate(self, template: Any) -> Any:
        """Return the template, a value as of JSON, with its expressions evaluated."""
        match template:
            case dict():
                return {name: self.evaluate(value) for name, value in template.items()}
            case list():
                return [self.evaluate(value) for value in template]
            case str() if expression := _EXPRESSION.fullmatch(template.strip()):
                program = Jsonata(expression[1])
                program.assign(
                    "states",
                    {
                        "input": self.given,
                        "context": self.context,
                        "result": self.result,
                        "errorOutput": self.error,
                    },
                )
                for name, value in self.variables.items():
                    program.assign(name, value)
                return program.evaluate(None)
        return template
