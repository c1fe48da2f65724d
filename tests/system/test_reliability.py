"""Every upload ends in one known state, on the deployed service."""

import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.fixtures import Aws, ImageMaker
from tests.support.service import Service, until


def test_refused_upload_is_told_why_beside_the_missing_result(service: Service, name: str) -> None:
    ended = service.ended(service.upload(f"{name}.jpg", b"no image"))

    assert (ended["status"], ended["error"]) == ("FAILED", "UnsupportedImage")
    # The machine has written it before it ended.
    failure = service.read(f"{name}.jpg.error.json")
    assert failure["error"] == "UnsupportedImage"
    assert failure["execution"] == ended["executionArn"]
    assert failure["advice"].startswith("Upload an ordinary")
    assert service.outputs(name) == {f"{name}.jpg.error.json"}


def test_success_clears_the_failure_of_an_older_upload(
    service: Service, name: str, image: ImageMaker
) -> None:
    service.ended(service.upload(f"{name}.png", b"no image"))
    assert service.ended(service.upload(f"{name}.png", image()))["status"] == "SUCCEEDED"
    assert service.outputs(name) == {f"{name}.{ending}" for ending in ("png", "html", "json")}


def test_failure_of_a_newer_upload_leaves_the_last_result(
    service: Service, name: str, image: ImageMaker
) -> None:
    first = service.upload(f"{name}.png", image())
    service.ended(first)
    service.ended(service.upload(f"{name}.png", b""))

    assert service.read(f"{name}.png.error.json")["error"] == "EmptyImage"
    assert service.read(f"{name}.json")["source"]["version_id"] == first
    # The older event once more changes nothing.
    before = service.read(f"{name}.json")
    assert service.again(first)["status"] == "SUCCEEDED"
    assert service.read(f"{name}.json") == before
    assert service.read(f"{name}.png.error.json")["error"] == "EmptyImage"


def test_older_upload_that_is_late_does_not_replace_the_newer_result(
    service: Service, name: str, image: ImageMaker
) -> None:
    older = service.upload(f"{name}.png", image())
    newer = service.upload(f"{name}.png", image(9))
    for version in (newer, older):
        service.ended(version)

    assert json.loads(service.again(older)["output"])["superseded"]
    assert service.read(f"{name}.json")["source"]["version_id"] == newer


def test_two_uploads_and_duplicates_at_once_end_with_the_newest(
    service: Service, name: str, image: ImageMaker
) -> None:
    versions = [service.upload(f"{name}.png", image(seed)) for seed in range(3)]
    for version in versions:
        service.ended(version)
    with ThreadPoolExecutor(6) as threads:
        ended = list(threads.map(service.again, versions * 2))

    assert {e["status"] for e in ended} == {"SUCCEEDED"}
    result = service.read(f"{name}.json")
    assert result["source"]["version_id"] == versions[-1]
    top = service.stack.s3.head_object(Bucket=service.stack.output_bucket, Key=f"{name}.png")
    assert top["VersionId"] == result["image_file"]["version_id"]


def test_upload_deleted_before_it_is_read_is_gone(service: Service, name: str) -> None:
    version = service.upload(f"{name}.png", b"no image")
    service.ended(version)
    service.stack.s3.delete_object(
        Bucket=service.stack.input_bucket, Key=f"{name}.png", VersionId=version
    )

    ended = service.again(version)
    assert (ended["status"], ended["error"]) == ("FAILED", "ObjectGone")
    assert service.read(f"{name}.png.error.json")["error"] == "ObjectGone"


def test_deleted_or_overwritten_key_does_not_disturb_its_version(
    service: Service, name: str, image: ImageMaker
) -> None:
    version = service.upload(f"{name}.png", image())
    service.stack.s3.delete_object(Bucket=service.stack.input_bucket, Key=f"{name}.png")

    assert service.ended(version)["status"] == "SUCCEEDED"
    assert service.read(f"{name}.json")["source"]["version_id"] == version


