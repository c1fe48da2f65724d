"""The client on an account with a long past, other users, queues and faults."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from quantization_client.follow import NotStartedError
from quantization_client.jobs import Job, Outcome
from quantization_client.journal import FOLDER
from quantization_client.main import NO_STACK, main
from quantization_client.patience import PATIENCE_SECONDS
from quantization_client.run import MOST_UPLOADS, START_LIMIT_SECONDS, Run
from tests.support.busy_account import BusyAccount, Clock, refusal

PAST = 100_000


@pytest.fixture
def account(clock: Clock) -> BusyAccount:
    return BusyAccount(clock, PAST)


@pytest.fixture
def jobs_of(tmp_path: Path) -> Callable[[int], list[Job]]:
    """Return so many images to quantize."""

    def make(amount: int) -> list[Job]:
        jobs = []
        for number in range(amount):
            path = tmp_path / f"{number}.jpg"
            path.touch()
            jobs.append(Job(path, path.relative_to(tmp_path)))
        return jobs

    return make


@pytest.fixture
def begin(account: BusyAccount, tmp_path: Path) -> Callable[[], Run]:
    """Begin a run, as each call of the command does."""
    return lambda: Run(account.stack(), tmp_path / "out", {}, lambda _job, _progress: None)


def remembered(tmp_path: Path) -> int:
    return len(list((tmp_path / "out" / FOLDER).glob("*.json")))


def all_done(outcomes: list[Outcome], jobs: list[Job]) -> bool:
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    return {outcome.job.name for outcome in outcomes} == {job.name for job in jobs}


def test_one_upload_costs_few_calls_whatever_the_past(
    account: BusyAccount, begin: Callable[[], Run], jobs_of: Callable[[int], list[Job]]
) -> None:
    jobs = jobs_of(1)
    assert all_done(list(begin().outcomes(jobs)), jobs)

    assert account.calls.total() <= 20
    assert account.calls["throttled"] == 0


def test_thousand_files_end_well(
    begin: Callable[[], Run], jobs_of: Callable[[int], list[Job]], tmp_path: Path
) -> None:
    jobs = jobs_of(1000)
    run = begin()
    assert all_done(list(run.outcomes(jobs)), jobs)

    assert remembered(tmp_path) == 1000
    run.forget(jobs)
    assert remembered(tmp_path) == 0


def test_others_who_use_up_the_quotas_fail_no_image(
    account: BusyAccount, begin: Callable[[], Run], jobs_of: Callable[[int], list[Job]]
) -> None:
    account.drain()
    account.others = 0.9
    jobs = jobs_of(50)
    assert all_done(list(begin().outcomes(jobs)), jobs)
    assert account.calls["throttled"] > 0


def test_upload_waits_while_somebody_elses_burst_is_started(
    account: BusyAccount, begin: Callable[[], Run], jobs_of: Callable[[int], list[Job]]
) -> None:
    account.queue_seconds = 100_000 / 300
    jobs = jobs_of(20)
    assert all_done(list(begin().outcomes(jobs)), jobs)


def test_upload_that_starts_nothing_ends_the_run_but_is_remembered(
    account: BusyAccount,
    begin: Callable[[], Run],
    jobs_of: Callable[[int], list[Job]],
    tmp_path: Path,
) -> None:
    account.queue_seconds = 10 * START_LIMIT_SECONDS
    jobs = jobs_of(3)
    with pytest.raises(NotStartedError, match=str(jobs[0].path)) as raised:
        list(begin().outcomes(jobs))

    assert remembered(tmp_path) == 3
    (folder,) = tmp_path.rglob(".unfinished")
    assert f"remove {folder}," in str(raised.value)
    account.clock.now += account.queue_seconds
    assert all_done(list(begin().outcomes(jobs)), jobs)
    assert account.calls["put_object"] == 3


@pytest.mark.parametrize(
    "call", ["put_object", "list_objects_v2", "get_execution_history", "download_file"]
)
@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://s3"),
        refusal("ThrottlingException"),
        refusal("SlowDown", 503),
        refusal("InternalError", 500),
    ],
    ids=["lost connection", "throttled", "slow down", "500"],
)
def test_fault_that_passes_is_waited_out(
    account: BusyAccount,
    begin: Callable[[], Run],
    jobs_of: Callable[[int], list[Job]],
    call: str,
    error: Exception,
) -> None:
    account.fault = lambda name, now: error if name == call and 2 < now < 60 else None
    jobs = jobs_of(20)
    assert all_done(list(begin().outcomes(jobs)), jobs)
    assert account.calls["put_object"] <= len(jobs) + 30  # Each upload once, and the tries.


def test_upload_that_is_broken_off_after_long_is_tried_again(
    account: BusyAccount, begin: Callable[[], Run], jobs_of: Callable[[int], list[Job]]
) -> None:
    lost = iter([EndpointConnectionError(endpoint_url="https://s3")])

    def fault(name: str, _now: float) -> Exception | None:
        if name == "put_object" and (error := next(lost, None)):
            account.clock.now += 2 * PATIENCE_SECONDS
            return error
        return None

    account.fault = fault
    jobs = jobs_of(1)
    assert all_done(list(begin().outcomes(jobs)), jobs)


@pytest.mark.parametrize("call", ["put_object", "list_objects_v2", "get_execution_history"])
@pytest.mark.parametrize(
    ("error", "waited"),
    [
        (refusal("ExpiredToken"), 0),
        (refusal("ExpiredTokenException"), 0),
        (refusal("AccessDenied", 403), 0),
        (EndpointConnectionError(endpoint_url="https://s3"), PATIENCE_SECONDS),
    ],
    ids=["expired at S3", "expired at Step Functions", "denied", "connection lost for good"],
)
def test_fault_that_stays_ends_the_run_and_the_same_command_goes_on(
    account: BusyAccount,
    begin: Callable[[], Run],
    jobs_of: Callable[[int], list[Job]],
    tmp_path: Path,
    call: str,
    error: Exception,
    waited: float,
) -> None:
    account.fault = lambda name, now: error if name == call and now > 10 else None
    jobs = jobs_of(60)
    done: list[Outcome] = []
    with pytest.raises(type(error)):
        done.extend(begin().outcomes(jobs))
    assert account.clock.now == pytest.approx(10 + waited, abs=120)
    uploaded = remembered(tmp_path)

    account.fault = lambda _name, _now: None
    second = begin()
    left = second.still_to_do(jobs)
    assert len(left) == len(jobs) - len(done)
    assert all_done(done + list(second.outcomes(left)), jobs)
    tried = account.calls["put_object"] - len(jobs)
    assert uploaded > 0
    assert tried == 0 or call == "put_object"


def test_image_that_aws_does_not_take_is_the_only_one_to_fail(
    account: BusyAccount, begin: Callable[[], Run], jobs_of: Callable[[int], list[Job]]
) -> None:
    refused = iter([refusal("EntityTooLarge")])
    account.fault = lambda name, _now: next(refused, None) if name == "put_object" else None
    first, *others = list(begin().outcomes(jobs_of(3)))
    assert "EntityTooLarge" in first.error
    assert len(others) == 2
    assert not any(outcome.error for outcome in others)


def test_image_whose_name_is_no_key_is_the_only_one_to_fail(
    begin: Callable[[], Run], jobs_of: Callable[[int], list[Job]], tmp_path: Path
) -> None:
    path = tmp_path / "bad\udcff.jpg"
    path.touch()
    jobs = [Job(path, Path(path.name)), *jobs_of(2)]

    first, *others = list(begin().outcomes(jobs))

    assert first.job.path == path
    assert first.error == "its name is not in UTF-8, which S3 takes only; rename it"
    assert all_done(others, jobs[1:])


def test_image_whose_name_another_run_took_is_uploaded_again(
    account: BusyAccount,
    begin: Callable[[], Run],
    jobs_of: Callable[[int], list[Job]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine = account.put_object
    others = iter(range(3))

    def put_object(**arguments: Any) -> dict[str, Any]:
        put = mine(**arguments)
        if next(others, None) is not None:
            mine(**arguments)
        return put

    monkeypatch.setattr(account, "put_object", put_object)
    jobs = jobs_of(1)

    assert all_done(list(begin().outcomes(jobs)), jobs)
    assert account.calls["put_object"] == 7


def test_image_whose_name_is_always_taken_fails_with_advice(
    account: BusyAccount,
    begin: Callable[[], Run],
    jobs_of: Callable[[int], list[Job]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine = account.put_object

    def put_object(**arguments: Any) -> dict[str, Any]:
        put = mine(**arguments)
        mine(**arguments)
        return put

    monkeypatch.setattr(account, "put_object", put_object)

    (outcome,) = begin().outcomes(jobs_of(1))

    assert "give it another name" in outcome.error
    assert account.calls["put_object"] == 2 * MOST_UPLOADS


def test_disk_that_is_full_fails_the_image_in_words(
    account: BusyAccount, begin: Callable[[], Run], jobs_of: Callable[[int], list[Job]]
) -> None:
    account.fault = lambda name, _now: OSError(28, "No space") if name == "download_file" else None
    (outcome,) = begin().outcomes(jobs_of(1))

    assert "No space" in outcome.error


def test_stack_of_something_else_is_told_in_one_line(
    jobs_of: Callable[[int], list[Job]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    class CloudFormation:
        def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - as boto3 has it
            outputs = [{"OutputKey": "InputBucket", "OutputValue": "theirs"}]
            return {"Stacks": [{"StackStatus": "CREATE_COMPLETE", "Outputs": outputs}]}

    monkeypatch.setattr("boto3.Session.client", lambda *_, **__: CloudFormation())
    jobs_of(1)

    out = str(tmp_path / "out")
    assert main([str(tmp_path / "0.jpg"), "--out", out, "--stack", "theirs"]) == NO_STACK

    (said,) = capsys.readouterr().err.splitlines()
    assert said == (
        "error: the stack 'theirs' has no output WorkBucket: it is none of color-quantization, or"
        " one to deploy anew"
    )


def test_run_that_cannot_go_on_says_so_in_one_line(
    account: BusyAccount,
    jobs_of: Callable[[int], list[Job]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    account.fault = lambda name, _now: refusal("ExpiredToken") if name != "put_object" else None
    monkeypatch.setattr("quantization_client.on_stack.find_stack", lambda *_: account.stack())
    jobs_of(2)
    images = [str(tmp_path / f"{number}.jpg") for number in range(2)]

    assert main([*images, "--out", str(tmp_path / "out"), "--stack", "any"]) == NO_STACK

    said = capsys.readouterr().err.strip().splitlines()
    assert len([line for line in said if "ExpiredToken" in line]) == 1
    assert said[-1].endswith("; once that is put right, the same command goes on")
    assert remembered(tmp_path) == 2
