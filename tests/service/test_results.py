"""Whatever happens in whatever order, the output bucket ends with the newest upload's state."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import msgspec
import pytest
from botocore.exceptions import ClientError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from moto import mock_aws
from mypy_boto3_s3 import S3Client

from quantization.contract import Backfill, Failure, ImageFile, Result, Source, Swatch, Upload
from quantization.errors import KeyTooLong, NameTaken
from quantization.options import ImageFormat, Options, PaletteFormat
from quantization.palette_files import WRITERS, palette_file
from quantization.service.find_upload import find_upload
from quantization.service.messages import FindRequest
from quantization.service.storage.keys import (
    LONGEST_KEY,
    check_key,
    error_key,
    without_extension,
)
from quantization.service.storage.results import (
    publish_failure,
    publish_result,
)
from tests.support.bucket import Bucket, Turn, Writer
from tests.support.results import result_with

KEY, OTHER_KEY = "some where/späth.jpg", "some where/späth.gif"
IMAGES = {ending: f"some where/späth.{ending}" for ending in ("png", "webp")}
PALETTES = {ending: f"some where/späth.{ending}" for ending in WRITERS}
REPORT, DOCUMENT, ERROR = "some where/späth.html", "some where/späth.json", KEY + ".error.json"

# In the order of their uploads; some are as long as another one with zeros behind it.
SEQUENCERS = ["009", "00A", "00A01", "00a1", "00B000", "01"]
NONE = (-1, "")
# Few different images: an upload often has the very bytes, and so the ETag, of an earlier one.
PICTURES = [b"sea", b"sky"]


def upload_of(sequencer: str, key: str = KEY) -> Upload:
    return Upload("input", key, f"version {sequencer} of {key[-3:]}", "etag", sequencer)


# Another key's, whose sequencers tell nothing beside those of the first.
OTHERS = [upload_of(sequencer, OTHER_KEY) for sequencer in ("009", "00A", "01")]
VERSIONS = [upload_of(sequencer).version_id for sequencer in SEQUENCERS]
VERSIONS += [upload.version_id for upload in OTHERS]


def backfilled(sequencer: str, started: str, replaces: str | None = None) -> Upload:
    """Return the version as a backfill finds it: S3's list tells no sequencer."""
    found = Backfill(started, replaces=replaces)
    return msgspec.structs.replace(upload_of(sequencer), sequencer="", backfill=found)


def age_of(upload: Upload) -> tuple[int, str]:
    """Return what sorts runs by their age; the uploads are in the order of `SEQUENCERS`."""
    started = upload.again or (upload.backfill.started if upload.backfill else "")
    return VERSIONS.index(upload.version_id), started


def picture_of(upload: Upload) -> bytes:
    return PICTURES[sum(map(len, map(str, age_of(upload)))) % 2]


def format_of(upload: Upload) -> ImageFormat:
    version, started = age_of(upload)
    formats: list[ImageFormat] = ["png", "png", "webp"]
    return formats[(version + len(started)) % 3]


def palettes_of(upload: Upload) -> tuple[PaletteFormat, ...]:
    version, started = age_of(upload)
    sets: list[tuple[PaletteFormat, ...]] = [("gpl",), (), ("gpl", "ase"), ("css",)]
    return sets[(version + len(started)) % 4]


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


type Work = Callable[[Any], Any]
"""What a function does by its client of S3, which here is a `Bucket` or a `Writer`."""


def publisher(upload: Upload, execution: str) -> Work:
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


def recorder(upload: Upload, execution: str) -> Work:
    return lambda s3: publish_failure(s3, "output", failure_of(upload, execution))


def finder(started: str) -> Work:
    request = FindRequest("input", KEY, Backfill(started))
    return lambda s3: find_upload(s3, "output", request, Options())


TAKEN = "the name is taken"


def publishing(upload: Upload, execution: str) -> Work:
    """Publish as the machine has it: a refusal is an end, too."""

    def work(s3: S3Client) -> object:
        try:
            return publisher(upload, execution)(s3)
        except NameTaken:
            return TAKEN

    return work


