"""Have a stack take another palette of a result, and fetch what comes of it."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec

from quantization.contract import Result
from quantization.service.messages import RecolorRequest
from quantization_client.follow import Execution, ImageError, OverwrittenError, fetch_result
from quantization_client.jobs import Job, Outcome, ProgressCallback, UsageError
from quantization_client.patience import patiently
from quantization_client.stack import Stack


class Recoloring:
    """A result of a stack that another palette is taken of.

    Raises
    ------
    UsageError
        If the result is of another stack.
    """

    def __init__(
        self, stack: Stack, result: Result, k: int, out: Path, show: ProgressCallback
    ) -> None:
        if result.source.bucket != stack.input_bucket:
            where = f"the bucket {result.source.bucket}" if result.source.bucket else "no stack"
            raise UsageError(f"the result is of {where}, and this stack has {stack.input_bucket}")
        self._stack = stack
        self._request = RecolorRequest(result, k)
        self._out = out
        self._show = show

    def still_to_do(self, jobs: list[Job]) -> list[Job]:
        """Return the jobs: nothing is remembered of any."""
        return jobs

    def forget(self, jobs: list[Job]) -> None:
        """Do nothing: no image is remembered."""

    def outcomes(self, jobs: list[Job]) -> Iterator[Outcome]:
        """Yield what became of the result, by the one job that there is.

        Raises
        ------
        ClientError, BotoCoreError, Boto3Error
            If AWS refuses the execution, or is busy or out of reach for long.
        """
        (job,) = jobs
        request = msgspec.json.encode(self._request).decode()
        arn = self._stack.start(self._stack.state_machine, request)
        execution = Execution(self._stack, arn)
        poll_seconds = self._stack.poll_seconds
        advance = partial(self._advance, job, execution)
        while (outcome := patiently(advance, poll_seconds)) is None:
            time.sleep(poll_seconds)
        yield outcome

    def _advance(self, job: Job, execution: Execution) -> Outcome | None:
        try:
            progress = execution.poll()
            self._show(job, progress)
            if progress.ended is None:
                return None
            version_id = self._request.again.source.version_id
            result, files = fetch_result(
                self._stack, progress.ended, version_id, job.stem, self._out
            )
            if result.k != self._request.k:
                raise OverwrittenError("a later run took another palette")
        except (OSError, ImageError) as error:
            return Outcome(job, execution.arn, error=str(error))
        return Outcome(job, execution.arn, progress.ended.seconds, result, files)
