"""Which of two uploads of a key is newer, and when that is not known."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mypy_boto3_s3 import S3Client

from quantization.service.storage.upload_order import Origin, UploadOrder, sortable


@given(*[st.text("0123456789ABCDEFabcdef", min_size=1, max_size=20)] * 2)
def test_sequencers_compare_as_if_padded_with_zeros(first: str, second: str) -> None:
    width = max(len(first), len(second))
    padded = [int(s.ljust(width, "0"), 16) for s in (first, second)]

    assert (sortable(first) < sortable(second)) == (padded[0] < padded[1])
    assert (sortable(first) == sortable(second)) == (padded[0] == padded[1])


@pytest.fixture
def versions(s3: S3Client) -> tuple[S3Client, list[str]]:
    """Return S3, and the versions of a key, the oldest first, among keys before and after it."""
    ids = []
    s3.put_object(Bucket="input", Key="a.gif", Body=b"1")
    for body in (b"1", b"2", b"3"):
        s3.put_object(Bucket="input", Key="a.jpg.bak", Body=body)
        ids.append(s3.put_object(Bucket="input", Key="a.jpg", Body=body)["VersionId"])
    return s3, ids


def both_ways(s3: S3Client, one: Origin, other: Origin) -> tuple[bool, bool]:
    order = UploadOrder(s3, "input", "a.jpg")
    return order.is_older(one, other), order.is_older(other, one)


def test_versions_in_the_list_are_in_order(versions: tuple[S3Client, list[str]]) -> None:
    s3, (first, second, _) = versions
    assert both_ways(s3, Origin(first, "0A"), Origin(second, "", "T1")) == (True, False)
    assert both_ways(s3, Origin(first, "", "T2"), Origin(second, "", "T1")) == (True, False)


def test_list_of_many_pages_is_read_to_the_version_that_is_asked_for(
    versions: tuple[S3Client, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    s3, (first, _, third) = versions
    listed = s3.list_object_versions
    monkeypatch.setattr(s3, "list_object_versions", partial(listed, MaxKeys=1))
    assert both_ways(s3, Origin(first, "0A"), Origin(third, "", "T1")) == (True, False)


def test_deleted_version_is_neither_older_nor_newer(versions: tuple[S3Client, list[str]]) -> None:
    s3, (first, second, _) = versions
    s3.delete_object(Bucket="input", Key="a.jpg", VersionId=first)
    assert both_ways(s3, Origin(first, "0A"), Origin(second, "", "T1")) == (False, False)


def test_backfilled_version_is_newer_than_the_result_it_was_found_with(
    versions: tuple[S3Client, list[str]],
) -> None:
    s3, (first, second, _) = versions
    s3.delete_object(Bucket="input", Key="a.jpg", VersionId=first)
    assert both_ways(s3, Origin(first, "0A"), Origin(second, "", "T1", first)) == (True, False)


def test_later_backfill_of_one_version_is_newer(versions: tuple[S3Client, list[str]]) -> None:
    s3, (first, *_) = versions
    assert both_ways(s3, Origin(first, "0A"), Origin(first, "", "T1")) == (True, False)
    assert both_ways(s3, Origin(first, "", "T1"), Origin(first, "", "T2")) == (True, False)
    assert both_ways(s3, Origin(first, "", "T1"), Origin(first, "", "T1")) == (False, False)


def test_what_is_none_of_ours_is_older_than_anything(versions: tuple[S3Client, list[str]]) -> None:
    s3, (first, *_) = versions
    assert both_ways(s3, Origin(), Origin(first, "0A")) == (True, False)
    assert both_ways(s3, Origin(), Origin()) == (False, False)