class Run(NamedTuple):
    """Something on its way to the bucket."""

    writer: Writer
    kind: str
    upload: Upload | None
    execution: str


class Interleavings(RuleBasedStateMachine):
    """Executions publish and fail, twice, overtaking each other and dying between any two calls.

    Two keys want the same name. One that dies publishing is retried or fails for good, and a
    failure is always recorded, sooner or later: so Step Functions and EventBridge have it. Even one
    that was recorded as failed may go on: redriven, or alive after its execution was stopped.
    Meanwhile backfills find the version that is current when they look, and quantize it later, as
    late as they like. And of any result that was ever read, another palette is asked for.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bucket = Bucket()
        self.going: list[Run] = []
        self.names = itertools.count()
        self.arrived: list[Upload] = []
        self.found: list[Upload] = []
        self.read: list[Upload] = []
        self.again: list[Upload] = []
        self.published: set[tuple[str, tuple[int, str]]] = set()
        self.failed: set[tuple[str, tuple[int, str]]] = set()
        self.owner, self.newest_result = "", NONE

    def begin(self, kind: str, upload: Upload | None, started: str = "") -> None:
        execution = f"execution {next(self.names)}"
        kinds = {"publish": publishing, "record": recorder}
        work = finder(started) if upload is None else kinds[kind](upload, execution)
        self.going.append(Run(Writer(self.bucket, work), kind, upload, execution))

    def uploads(self) -> list[Upload]:
        return OTHERS + self.arrived + self.found + self.again

    def ended(self) -> None:
        for run in [r for r in self.going if r.writer.ended]:
            self.going.remove(run)
            if run.writer.killed:
                continue
            if run.upload is None:
                if event := run.writer.answer.event:
                    self.found.append(event.upload)
                    self.begin("publish", event.upload)
            elif run.writer.answer is TAKEN:
                self.begin("record", run.upload)
            else:
                ends = {"publish": self.published, "record": self.failed}[run.kind]
                ends.add((run.upload.key, age_of(run.upload)))

    @rule()
    def an_upload_arrives(self) -> None:
        if len(self.arrived) < len(SEQUENCERS):
            upload = upload_of(SEQUENCERS[len(self.arrived)])
            self.arrived.append(upload)
            version = {"VersionId": upload.version_id, "ETag": "etag", "Bytes": b"", "Metadata": {}}
            self.bucket.versions.setdefault(KEY, []).append(version)

    @rule(data=st.data(), kind=st.sampled_from(["publish", "record"]))
    def an_execution_ends(self, data: st.DataObject, kind: str) -> None:
        self.begin(kind, data.draw(st.sampled_from(self.uploads())))

    @rule(data=st.data())
    def an_upload_is_published_undisturbed(self, data: st.DataObject) -> None:
        self.begin("publish", data.draw(st.sampled_from(self.uploads())))
        writer = self.going[-1].writer
        while not writer.ended:
            writer.step()
            self.reader_sees_what_belongs_together()
        self.ended()

    @rule(data=st.data(), steps=st.integers(2, 5))
    def an_upload_is_left_half_written(self, data: st.DataObject, steps: int) -> None:
        upload = data.draw(st.sampled_from(self.uploads()))
        self.begin("publish", upload)
        writer = self.going[-1].writer
        for _ in range(steps):
            if not writer.ended:
                writer.step()
        if not writer.ended:
            writer.step("die before")
            self.begin("record", upload)
        self.ended()

    @precondition(lambda self: any(run.upload for run in self.going))
    @rule(data=st.data())
    def one_is_recorded_as_failed_but_goes_on(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from([run for run in self.going if run.upload]))
        self.begin("record", run.upload)

    @rule(started=st.sampled_from(["T1", "T2", "T3"]))
    def a_backfill_looks(self, started: str) -> None:
        self.begin("find", None, started)

    @precondition(lambda self: self.read)
    @rule(data=st.data(), started=st.sampled_from(["T1 again", "T2 again", "T3 again"]))
    def another_palette_is_asked_for(self, data: st.DataObject, started: str) -> None:
        upload = data.draw(st.sampled_from(self.read))
        self.again.append(msgspec.structs.replace(upload, again=started))
        self.begin("publish", self.again[-1])

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
    def one_dies(self, data: st.DataObject, turn: Turn, for_good: bool) -> None:
        run = data.draw(st.sampled_from([run for run in self.going if run.upload]))
        run.writer.step(turn)
        self.ended()
        self.begin("record" if for_good else run.kind, run.upload)

    def standing(self, key: str, kind: type) -> Any:
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
        # A result once seen is only followed by a newer one's, of the same key.
        assert result.source.key == (self.owner or result.source.key)
        self.check_follows(age_of(result.source))
        self.owner, self.newest_result = result.source.key, age_of(result.source)
        self.read.append(Upload(*(getattr(result.source, f) for f in Upload.__struct_fields__)))

    def check_follows(self, age: tuple[int, str]) -> None:
        assert age >= self.newest_result

    def teardown(self) -> None:
        while self.going:
            for run in self.going:
                while not run.writer.ended:
                    run.writer.step()
            self.ended()
        self.reader_sees_what_belongs_together()
        assert {key for key, _ in self.published} <= {self.owner}
        self.check_end(self.standing(DOCUMENT, Result))

    def check_end(self, result: Result | None) -> None:
        for key in (KEY, OTHER_KEY):
            newest = self.newest_result if key == self.owner else NONE
            assert newest >= max((age for k, age in self.published if k == key), default=NONE)
            # A failure is told exactly if nothing was published since.
            failure = self.standing(f"{key}.error.json", Failure)
            failed = max((age for k, age in self.failed if k == key), default=NONE)
            assert (age_of(failure.source) if failure else NONE) == (
                failed if failed > newest else NONE
            )
        if result is None:
            return
        # What readers of plain names get is the result's own, and nothing hides it.
        image = IMAGES[result.image_file.format]
        assert self.bucket.versions[image][-1]["VersionId"] == result.image_file.version_id
        contents = {REPORT: b"<html>", image: picture_of(result.source)} | {
            PALETTES[ending]: palette_file(result, ending) for ending in result.options.palettes
        }
        for key in (*IMAGES.values(), REPORT, *PALETTES.values()):
            top = self.bucket.top(key)
            assert (top and top["Bytes"]) == contents.get(key)


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

    def check_end(self, result: Result | None) -> None:
        assert bool(result) >= bool(self.published)


# Of the profile's number of examples, so that `make check` tries fewer.
for machine, times in ((Interleavings, 2), (Deletions, 1)):
    machine.TestCase.settings = settings(
        max_examples=times * settings().max_examples,
        stateful_step_count=40,
        deadline=None,
        derandomize=True,
    )
TestInterleavings = Interleavings.TestCase
TestDeletions = Deletions.TestCase


def test_what_a_backfill_wrote_stays_when_the_newer_upload_is_deleted_meanwhile() -> None:
    """Or the newer one's last look could delete the image that the result is about to name."""
    bucket = Bucket()
    older, newer = upload_of("00A"), upload_of("00B000")
    versions = [{"VersionId": u.version_id, "ETag": "e", "Metadata": {}} for u in (older, newer)]
    bucket.versions[KEY] = versions[:1]
    found = finder("T1")(bucket).event.upload
    late = Writer(bucket, publisher(found, "backfill"))
    for _ in range(3):  # It has read that there is no result, and written its image.
        late.step()
    bucket.versions[KEY] = versions
    last_look = Writer(bucket, publisher(newer, "newer"))
    while not any(v["VersionId"] for v in bucket.versions.get(DOCUMENT, [])):
        last_look.step()
    bucket.versions[KEY] = versions[:1]
    for writer in (late, last_look):
        while not writer.ended:
            writer.step()
    result = msgspec.json.decode(bucket.versions[DOCUMENT][-1]["Bytes"], type=Result)
    image = bucket.version(IMAGES[result.image_file.format], result.image_file.version_id)
    assert image is not None
    assert result.source.version_id == newer.version_id
    assert late.answer.superseded


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
def test_bucket_in_memory_answers_as_s3_does(
    s3_client: S3Client, calls: list[tuple[str, bytes, int]]
) -> None:
    def play(s3: Any) -> Iterator[Any]:
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
        s3_client.create_bucket(Bucket="output")
        s3_client.put_bucket_versioning(
            Bucket="output", VersioningConfiguration={"Status": "Enabled"}
        )
        assert list(play(Bucket())) == list(play(s3_client))


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
def test_results_are_named_after_the_upload(key: str, stem: str) -> None:
    assert without_extension(key) == stem