@pytest.fixture
def broken(aws: Aws, functions: dict[str, str]) -> Iterator[Callable[[str], Callable[[], None]]]:
    """Make a function crash for a while."""
    lambdas = aws("lambda")
    mended = []

    def break_function(logical_id: str) -> Callable[[], None]:
        function = functions[logical_id]
        alias = lambdas.get_alias(FunctionName=function, Name="live")
        handler = lambdas.get_function_configuration(FunctionName=function)["Handler"]
        lambdas.update_function_configuration(FunctionName=function, Handler="none.handler")
        version = lambdas.publish_version(FunctionName=function)["Version"]
        lambdas.update_alias(FunctionName=function, Name="live", FunctionVersion=version)

        def mend() -> None:
            lambdas.update_function_configuration(FunctionName=function, Handler=handler)
            whole = alias["FunctionVersion"]
            lambdas.update_alias(FunctionName=function, Name="live", FunctionVersion=whole)

        mended.append(mend)
        return mend

    yield break_function
    for mend in mended:
        mend()


@pytest.mark.parametrize("function", ["SampleFunction", "ScoreKFunction", "RenderFunction"])
def test_crash_is_told_too_and_outdated_by_the_next_try(
    service: Service,
    name: str,
    image: ImageMaker,
    broken: Callable[[str], Callable[[], None]],
    function: str,
) -> None:
    mend = broken(function)
    version = service.upload(f"{name}.png", image())
    ended = service.ended(version)

    assert (ended["status"], ended["error"]) == ("FAILED", "Runtime.ImportModuleError")
    failure = until(lambda: service.read(f"{name}.png.error.json"))
    assert failure["error"] == "Runtime.ImportModuleError"
    assert "redrive" in failure["advice"]
    assert service.outputs(name) == {f"{name}.png.error.json"}

    mend()
    assert service.again(version)["status"] == "SUCCEEDED"
    assert service.outputs(name) == {f"{name}.{ending}" for ending in ("png", "html", "json")}


def test_aborted_execution_is_told_of(service: Service, name: str, image: ImageMaker) -> None:
    version = service.upload(f"{name}.png", image())
    running = until(lambda: next(iter(service.executions(version)), None))
    service.stack.states.stop_execution(executionArn=running["executionArn"])

    assert until(lambda: service.read(f"{name}.png.error.json"))["error"] == "ABORTED"


def test_input_is_never_touched(service: Service, name: str) -> None:
    version = service.upload(f"{name}.png", b"no image")
    service.ended(version)

    listed = service.stack.s3.list_object_versions(
        Bucket=service.stack.input_bucket, Prefix=f"{name}.png"
    )
    assert [v["VersionId"] for v in listed["Versions"]] == [version]
    assert "DeleteMarkers" not in listed


@pytest.mark.parametrize(
    "key",
    [
        "folder/{}/",
        "none/{}",
        "a b/{} +%20%.png",
        "späth/{}/日本.png",
        "{}" + "x" * 960,
        "./{}//...",
    ],
)
def test_any_key_has_a_known_end(service: Service, image: ImageMaker, key: str) -> None:
    key = key.format(uuid.uuid4())
    assert service.ended(service.upload(key, image()))["status"] == "SUCCEEDED"


def test_key_too_long_for_its_results_is_refused(service: Service, image: ImageMaker) -> None:
    key = str(uuid.uuid4()).ljust(1024, "x")
    ended = service.ended(service.upload(key, image()))

    assert ended["error"] == "KeyTooLong"
    assert service.read(key[:1013] + ".error.json")["error"] == "KeyTooLong"


@pytest.mark.parametrize("value", ["'; DROP TABLE", "silhouette\u00e9" * 20, "{% 1 %}", " "])
def test_hostile_option_is_refused(
    service: Service, name: str, image: ImageMaker, value: str
) -> None:
    metadata = {"criterion": value.encode("ascii", "replace").decode()}
    ended = service.ended(service.upload(f"{name}.png", image(), **metadata))
    assert ended["error"] == "InvalidOptions"
