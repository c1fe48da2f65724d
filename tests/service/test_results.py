"""Whatever happens in whatever order, the output bucket ends with the newest upload's state."""

import itertools
from typing import NamedTuple

import msgspec
import pytest
from botocore.exceptions import ClientError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from quantization.contract import Backfill, Failure, ImageFile, Result, Source, Swatch, Upload
from quantization.errors import KeyTooLong
from quantization.options import Options
from quantization.palette_files import WRITERS, palette_file
from quantization.service.find_upload import find_upload
from quantization.service.messages import FindRequest
from quantization.service.storage.results import (
    LONGEST_KEY,
    check_key,
    error_key,
    publish_failure,
    publish_result,
    without_extension,
)
from tests.support.bucket import Bucket, Writer
from tests.support.results import result_with

KEY = "some where/späth.jpg"
IMAGES = {ending: f"some where/späth.{ending}" for ending in ("png", "webp")}
PALETTES = {ending: f"some where/späth.{ending}" for ending in WRITERS}
REPORT, DOCUMENT, ERROR = "some where/späth.html", "some where/späth.json", KEY + ".error.json"

# In the order of their uploads; some are as long as another one with zeros behind it.
SEQUENCERS = ["009", "00A", "00A01", "00a1", "00B000", "01"]
VERSIONS = [f"version {sequencer}" for sequencer in SEQUENCERS]
NONE = (-1, "")
# Few different images: an upload often has the very bytes, and so the ETag, of an earlier one.
PICTURES = [b"sea", b"sky"]


def upload_of(sequencer: str, key: str = KEY) -> Upload:
    return Upload("input", key, f"version {sequencer}", "etag", sequencer)


def backfilled(sequencer: str, started: str, replaces: str | None = None) -> Upload:
    """Return the version as a backfill finds it: S3's list tells no sequencer."""
    found = Backfill(started, replaces=replaces)
    return msgspec.structs.replace(upload_of(sequencer), sequencer="", backfill=found)


def age_of(upload: Upload) -> tuple[int, str]:
    """Return what sorts runs by their age; the uploads are in the order of `SEQUENCERS`."""
    started = upload.backfill.started if upload.backfill else ""
    return VERSIONS.index(upload.version_id), started


def picture_of(upload: Upload) -> bytes:
    return PICTURES[sum(map(len, map(str, age_of(upload)))) % 2]


def format_of(upload: Upload) -> str:
    version, started = age_of(upload)
    return ["png", "png", "webp"][(version + len(started)) % 3]


def palettes_of(upload: Upload) -> tuple[str, ...]:
    version, started = age_of(upload)
    return [("gpl",), (), ("gpl", "ase"), ("css",)][(version + len(started)) % 4]


def options_of(upload: Upload) -> Options:
    return Options(format=format_of(upload), palettes=palettes_of(upload))


def result_of(upload: Upload, execution: str, version_id: str) -> Result:
    return result_with(
        source=Source(**msgspec.structs.asdict(upload), width=1, height=1),
        image_file=ImageFile(format=format_of(upload), version_id=version_id, bytes=1, ratio=1),
        options=options_of(upload),
        palette=[Swatch(f"#{age_of(upload)[0]:06x}", 1.0)],
        execution=execution,
    )


def publisher(upload: Upload, execution: str):
    return lambda s3: publish_result(
        s3,
        "output",
        upload,
        options_of(upload),
        picture_of(upload),
        lambda version_id: (result_of(upload, execution, version_id), "<html>"),
    )


def failure_of(upload: Upload, execution: str, error: str = "Lambda.Unknown") -> Failure:
    return Failure(source=upload, error=error, message="", advice="", execution=execution)


def recorder(upload: Upload, execution: str):
    return lambda s3: publish_failure(s3, "output", failure_of(upload, execution))


WORK = {"publish": publisher, "record": recorder}


def finder(started: str):
    request = FindRequest("input", KEY, Backfill(started))
    return lambda s3: find_upload(s3, "output", request, Options())


class Run(NamedTuple):
    """Something on its way to the bucket."""

    writer: Writer
    kind: str
    upload: Upload | None
    execution: str


