"""Measure the memory that the built functions need, format by format, and price their sizes.

    python -m benchmarks.memory_sizes [--megapixels N] [--formats NAME ...]

Sample, ScoreK and Render are booted from the built artifact under AWS's runtime interface emulator
and handle one image of each format against the local engine, from cold. The memory is the peak of
the function's process (VmHWM). A function's share of a processor grows with its memory up to one
whole at 1769 MB, and these run one thread: a duration is the CPU time, init and one image, divided
by that share. Waiting for S3 is not in it.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pyvips

from benchmarks.cold_start import child_of, cpu_seconds
from emulator import engine
from emulator.deploy import ARCHITECTURE, build
from emulator.invoke import EVENTS
from tests.support.built import BuiltFunction, functions
from tests.support.heic import heic
from tests.support.sandbox import Sandbox

PHOTO = engine.ROOT / "docs/gallery/coffee.jpg"
VCPU = 1769
SIZES = (512, 1024, VCPU, 3008)


def _with_16_bits(image: pyvips.Image) -> pyvips.Image:
    return (image * 257).cast("ushort").copy(interpretation="rgb16")


def _heic(image: pyvips.Image, path: str, **options: Any) -> None:
    options |= {"quality": 60, "chroma": 420, "matrix_coefficients": 6}
    Path(path).write_bytes(heic(image.numpy(), enc_params={"preset": "ultrafast"}, **options))


SAVERS: Mapping[str, Callable[[pyvips.Image, str], object]] = {
    "JPEG": lambda image, path: image.jpegsave(path, Q=85),
    "JPEG, progressive": lambda image, path: image.jpegsave(path, Q=85, interlace=True),
    "JPEG, progressive, 4:4:4": lambda image, path: image.jpegsave(
        path, Q=85, interlace=True, subsample_mode="off"
    ),
    "PNG": lambda image, path: image.pngsave(path, compression=1),
    "PNG, interlaced, alpha": lambda image, path: image.bandjoin(200).pngsave(
        path, compression=1, interlace=True
    ),
    "PNG, the same, 16 bits": lambda image, path: _with_16_bits(image.bandjoin(200)).pngsave(
        path, compression=1, interlace=True, bitdepth=16
    ),
    "WebP": lambda image, path: image.webpsave(path, effort=0),
    "WebP, alpha": lambda image, path: image.bandjoin(200).webpsave(path, effort=0),
    "WebP, lossless": lambda image, path: image.webpsave(path, effort=0, lossless=True),
    "GIF": lambda image, path: image.gifsave(path, effort=1, dither=0),
    "TIFF": lambda image, path: image.tiffsave(path, compression="jpeg"),
    "TIFF, LZW, 16 bits": lambda image, path: _with_16_bits(image).tiffsave(
        path, compression="lzw"
    ),
    "AVIF": lambda image, path: image.heifsave(path, compression="av1", effort=0),
    "AVIF, alpha": lambda image, path: image.bandjoin(200).heifsave(
        path, compression="av1", effort=0
    ),
    "AVIF, 10 bits": lambda image, path: _with_16_bits(image).heifsave(
        path, compression="av1", effort=0, bitdepth=10
    ),
    "HEIC": _heic,
    "HEIC, tiles of 512": lambda image, path: _heic(image, path, tile_size=512),
    "HEIC, alpha": lambda image, path: _heic(image.bandjoin(200), path),
    "HEIC, alpha, 10 bits": lambda image, path: _heic(_with_16_bits(image.bandjoin(200)), path),
}


class Use(NamedTuple):
    """What one invocation took from the start of the process on."""

    peak: float
    """Largest resident set, MB."""
    cpu: float
    """Seconds."""


def used(function: BuiltFunction, endpoint: str, event: Any) -> tuple[Any, Use]:
    """Boot the function, send it the event, return its answer and what that took."""
    with (
        tempfile.TemporaryDirectory() as root,
        Sandbox(function, Path(root), {"AWS_ENDPOINT_URL": endpoint}).booted() as booted,
    ):
        answer = booted.invoke(event)
        status = Path(f"/proc/{child_of(booted.pid)}/status").read_text()
        kibibytes = int(status.partition("VmHWM:")[2].split()[0])
        return answer, Use(kibibytes * 1024 / 1e6, cpu_seconds(booted.pid))


def refused(answer: dict[str, Any], image: Path) -> bool:
    """Whether a function answers with an error, which is printed."""
    if "errorType" in answer:
        print(f"{image.stem}: {answer['errorType']}: {answer.get('errorMessage')}")
        return True
    return False


def chain(
    built: Mapping[str, BuiltFunction], endpoint: str, s3: Any, image: Path
) -> dict[str, Use]:
    """Send an image through the three functions; a refusal ends it."""
    there = s3.put_object(Bucket="inputbucket", Key=image.name, Body=image.read_bytes())
    upload = {"bucket": "inputbucket", "key": image.name, "version_id": there["VersionId"]}
    upload |= {"etag": there["ETag"].strip('"'), "sequencer": "0A"}
    events = {name: json.loads(path.read_text()) for name, path in EVENTS.items()}
    uses = {}
    sampled, uses["SampleFunction"] = used(
        built["SampleFunction"], endpoint, events["SampleFunction"] | {"upload": upload}
    )
    if refused(sampled, image):
        return uses
    request = events["ScoreKFunction"] | {"summary": sampled["summary"], "k": 32}
    scored, uses["ScoreKFunction"] = used(built["ScoreKFunction"], endpoint, request)
    if refused(scored, image):
        return uses
    del scored["silhouette_beyond"]
    request = events["RenderFunction"] | {"source": sampled["source"], "scores": [scored], "k": 32}
    rendered, uses["RenderFunction"] = used(built["RenderFunction"], endpoint, request)
    refused(rendered, image)
    return uses


def picture(megapixels: float) -> pyvips.Image:
    """Enlarge a photo and give it noise, so that it does not compress to nothing."""
    photo = pyvips.Image.new_from_file(str(PHOTO))
    large = photo.resize((megapixels * 1e6 / photo.width / photo.height) ** 0.5)
    noise = pyvips.Image.gaussnoise(large.width, large.height, sigma=1)
    return (large + noise).cast("uchar").copy(interpretation="srgb")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megapixels", type=float, default=12, help="of the images (default 12)")
    parser.add_argument("--formats", nargs="+", choices=SAVERS, metavar="NAME", default=SAVERS)
    options = parser.parse_args()
    megapixels = options.megapixels
    endpoint = engine.start()
    s3 = boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id="test", aws_secret_access_key="test"
    )
    for bucket in ("inputbucket", "workbucket", "outputbucket"):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    built = {function.name: function for function in functions(build(ARCHITECTURE))}
    print(f"{f'peak MB at {megapixels:g} megapixels':28}" + "".join(f"{n:>17}" for n in EVENTS))
    of_jpeg: dict[str, Use] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.formats:
            save = SAVERS[name]
            path = Path(folder) / name
            save(picture(megapixels), str(path))
            uses = chain(built, endpoint, s3, path)
            path.unlink()
            of_jpeg = of_jpeg or uses
            print(f"{name:28}" + "".join(f"{use.peak:17.0f}" for use in uses.values()), flush=True)
    _, use = used(built["RecordFailureFunction"], endpoint, {})
    print(f"\nRecordFailureFunction, from cold: {use.peak:.0f} MB, {use.cpu:.2f} s of CPU")
    print(f"\n{'JPEG, by memory size':28}" + "".join(f"{n:>17}" for n in EVENTS))
    for size in SIZES:
        row = f"{size:5} MB, seconds and GB-s    "
        for use in of_jpeg.values():
            seconds = use.cpu / min(1, size / VCPU)
            row += f"{seconds:9.2f}{seconds * size / 1024:8.2f}"
        print(row)


if __name__ == "__main__":
    main()