printable = st.characters(exclude_categories=["C", "Z"]) | st.just(" ")


@given(st.text(printable, min_size=1).filter(lambda key: len(key.encode()) <= 1024))
@example("ä" * 512)
@example("a" * LONGEST_KEY)
def test_no_key_is_longer_than_s3_allows(key: str) -> None:
    assert len(error_key(key).encode()) <= 1024
    if len(key.encode()) <= LONGEST_KEY:
        check_key(key)
        assert error_key(key) == key + ".error.json"
    else:
        with pytest.raises(KeyTooLong, match=str(LONGEST_KEY)):
            check_key(key)


def test_redriven_execution_may_fail_with_another_error() -> None:
    bucket = Bucket()
    s3 = cast(S3Client, bucket)
    unknown = failure_of(upload_of("00A"), "first", "Lambda.Unknown")
    assert publish_failure(s3, "output", unknown)
    assert not publish_failure(s3, "output", unknown)
    assert publish_failure(s3, "output", failure_of(upload_of("00A"), "first", "States.Timeout"))
    assert b"States.Timeout" in bucket.versions[ERROR][-1]["Bytes"]


class Troubled:
    """A bucket that answers the first of certain calls with an error, and does nothing then."""

    def __init__(self, bucket: Bucket, call: str, key: str, code: str) -> None:
        self._bucket, self._call, self._key = bucket, call, key
        self._errors = iter([ClientError({"Error": {"Code": code}}, call)])

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            if (name, arguments["Key"]) == (self._call, self._key):
                for error in self._errors:
                    raise error
            return getattr(self._bucket, name)(**arguments)

        return call