class Interleavings(RuleBasedStateMachine):
    """Executions publish and fail, twice, overtaking each other and dying between any two calls.

    One that dies publishing is retried or fails for good, and a failure is always recorded,
    sooner or later: so Step Functions and EventBridge have it. Meanwhile backfills find the version
    that is current when they look, and quantize it later, as late as they like.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bucket = Bucket()
        self.going: list[Run] = []
        self.names = itertools.count()
        self.arrived: list[Upload] = []
        self.found: list[Upload] = []
        self.published: set[tuple[int, str]] = set()
        self.died: set[tuple[int, str]] = set()
        self.failed: set[tuple[int, str]] = set()
        self.newest_result = NONE

    def begin(self, kind: str, upload: Upload | None, started: str = "") -> None:
        execution = f"execution {next(self.names)}"
        work = finder(started) if upload is None else WORK[kind](upload, execution)
        self.going.append(Run(Writer(self.bucket, work), kind, upload, execution))

    def ended(self) -> None:
        for run in [r for r in self.going if r.writer.ended]:
            self.going.remove(run)
            if run.writer.killed:
                continue
            if run.upload is None:
                if event := run.writer.answer.event:
                    self.found.append(event.upload)
                    self.begin("publish", event.upload)
            else:
                {"publish": self.published, "record": self.failed}[run.kind].add(age_of(run.upload))

    @rule()
    def an_upload_arrives(self) -> None:
        if len(self.arrived) < len(SEQUENCERS):
            upload = upload_of(SEQUENCERS[len(self.arrived)])
            self.arrived.append(upload)
            version = {"VersionId": upload.version_id, "ETag": "etag", "Bytes": b"", "Metadata": {}}
            self.bucket.versions.setdefault(KEY, []).append(version)

    @precondition(lambda self: self.arrived)
    @rule(data=st.data(), kind=st.sampled_from(["publish", "record"]))
    def an_execution_ends(self, data: st.DataObject, kind: str) -> None:
        self.begin(kind, data.draw(st.sampled_from(self.arrived + self.found)))

    @rule(started=st.sampled_from(["T1", "T2", "T3"]))
    def a_backfill_looks(self, started: str) -> None:
        self.begin("find", None, started)

    @precondition(lambda self: self.going)
    @rule(data=st.data(), steps=st.integers(1, 6))
    def one_goes_on(self, data: st.DataObject, steps: int) -> None:
        writer = data.draw(st.sampled_from(self.going)).writer
        for _ in range(steps):
            if not writer.ended:
                writer.step()
                self.reader_sees_what_belongs_together()
        self.ended()

    @precondition(lambda self: any(run.upload for run in self.going))
    @rule(
        data=st.data(),
        turn=st.sampled_from(["die before", "die after"]),
        for_good=st.booleans(),
    )
    def one_dies(self, data: st.DataObject, turn: str, for_good: bool) -> None:
        run = data.draw(st.sampled_from([run for run in self.going if run.upload]))
        run.writer.step(turn)
        self.ended()
        if for_good and run.kind == "publish":
            self.died.add(age_of(run.upload))
        self.begin("record" if for_good else run.kind, run.upload)

    def standing(self, key: str, kind: type):
        top = self.bucket.top(key)
        return top and msgspec.json.decode(top["Bytes"], type=kind)

    @invariant()
    def reader_sees_what_belongs_together(self) -> None:
        result = self.standing(DOCUMENT, Result)
        if result is None:
            assert self.newest_result == NONE
            return
        file = result.image_file
        image = self.bucket.version(IMAGES[file.format], file.version_id)
        assert image is not None
        assert image["Bytes"] == picture_of(result.source)
        # A result once seen is only followed by a newer one's.
        self.check_follows(age_of(result.source))
        self.newest_result = age_of(result.source)

    def check_follows(self, age: tuple[int, str]) -> None:
        assert age >= self.newest_result

    def teardown(self) -> None:
        while self.going:
            for run in self.going:
                while not run.writer.ended:
                    run.writer.step()
            self.ended()
        self.reader_sees_what_belongs_together()
        self.check_end(self.standing(DOCUMENT, Result), self.standing(ERROR, Failure))

    def check_end(self, result: Result | None, failure: Failure | None) -> None:
        newest = age_of(result.source) if result else NONE
        assert newest >= max(self.published, default=NONE)
        # A failure is told exactly if nothing was published since.
        failed = max(self.failed, default=NONE)
        assert (age_of(failure.source) if failure else NONE) == (
            failed if failed > newest else NONE
        )
        if result is None:
            return
        contents = {
            REPORT: b"<html>",
            IMAGES[result.image_file.format]: picture_of(result.source),
        } | {PALETTES[ending]: palette_file(result, ending) for ending in result.options.palettes}
        for key in (*IMAGES.values(), REPORT, *PALETTES.values()):
            if not (attached := self.bucket.top(key)):
                assert key not in contents
                continue
            metadata = attached["Metadata"]
            age = (VERSIONS.index(metadata["version_id"]), metadata["backfill"])
            # Only an execution that died for good, newer than the result, leaves its own on top.
            assert age == newest or (age > newest and age in self.died)
            if age == newest:
                assert attached["Bytes"] == contents[key]


class Deletions(Interleavings):
    """Versions of the upload are deleted for good, whatever is going on about them.

    Then it may be unknown what is newer, and a result may stay that a newer one ought to replace.
    """

    @precondition(lambda self: self.bucket.versions.get(KEY))
    @rule(data=st.data())
    def a_version_is_deleted(self, data: st.DataObject) -> None:
        version = data.draw(st.sampled_from(self.bucket.versions[KEY]))
        self.bucket.versions[KEY].remove(version)

    def check_follows(self, age: tuple[int, str]) -> None:
        """An older result may follow once the newer upload is gone, and is the current one."""
        if age < self.newest_result:
            there = [v["VersionId"] for v in self.bucket.versions[KEY]]
            assert VERSIONS[self.newest_result[0]] not in there

    def check_end(self, result: Result | None, failure: Failure | None) -> None:
        assert bool(result) >= bool(self.published)


for machine in (Interleavings, Deletions):
    machine.TestCase.settings = settings(
        max_examples=200, stateful_step_count=40, deadline=None, derandomize=True
    )
TestInterleavings = Interleavings.TestCase
TestDeletions = Deletions.TestCase


# The bucket in memory against S3.


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "put if absent", "put if", "get", "delete"]),
            st.sampled_from(PICTURES),
            st.integers(0, 3),
        ),
        max_size=8,
    )
)
@settings(max_examples=10, deadline=None)
def test_bucket_in_memory_answers_as_s3_does(calls):
    import boto3
    from moto import mock_aws

    def play(s3):
        """Make the calls; yield what each answers, the versions by their order."""
        versions, etags = ["none"], ['"0"']
        for call, body, which in calls:
            where = {"Bucket": "output", "Key": "k"}
            put = where | {"Body": body, "ContentType": "text/plain", "Metadata": {"a": "b"}}
            try:
                if call == "get":
                    there = s3.get_object(**where)
                    yield there["Body"].read(), versions.index(there["VersionId"])
                    assert s3.head_object(**where)["Metadata"] == {"a": "b"}
                elif call == "delete":
                    s3.delete_object(**where, VersionId=versions[which % len(versions)])
                    yield "deleted"
                else:
                    condition = {
                        "put": {},
                        "put if absent": {"IfNoneMatch": "*"},
                        "put if": {"IfMatch": etags[which % len(etags)]},
                    }[call]
                    written = s3.put_object(**put, **condition)
                    versions.append(written["VersionId"])
                    etags.append(written["ETag"])
                    yield "written"
            except ClientError as error:
                yield error.response["Error"]["Code"]

    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="output")
        s3.put_bucket_versioning(Bucket="output", VersioningConfiguration={"Status": "Enabled"})
        assert list(play(Bucket())) == list(play(s3))


# The parts.


@pytest.mark.parametrize(
    ("key", "stem"),
    [
        ("a.jpg", "a"),
        ("a.b/c.d.JPG", "a.b/c.d"),
        ("none", "none"),
        ("a.b/none", "a.b/none"),
        (".hidden", ".hidden"),
        ("folder/", "folder/"),
        ("100%+1 ü.png", "100%+1 ü"),
    ],
)
def test_results_are_named_after_the_upload(key, stem):
    assert without_extension(key) == stem


printable = st.characters(exclude_categories=["C", "Z"]) | st.just(" ")


@given(st.text(printable, min_size=1).filter(lambda key: len(key.encode()) <= 1024))
@example("ä" * 512)
@example("a" * LONGEST_KEY)
def test_no_key_is_longer_than_s3_allows(key):
    assert len(error_key(key).encode()) <= 1024
    if len(key.encode()) <= LONGEST_KEY:
        check_key(key)
        assert error_key(key) == key + ".error.json"
    else:
        with pytest.raises(KeyTooLong, match=str(LONGEST_KEY)):
            check_key(key)


def test_redriven_execution_may_fail_with_another_error():
    bucket = Bucket()
    assert publish_failure(
        bucket, "output", failure_of(upload_of("00A"), "first", "Lambda.Unknown")
    )
    assert not publish_failure(
        bucket, "output", failure_of(upload_of("00A"), "first", "Lambda.Unknown")
    )
    assert publish_failure(
        bucket, "output", failure_of(upload_of("00A"), "first", "States.Timeout")
    )
    assert b"States.Timeout" in bucket.top(ERROR)["Bytes"]


def test_json_that_is_none_of_ours_is_replaced():
    bucket = Bucket()
    bucket.put_object(Bucket="output", Key=DOCUMENT, Body=b"mine", ContentType="text/plain")
    assert not publisher(upload_of("00A"), "first")(bucket).superseded
    assert b"00A" in bucket.top(DOCUMENT)["Bytes"]


def test_overtaken_upload_says_that_it_is_superseded_and_writes_nothing():
    bucket = Bucket()
    assert not publisher(upload_of("00B000"), "newer")(bucket).superseded
    assert publisher(upload_of("00A"), "older")(bucket).superseded
    assert not publisher(upload_of("00B000"), "the newer one again")(bucket).superseded
    assert all(len(versions) == 1 for versions in bucket.versions.values())


def test_failure_that_is_outdated_is_never_written():
    bucket = Bucket()
    publisher(upload_of("00A"), "first")(bucket)
    assert not recorder(upload_of("00A"), "first")(bucket)
    assert not recorder(upload_of("009"), "older")(bucket)
    assert ERROR not in bucket.versions


def test_upload_of_another_key_with_the_same_name_leaves_failures_alone():
    bucket = Bucket()
    publisher(upload_of("01"), "first")(bucket)
    other = upload_of("00A", "some where/späth.gif")
    failure = msgspec.structs.replace(failure_of(upload_of("00A"), "second"), source=other)
    assert publish_failure(bucket, "output", failure)
    assert bucket.top("some where/späth.gif.error.json")
