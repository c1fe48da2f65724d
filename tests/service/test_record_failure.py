"""RecordFailure, from the end of an execution to what lies beside the missing result."""

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import msgspec
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from mypy_boto3_s3 import S3Client

from emulator.engine import ROOT
from functions.record_failure import handler as record_failure
from quantization.contract import Failure
from quantization.errors import REFUSALS
from quantization.service.messages import RecolorRequest
from tests.conftest import EXECUTION
from tests.support.keys import refusing_keys
from tests.support.results import result_with

EVENT = json.loads((ROOT / "events/upload.json").read_text())
SOURCE = "s3://{}/{}".format(EVENT["detail"]["bucket"]["name"], EVENT["detail"]["object"]["key"])


def ended(**fields: Any) -> dict[str, Any]:
    """Return what Step Functions tells of an execution that ended without a result."""
    detail = {
        "executionArn": EXECUTION,
        "stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:quantize",
        "status": "FAILED",
        "input": json.dumps(EVENT),
        "startDate": 1_767_225_600_123,
        "output": None,
        "error": None,
        "cause": None,
    }
    return {"source": "aws.states", "detail": detail | fields}


@pytest.fixture
def recorded(s3: S3Client) -> Callable[[], Failure]:
    def read() -> Failure:
        key = EVENT["detail"]["object"]["key"] + ".error.json"
        there = s3.get_object(Bucket="output", Key=key)
        assert there["ContentType"] == "application/json"
        text = there["Body"].read()
        schema = json.loads((ROOT / "schemas/failure.schema.json").read_text())
        jsonschema.validate(json.loads(text), schema)
        return msgspec.json.decode(text, type=Failure)

    return read


def test_refusal_is_told_with_its_message_and_advice(
    recorded: Callable[[], Failure], context: LambdaContext
) -> None:
    cause = json.dumps({"errorMessage": "HEIC is not supported", "errorType": "UnsupportedImage"})
    answer = record_failure.handler(ended(error="UnsupportedImage", cause=cause), context)

    assert answer == {"error": "UnsupportedImage", "cause": f"{SOURCE}: HEIC is not supported"}
    failure = recorded()
    assert (failure.error, failure.message) == ("UnsupportedImage", "HEIC is not supported")
    assert failure.advice == REFUSALS["UnsupportedImage"].advice
    assert failure.execution == EXECUTION
    there = EVENT["detail"]["object"]
    assert failure.source.version_id == there["version-id"]
    assert failure.source.sequencer == there["sequencer"]


def test_refusal_that_the_machine_told_of_is_not_told_twice(
    s3: S3Client, recorded: Callable[[], Failure], context: LambdaContext
) -> None:
    cause = json.dumps({"errorMessage": "too large"})
    answer = record_failure.handler(ended(error="ImageTooLarge", cause=cause), context)
    # The machine ends with the answer, so EventBridge brings it back.
    assert record_failure.handler(ended(**answer), context) == answer

    key = EVENT["detail"]["object"]["key"] + ".error.json"
    versions = s3.list_object_versions(Bucket="output", Prefix=key)["Versions"]
    assert len(versions) == 1
    assert recorded().message == "too large"


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        (
            {"error": "Lambda.Unknown", "cause": "The cause could not be determined"},
            "Lambda.Unknown",
            "The cause could not be determined",
        ),
        ({"status": "TIMED_OUT"}, "States.Timeout", "the execution ended as TIMED_OUT"),
        ({"status": "ABORTED"}, "ABORTED", "the execution ended as ABORTED"),
        (
            {"error": "KeyError", "cause": json.dumps({"errorMessage": "'k'", "stackTrace": []})},
            "KeyError",
            "'k'",
        ),
    ],
)
def test_crash_is_told_as_none_of_the_images_fault(
    recorded: Callable[[], Failure],
    context: LambdaContext,
    fields: dict[str, str],
    error: str,
    message: str,
) -> None:
    record_failure.handler(ended(**fields), context)

    failure = recorded()
    assert (failure.error, failure.message) == (error, message)
    assert "redrive" in failure.advice


