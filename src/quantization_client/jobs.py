"""The images of a command: which there are, how far each is, and what became of it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from quantization.contract import Result


@dataclass(frozen=True)
class Ended:
    """How an execution ended: with an output, or with an error and its cause."""

    seconds: float
    output: str | None = None
    error: str = ""
    cause: str = ""


@dataclass
class Progress:
    """How far an execution is.

    Attributes
    ----------
    state : str
        The state it entered last.
    ks : list of int
        The K to score; empty until they are known.
    silhouettes : dict of int to float or None
        Of the K scored so far; None where it is undefined or the K failed.
    ended : Ended or None
        None while it runs.
    """

    state: str = "Start"
    ks: list[int] = field(default_factory=list)
    silhouettes: dict[int, float | None] = field(default_factory=dict)
    ended: Ended | None = None


@dataclass(frozen=True)
class Job:
    """One image file, and its name relative to the folder it was found in.

    `given` is what the command line called it, where that is not its path: "-" for standard input.
    """

    path: Path
    name: Path
    given: str = ""

    @property
    def label(self) -> str:
        """Return what messages call it."""
        return self.given or str(self.path)

    @property
    def stem(self) -> str:
        """Return the name without its extension, as the result will be called."""
        return self.name.with_suffix("").as_posix()


@dataclass(frozen=True)
class Outcome:
    """What became of one image.

    Attributes
    ----------
    job : Job
    execution : str or None
        ARN; None if none was found, or none was needed.
    seconds : float or None
        From the start of the execution to its end.
    result : Result or None
    files : dict of str to Path
        What was written: "image", "result" and so on.
    error : str
        Why there is no result; empty where there is.
    defect : BaseException or None
        The error itself, where nobody foresaw it.
    """

    job: Job
    execution: str | None = None
    seconds: float | None = None
    result: Result | None = None
    files: dict[str, Path] = field(default_factory=dict)
    error: str = ""
    defect: BaseException | None = None


@dataclass(frozen=True)
class Request:
    """What a command asks for.

    Attributes
    ----------
    jobs : list of Job
        In their order.
    refused : dict of Job to str
        Why some of them are not to be quantized.
    out : Path
        Folder of the results.
    options : dict
        As those of an upload.
    again : Result or None
        That another palette is to be taken of.
    """

    jobs: list[Job]
    refused: dict[Job, str]
    out: Path
    options: dict[str, str]
    again: Result | None = None

    def in_order(self, outcomes: Iterable[Outcome]) -> list[Outcome]:
        """Return outcomes in the order of the images."""
        places = {job: place for place, job in enumerate(self.jobs)}
        return sorted(outcomes, key=lambda outcome: places[outcome.job])


ProgressCallback = Callable[[Job, Progress | None], None]
"""Called with a job and how far its execution is: None while it is being uploaded or looked for."""


class JobRunner(Protocol):
    """What quantizes the images of a command."""

    def still_to_do(self, jobs: list[Job]) -> list[Job]:
        """Leave out the images that an interrupted run finished, with the same options."""

    def outcomes(self, jobs: list[Job]) -> Iterator[Outcome]:
        """Quantize images; yield each when it is done or has failed."""

    def forget(self, jobs: list[Job]) -> None:
        """Remember nothing of these images: the next run starts anew."""


class StackError(Exception):
    """There is no stack to work with, or it does not answer."""


class UsageError(Exception):
    """The command line asks for something that cannot be done."""
