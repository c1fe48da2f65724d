"""What stands in for the ways to quantize: it writes a result at once."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from quantization.contract import ImageFile
from quantization.options import Options
from quantization.palette_files import palette_file
from quantization.report import GENERATOR
from quantization_client.jobs import Job, Outcome, Progress, ProgressCallback
from tests.support.results import result_with

IMAGE = b"recolored"


class InstantRunner:
    """Ends the images in the reverse of their order."""

    def __init__(self, out: Path, metadata: dict[str, str], show: ProgressCallback) -> None:
        self._out, self._metadata, self._show = out, metadata, show

    def still_to_do(self, jobs: list[Job]) -> list[Job]:
        return jobs

    def outcomes(self, jobs: list[Job]) -> Iterator[Outcome]:
        for job in reversed(jobs):
            self._show(job, Progress("ScoreK", [8, 9, 10], {8: 0.5}))
            yield self._outcome(job)

    def forget(self, jobs: list[Job]) -> None:
        pass

    def _outcome(self, job: Job) -> Outcome:
        if job.path.read_bytes() == b"bad":
            return Outcome(job, error="UnsupportedImage: it is no image")
        options = Options().updated(self._metadata)
        image = ImageFile(format=options.format, version_id="v2", bytes=len(IMAGE), ratio=0.5)
        result = result_with(image_file=image, options=options)
        contents: dict[str, tuple[str, bytes]] = {
            "image": (options.format, IMAGE),
            "report": ("html", GENERATOR.encode()),
            "result": ("json", msgspec.json.encode(result)),
            **{str(name): (name, palette_file(result, name)) for name in options.palettes},
        }
        files = {}
        for what, (ending, content) in contents.items():
            files[what] = self._out / f"{job.stem}.{ending}"
            files[what].parent.mkdir(parents=True, exist_ok=True)
            files[what].write_bytes(content)
        return Outcome(job, "arn:first", 1.5, result, files)
