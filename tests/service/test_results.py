"""Whatever happens in whatever order, the output bucket ends with the newest upload's state."""

import itertools

import msgspec
import pytest
from botocore.exceptions import ClientError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from quantization.contract import Failure, ImageFile, Result, Source, Swatch, Upload
from quantization.errors import KeyTooLong
from quantization.options import Options
from quantization.palette_files import WRITERS, palette_file
from quantization.service.storage.results import (
    LONGEST_KEY,
    check_key,
    error_key,
    publish_failure,
    publish_result,
    upload_order,
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
# Few different images: an upload often has the very bytes, and so the ETag, of an earlier one.
PICTURES = [b"sea", b"sky"]


def upload_of(sequencer: str, key: str = KEY) -> Upload:
    return Upload("input", key, f"version {sequencer}", "etag", sequencer)


def picture_of(sequencer: str) -> bytes:
    return PICTURES[SEQUENCERS.index(sequencer) % 2]


def format_of(sequencer: str) -> str:
    return ["png", "png", "webp"][SEQUENCERS.index(sequencer) % 3]


def palettes_of(sequencer: str) -> tuple[str, ...]:
    return [("gpl",), (), ("gpl", "ase"), ("css",)][SEQUENCERS.index(sequencer) % 4]


def result_of(upload: Upload, execution: str, version_id: str) -> Result:
    return result_with(
        source=Source(**msgspec.structs.asdict(upload), width=1, height=1),
        image_file=ImageFile(
            format=format_of(upload.sequencer),
            version_id=version_id,
            bytes=1,
            ratio=1,
        ),
        palette=[Swatch(f"#{SEQUENCERS.index(upload.sequencer):06x}", 1.0)],
        execution=execution,
    )


def publisher(sequencer: str, execution: str):
    upload = upload_of(sequencer)
    return lambda s3: publish_result(
        s3,
        "output",
        upload,
        Options(format=format_of(sequencer), palettes=palettes_of(sequencer)),
        picture_of(sequencer),
        lambda version_id: (result_of(upload, execution, version_id), "<html>"),
    )


def failure_of(sequencer: str, execution: str, error: str = "Lambda.Unknown") -> Failure:
    return Failure(
        source=upload_of(sequencer), error=error, message="", advice="", execution=execution
    )


def recorder(sequencer: str, execution: str):
    return lambda s3: publish_failure(s3, "output", failure_of(sequencer, execution))


class Interleavings(RuleBasedStateMachine):
    """Executions publish and fail, twice, overtaking each other and dying between any two calls.

    One that dies publishing is retried or fails for good, and a failure is always recorded,
    sooner or later: so Step Functions and EventBridge have it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bucket = Bucket()
        self.going: list[tuple[Writer, str, str, str]] = []
        self.names = itertools.count()
        self.published: set[str] = set()
        self.died: set[str] = set()
        self.failed: set[str] = set()
        self.newest_result = ""

    def begin(self, kind: str, sequencer: str, execution: str) -> None:
        work = {"publish": publisher, "record": recorder}[kind](sequencer, execution)
        self.going.append((Writer(self.bucket, work), kind, sequencer, execution))

    def ended(self) -> None:
        for entry in [e for e in self.going if e[0].ended]:
            writer, kind, sequencer, _ = entry
            self.going.remove(entry)
            if not writer.killed:
                {"publish": self.published, "record": self.failed}[kind].add(sequencer)

    @rule(sequencer=st.sampled_from(SEQUENCERS), kind=st.sampled_from(["publish", "record"]))
    def an_execution_ends(self, sequencer: str, kind: str) -> None:
        self.begin(kind, sequencer, f"execution {next(self.names)}")

    @precondition(lambda self: self.going)
    @rule(data=st.data(), steps=st.integers(1, 6))
    def one_goes_on(self, data: st.DataObject, steps: int) -> None:
        writer, *_ = data.draw(st.sampled_from(self.going))
        for _ in range(steps):
            if not writer.ended:
                writer.step()
                self.reader_sees_what_belongs_together()
        self.ended()

    @precondition(lambda self: self.going)
    @rule(
        data=st.data(),
        turn=st.sampled_from(["die before", "die after"]),
        for_good=st.booleans(),
    )
    def one_dies(self, data: st.DataObject, turn: str, for_good: bool) -> None:
        writer, kind, sequencer, execution = data.draw(st.sampled_from(self.going))
        writer.step(turn)
        self.ended()
        if for_good and kind == "publish":
            self.died.add(sequencer)
        self.begin("record" if for_good else kind, sequencer, execution)

    def standing(self, key: str, kind: type):
        top = self.bucket.top(key)
        return top and msgspec.json.decode(top["Bytes"], type=kind)

    @invariant()
    def reader_sees_what_belongs_together(self) -> None:
        result = self.standing(DOCUMENT, Result)
        if result is None:
            assert not self.newest_result
            return
        file = result.image_file
        image = self.bucket.version(IMAGES[file.format], file.version_id)
        assert image is not None
        assert image["Bytes"] == picture_of(result.source.sequencer)
        # A result once seen is only followed by a newer one's.
        assert upload_order(result.source.sequencer) >= self.newest_result
        self.newest_result = upload_order(result.source.sequencer)

    def teardown(self) -> None:
        while self.going:
            for writer, *_ in self.going:
                while not writer.ended:
                    writer.step()
            self.ended()
        self.reader_sees_what_belongs_together()
        result, failure = self.standing(DOCUMENT, Result), self.standing(ERROR, Failure)

        published = max(map(upload_order, self.published), default="")
        failed = max(map(upload_order, self.failed), default="")
        newest = upload_order(result.source.sequencer) if result else ""
        assert newest >= published
        # A failure is told exactly if nothing was published since.
        assert (upload_order(failure.source.sequencer) if failure else "") == (
            failed if failed > newest else ""
        )
        if result is None:
            return
        image = IMAGES[result.image_file.format]
        contents = {REPORT: b"<html>", image: picture_of(result.source.sequencer)} | {
            PALETTES[ending]: palette_file(result, ending)
            for ending in palettes_of(result.source.sequencer)
        }
        for key in (*IMAGES.values(), REPORT, *PALETTES.values()):
            if not (attached := self.bucket.top(key)):
                assert key not in contents
                continue
            sequencer = attached["Metadata"]["sequencer"]
            # Only an execution that died for good, newer than the result, leaves its own on top.
            assert upload_order(sequencer) == newest or (
                upload_order(sequencer) > newest and sequencer in self.died
            )
            if upload_order(sequencer) == newest:
                assert attached["Bytes"] == contents[key]


Interleavings.TestCase.settings = settings(
    max_examples=200, stateful_step_count=40, deadline=None, derandomize=True
)
TestInterleavings = Interleavings.TestCase


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


@given(*[st.text("0123456789ABCDEFabcdef", min_size=1, max_size=20)] * 2)
def test_newness_compares_as_if_padded_with_zeros(first, second):
    width = max(len(first), len(second))
    padded = [int(s.ljust(width, "0"), 16) for s in (first, second)]

    assert (upload_order(first) < upload_order(second)) == (padded[0] < padded[1])
    assert (upload_order(first) == upload_order(second)) == (padded[0] == padded[1])


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
    assert publish_failure(bucket, "output", failure_of("00A", "first", "Lambda.Unknown"))
    assert not publish_failure(bucket, "output", failure_of("00A", "first", "Lambda.Unknown"))
    assert publish_failure(bucket, "output", failure_of("00A", "first", "States.Timeout"))
    assert b"States.Timeout" in bucket.top(ERROR)["Bytes"]


def test_json_that_is_none_of_ours_is_replaced():
    bucket = Bucket()
    bucket.put_object(Bucket="output", Key=DOCUMENT, Body=b"mine", ContentType="text/plain")
    assert not publisher("00A", "first")(bucket).superseded
    assert b"00A" in bucket.top(DOCUMENT)["Bytes"]


def test_overtaken_upload_says_that_it_is_superseded_and_writes_nothing():
    bucket = Bucket()
    assert not publisher("00B000", "newer")(bucket).superseded
    assert publisher("00A", "older")(bucket).superseded
    assert not publisher("00B000", "the newer one again")(bucket).superseded
    assert all(len(versions) == 1 for versions in bucket.versions.values())


def test_failure_that_is_outdated_is_never_written():
    bucket = Bucket()
    publisher("00A", "first")(bucket)
    assert not recorder("00A", "first")(bucket)
    assert not recorder("009", "older")(bucket)
    assert ERROR not in bucket.versions


def test_upload_of_another_key_with_the_same_name_leaves_failures_alone():
    bucket = Bucket()
    publisher("01", "first")(bucket)
    other = upload_of("00A", "some where/späth.gif")
    failure = msgspec.structs.replace(failure_of("00A", "second"), source=other)
    assert publish_failure(bucket, "output", failure)
    assert bucket.top("some where/späth.gif.error.json")