@pytest.mark.parametrize(
    ("work", "call", "key"),
    [
        (publisher(upload_of("00A"), "first"), "get_object", DOCUMENT),
        (publisher(upload_of("00A"), "first"), "put_object", DOCUMENT),
        (publisher(upload_of("00A"), "first"), "head_object", REPORT),
        (recorder(upload_of("00A"), "first"), "put_object", ERROR),
        (finder("T1"), "get_object", DOCUMENT),
        (finder("T1"), "head_object", KEY),
    ],
)
def test_call_that_is_refused_is_an_error_and_no_answer(work: Work, call: str, key: str) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        work(Troubled(Bucket(), call, key, "AccessDenied"))


@pytest.mark.parametrize("code", ["PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"])
def test_write_that_lost_a_race_is_made_again(code: str) -> None:
    bucket = Bucket()
    publisher(upload_of("00A"), "first")(Troubled(bucket, "put_object", DOCUMENT, code))

    document = msgspec.json.decode(bucket.versions[DOCUMENT][-1]["Bytes"], type=Result)
    image = bucket.top(IMAGES[document.image_file.format])
    assert image is not None
    assert document.image_file.version_id == image["VersionId"]


def test_json_that_is_none_of_ours_is_replaced() -> None:
    bucket = Bucket()
    bucket.put_object(Bucket="output", Key=DOCUMENT, Body=b"mine", ContentType="text/plain")
    assert not publisher(upload_of("00A"), "first")(bucket).superseded
    assert b"00A" in bucket.versions[DOCUMENT][-1]["Bytes"]