def test_crash_in_a_backfill_is_not_told_to_be_redriven(
    recorded: Callable[[], Failure], context: LambdaContext
) -> None:
    """AWS redrives no Express workflow."""
    arn = "arn:aws:states:us-east-1:123456789012:express:quantize:first:1"
    record_failure.handler(ended(error="KeyError", cause="none", executionArn=arn), context)

    assert "start the backfill again" in recorded().advice
    assert "redrive" not in recorded().advice


@pytest.mark.parametrize(("error", "counted"), [("KeyError", True), ("ObjectGone", False)])
def test_crash_counts_even_where_another_images_result_has_its_name(
    s3: S3Client,
    context: LambdaContext,
    capsys: pytest.CaptureFixture[str],
    error: str,
    counted: bool,
) -> None:
    name = EVENT["detail"]["object"]["key"] + ".error"
    source = msgspec.structs.replace(result_with().source, key=f"{name}.png")
    result = msgspec.json.encode(result_with(source=source))
    s3.put_object(Bucket="output", Key=f"{name}.json", Body=result)

    record_failure.handler(ended(error=error, cause="none"), context)

    assert s3.get_object(Bucket="output", Key=f"{name}.json")["Body"].read() == result
    printed = capsys.readouterr().out
    assert ('"Crashes"' in printed) == counted
    assert '"Refusals"' not in printed


@pytest.mark.parametrize("ending", ["", ".jpg"])
def test_upload_whose_result_could_have_no_key_is_told_of(
    s3: S3Client, context: LambdaContext, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    longest = ending.rjust(1024, "x")
    monkeypatch.setattr(
        record_failure.s3, "get_object", refusing_keys(record_failure.s3.get_object)
    )
    event = json.loads(json.dumps(EVENT))
    event["detail"]["object"]["key"] = longest
    record_failure.handler(
        ended(input=json.dumps(event), error="KeyTooLong", cause="none"), context
    )

    written = s3.get_object(Bucket="output", Key=longest[:1013] + ".error.json")["Body"].read()
    assert msgspec.json.decode(written, type=Failure).source.key == longest


@pytest.mark.parametrize("missing", ["version-id", "sequencer"])
def test_upload_whose_event_lacks_a_field_is_told_of(
    recorded: Callable[[], Failure], context: LambdaContext, missing: str
) -> None:
    event = json.loads(json.dumps(EVENT))
    del event["detail"]["object"][missing]
    record_failure.handler(
        ended(input=json.dumps(event), error="ObjectUnversioned", cause="none"), context
    )

    assert recorded().error == "ObjectUnversioned"


def test_palette_that_could_not_be_taken_is_told_as_newer_than_the_result(
    s3: S3Client, context: LambdaContext
) -> None:
    asked = RecolorRequest(result_with(), 12)
    text = json.dumps(msgspec.to_builtins(asked))
    record_failure.handler(ended(input=text, error="InvalidOptions", cause="no such K"), context)

    key = f"{asked.again.source.key}.error.json"
    recorded = s3.get_object(Bucket="output", Key=key)["Body"].read()
    source = msgspec.json.decode(recorded, type=Failure).source
    assert source.version_id == asked.again.source.version_id
    assert source.sequencer == asked.again.source.sequencer
    # Milliseconds since 1970, as S3 and Step Functions write them.
    assert source.again == "2026-01-01T00:00:00.123Z"


@pytest.mark.parametrize("text", ["null", "{}", '"by hand"', '{"detail": {"bucket": 1}}'])
def test_execution_that_no_upload_started_is_passed_over(
    s3: S3Client, context: LambdaContext, text: str
) -> None:
    assert record_failure.handler(ended(input=text), context) is None
    assert "Contents" not in s3.list_objects_v2(Bucket="output")


def test_every_refusal_has_an_advice() -> None:
    assert all(refusal.advice.endswith(".") for refusal in REFUSALS.values())