def test_overtaken_upload_says_that_it_is_superseded_and_writes_nothing() -> None:
    bucket = Bucket()
    assert not publisher(upload_of("00B000"), "newer")(bucket).superseded
    assert publisher(upload_of("00A"), "older")(bucket).superseded
    assert not publisher(upload_of("00B000"), "the newer one again")(bucket).superseded
    assert all(len(versions) == 1 for versions in bucket.versions.values())


def test_failure_that_is_outdated_is_never_written() -> None:
    bucket = Bucket()
    publisher(upload_of("00A"), "first")(bucket)
    assert recorder(upload_of("00A"), "first")(bucket) is False
    assert recorder(upload_of("009"), "older")(bucket) is False
    assert ERROR not in bucket.versions


@pytest.mark.parametrize("sequencer", ["009", "00A", "01"])
def test_name_of_another_keys_result_is_refused_with_its_owner(sequencer: str) -> None:
    bucket = Bucket()
    publisher(upload_of("00A"), "first")(bucket)
    kept = {key: list(versions) for key, versions in bucket.versions.items()}
    other = upload_of(sequencer, OTHER_KEY)
    with pytest.raises(NameTaken, match=f"{DOCUMENT} is the result of {KEY}; "):
        publisher(other, "second")(bucket)

    assert bucket.versions == kept
    assert recorder(other, "second")(bucket)
    assert not publisher(upload_of("01"), "the first key's again")(bucket).superseded
    assert bucket.top(f"{OTHER_KEY}.error.json")


def test_failure_leaves_another_keys_result_that_has_its_name() -> None:
    bucket = Bucket()
    named_so = upload_of("00A", f"{KEY}.error.gif")
    publisher(named_so, "first")(bucket)
    kept = {key: list(versions) for key, versions in bucket.versions.items()}
    for sequencer in ("009", "01"):
        assert recorder(upload_of(sequencer), "second")(bucket) is None
    assert bucket.versions == kept
    assert ERROR in kept


@pytest.mark.parametrize("sequencer", ["009", "00A", "01"])
def test_name_of_another_keys_failure_is_refused_as_that(sequencer: str) -> None:
    bucket = Bucket()
    recorder(upload_of("00A"), "first")(bucket)
    named_so = upload_of(sequencer, f"{KEY}.error.gif")
    with pytest.raises(NameTaken, match=f"{ERROR} is the failure of {KEY}; "):
        publisher(named_so, "second")(bucket)


def test_pair_stays_when_a_newer_upload_dies_between_image_and_json() -> None:
    bucket = Bucket()
    publisher(upload_of("009"), "first")(bucket)
    image = IMAGES["png"]
    whole = bucket.top(image)
    newer = upload_of("00A")
    dying = Writer(bucket, publisher(newer, "second"))
    while bucket.top(image) is whole:
        dying.step()
    dying.step("die before")

    recorder(newer, "second")(bucket)

    assert bucket.top(image) is whole
    assert bucket.versions[REPORT][-1]["Metadata"]["sequencer"] == "009"
    # Redriven, it writes anew.
    publisher(newer, "second")(bucket)
    document = msgspec.json.decode(bucket.versions[DOCUMENT][-1]["Bytes"], type=Result)
    assert document.image_file.version_id == bucket.versions[image][-1]["VersionId"]
    assert document.source.sequencer == "00A"


@pytest.mark.parametrize("lacking", [{"version_id": ""}, {"sequencer": ""}])
def test_failure_of_an_upload_without_version_or_sequencer_is_told(lacking: dict[str, str]) -> None:
    bucket = Bucket()
    upload = msgspec.structs.replace(upload_of("00A"), **lacking)
    assert recorder(upload, "first")(bucket)
    assert bucket.top(ERROR)


def test_failure_of_an_unversioned_upload_is_told_beside_an_older_result() -> None:
    bucket = Bucket()
    publisher(upload_of("00A"), "first")(bucket)
    assert recorder(msgspec.structs.replace(upload_of("01"), version_id=""), "second")(bucket)
    assert bucket.top(ERROR)
