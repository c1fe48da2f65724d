"""What people see: lines on terminals of any width and number of colors, and scripts' JSON."""

import json
import re
from pathlib import Path
from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from quantization.contract import Source, SourceFile
from quantization_client import main
from quantization_client.jobs import Job, Outcome, Progress
from quantization_client.live import Display
from quantization_client.show import json_line, print_summary
from quantization_client.terminal_colors import nearest_of_256
from tests.support.fixtures import CommandInProcess
from tests.support.results import PALETTE, result_with

LONG = "a photo of a temple with a name that is longer than a line of eighty columns " * 2 + ".jpg"
KS = list(range(8, 33))


def terminal(
    width: int, colors: Literal["truecolor", "256", "standard"] | None = "truecolor"
) -> Console:
    return Console(
        width=width,
        height=24,
        color_system=colors,
        force_terminal=True,
        highlight=False,
    )


def outcome_of(name: str = "photo.jpg", **changes: object) -> Outcome:
    stem = Path("out", name).with_suffix("")
    files = {
        "image": Path(f"{stem}.png"),
        "report": Path(f"{stem}.html"),
        "result": Path(f"{stem}.json"),
    }
    result = result_with(**changes)
    return Outcome(Job(Path("/in", name), Path(name)), "arn:first", 1.25, result, files)


def test_json_is_ascii_however_a_file_is_named() -> None:
    """Standard output may take no more, and Linux takes names of any bytes."""
    line = json_line(outcome_of("caf\N{LATIN SMALL LETTER E WITH ACUTE} \udcff.jpg"))

    assert line.isascii()
    assert json.loads(line)["image"] == "/in/caf\N{LATIN SMALL LETTER E WITH ACUTE} \udcff.jpg"


def printed(console: Console, *outcomes: Outcome, verbose: bool = False) -> str:
    with console.capture() as captured:
        print_summary(console, console, outcomes, verbose=verbose)
    return captured.get()


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("name", ["photo.jpg", LONG])
def test_summary_breaks_no_name_and_fits_otherwise(width: int, name: str) -> None:
    lines = printed(terminal(width, None), outcome_of(name)).splitlines()

    assert lines[0] == f"{name} → {Path('out', name).with_suffix('.html')}"
    assert "10 colors" in lines[1]
    assert "196.7 kB → 98.0 kB (\N{MINUS SIGN}50%)" in lines[1]
    assert lines[1].endswith("  1.2 s")
    assert all(cell_len(line) <= width for line in lines[2:])


def test_summary_says_why_and_what_else_could_be_had_and_what_was_left_out() -> None:
    source = Source(
        *("input", "photo.jpg", "v1", "etag", "0A"),
        width=400,
        height=300,
        ignored_metadata=["camera"],
    )
    options = result_with().options.updated({"criterion": "silhouette", "k-max": "10"})
    outcome = outcome_of(
        k=8,
        options=options,
        silhouette_at="edge",
        source=source,
        source_file=SourceFile(format="gif", bytes=196653, frames=3),
    )

    said = " ".join(printed(terminal(80, None), outcome).split())

    assert "that is the edge of what was tried: fewer might be better still." in said
    assert "--criterion guarded would take 10." in said
    assert "The first of 3 frames or pages was quantized" in said
    assert "left out: camera." in said


def test_summary_has_no_remark_where_there_is_nothing_to_say() -> None:
    said = printed(terminal(80, None), outcome_of(picks={"silhouette": 10, "guarded": 10}))

    for remark in ("--criterion", "frames", "left out"):
        assert remark not in said


def test_palette_that_was_taken_by_hand_stands_beside_what_was_chosen() -> None:
    source = msgspec.structs.replace(result_with().source, again="2026-01-01T00:00:00.000Z")

    said = printed(terminal(80, None), outcome_of(k=9, source=source))

    assert "--criterion silhouette would take 8." in said
    assert "--criterion guarded would take 10." in said


def test_json_has_what_the_help_says() -> None:
    said = main.EPILOG.partition("once it is done or has failed:\n")[2].partition("Everything")[0]
    names = [
        name for names in re.findall(r"^  ([a-z_, ]+?)  ", said, re.M) for name in names.split(", ")
    ]
    assert "image" in names

    done = json.loads(json_line(outcome_of(silhouette_at="peak")))
    failed = json.loads(json_line(Outcome(Job(Path("a.jpg"), Path("a.jpg")), error="no image")))

    assert {*names} == done.keys() | failed.keys()
    assert (done["criterion"], done["silhouette_at"]) == ("guarded", "peak")
    assert (done["execution"], done["seconds"]) == ("arn:first", 1.25)
    assert failed == {"image": "a.jpg", "status": "failed", "error": "no image"}


def test_scripts_are_told_of_frames() -> None:
    several = SourceFile(format="gif", bytes=1000, frames=12)

    assert json.loads(json_line(outcome_of(source_file=several)))["frames"] == 12


def test_aws_is_spoken_of_only_when_asked_for() -> None:
    assert "aws" not in printed(terminal(80), outcome_of())
    command = "aws stepfunctions get-execution-history --execution-arn arn:first"
    assert command in printed(terminal(80), outcome_of(), verbose=True)


def test_report_is_a_link_where_there_is_a_terminal() -> None:
    target = Path("out/photo.html").resolve().as_uri()

    assert f";{target}\x1b\\out/photo.html\x1b]8;;" in printed(terminal(80), outcome_of())
    piped = Console(force_terminal=False)
    assert "\x1b" not in printed(piped, outcome_of())


@pytest.mark.parametrize("amount", [1, 2])
def test_palette_is_in_its_colors(amount: int) -> None:
    outcomes = [outcome_of(f"{number}.jpg") for number in range(amount)]

    true = printed(terminal(80), *outcomes)
    indexed = printed(terminal(80, "256"), *outcomes)

    assert true.count("38;2;51;102;153m█") == amount
    assert indexed.count(f"38;5;{nearest_of_256('#336699')}m█") == amount


@pytest.mark.parametrize("amount", [1, 2])
@pytest.mark.parametrize("colors", ["truecolor", "standard"])
def test_terminal_without_enough_colors_shows_no_blocks(
    colors: Literal["truecolor", "standard"], amount: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if colors == "truecolor":
        monkeypatch.setenv("NO_COLOR", "1")
    said = printed(terminal(80, colors), *[outcome_of(f"{number}.jpg") for number in range(amount)])

    assert "█" not in said
    assert "\x1b[38;" not in said


def test_hex_codes_are_given_of_a_single_image() -> None:
    assert printed(terminal(80, "standard"), outcome_of()).count("  ".join(PALETTE)) == 1


@given(st.integers(16, 255))
def test_terminal_color_is_its_own_nearest(number: int) -> None:
    # Xterm's 256colres.pl: a cube of 6 levels, and 24 grays.
    if number < 232:
        steps = [(number - 16) // 36, (number - 16) // 6 % 6, (number - 16) % 6]
        levels = [55 + 40 * step if step else 0 for step in steps]
    else:
        levels = [8 + 10 * (number - 232)] * 3
    color = f"#{bytes(levels).hex()}"

    same = {16: 16, 231: 231}.get(number, number)
    assert nearest_of_256(color) == same


@pytest.mark.parametrize(
    ("color", "wrong"), [("#322d22", 52), ("#c6d5e5", 188), ("#7f8f9f", 59), ("#3c6e3c", 58)]
)
def test_muted_colors_keep_their_hue_or_turn_gray(color: str, wrong: int) -> None:
    assert nearest_of_256(color) != wrong


def test_total_is_given_of_several_images() -> None:
    failed = Outcome(Job(Path("/in/bad.jpg"), Path("bad.jpg")), error="UnsupportedImage: no image")

    lines = printed(terminal(80, None), outcome_of(), failed).splitlines()

    assert lines[-3:-1] == ["/in/bad.jpg", "  UnsupportedImage: no image"]
    assert lines[-1] == "1 of 2 images done, 196.7 kB → 98.0 kB (\N{MINUS SIGN}50%)"


@pytest.mark.parametrize("terminal", [True, False])
def test_failure_is_wrapped_for_people_and_one_line_for_scripts(terminal: bool) -> None:
    error = "NameTaken: " + " ".join(["写真.jpg would become it, too"] * 5)
    failed = Outcome(Job(Path("/in/bad.jpg"), Path("bad.jpg")), error=error)
    console = Console(width=80, force_terminal=terminal, color_system=None)

    lines = printed(console, failed).splitlines()

    assert (max(map(cell_len, lines)) <= 80) is terminal
    assert [line.rstrip() for line in lines] == lines
    assert terminal or lines == [f"/in/bad.jpg: {error}"]


# The lines while one waits.


def shown(display: Display, width: int) -> list[str]:
    console = terminal(width, None)
    with console.capture() as captured:
        console.print(display)
    return captured.get().splitlines()


def display_of(*names: str) -> tuple[Display, list[Job]]:
    jobs = [Job(Path(name), Path(name)) for name in names]
    return Display(terminal(80), jobs), jobs


@pytest.mark.parametrize("width", [80, 120])
def test_line_shows_name_chart_and_best_k_whole(width: int) -> None:
    display, (job,) = display_of("holiday photos/temple at noon.jpg")
    display.update(job, Progress("ScoreK", KS, {k: 1 / k for k in KS[:24]}))

    (line,) = shown(display, width)

    assert str(job.name) in line
    assert "24/25 K=8 0.12" in line
    assert "█" in line
    assert line.count("·") == 1


@pytest.mark.parametrize(("ks", "name"), [(list(range(8, 72)), "photo.jpg"), (KS, LONG[:60])])
def test_chart_that_has_no_room_leaves_it_to_name_and_k(ks: list[int], name: str) -> None:
    display, (job,) = display_of(name)
    display.update(job, Progress("ScoreK", ks, {8: 0.5}))

    (line,) = shown(display, 80)

    assert name in line
    assert line.endswith(f"1/{len(ks)} K=8 0.50")


def test_long_name_takes_the_place_of_its_own_chart_only() -> None:
    wide = "写真" * 12 + ".jpg"
    display, jobs = display_of("a.jpg", wide, "photo.jpg")
    for job in jobs:
        display.update(job, Progress("ScoreK", KS, {8: 0.5}))

    short, long, other, _ = shown(display, 80)

    assert long.startswith(wide)
    assert [line.index("█") for line in (short, other)] == [short.index("█")] * 2
    assert all(line.endswith("1/25 K=8 0.50") for line in (short, long, other))
    assert all(cell_len(line) <= 80 for line in (short, long, other))


@pytest.mark.parametrize("name", [LONG, "写真" * 40 + ".jpg"])
def test_of_a_name_longer_than_the_line_its_end_is_shown(name: str) -> None:
    display, jobs = display_of("a.jpg", name)
    for job in jobs:
        display.update(job, Progress("ScoreK", KS, {8: 0.5}))

    _, line, _ = shown(display, 80)

    shown_name, _, state = line.partition(".jpg  ")
    assert shown_name[0] == "…"
    assert name.endswith(f"{shown_name[1:]}.jpg")
    assert state == "1/25 K=8 0.50"
    assert cell_len(line) >= 79


@pytest.mark.parametrize("width", [1, 12, 16])
def test_terminal_narrower_than_a_state_is_drawn_in(width: int) -> None:
    display, (job,) = display_of("photo.jpg")
    display.update(job, Progress("ScoreK", KS, {8: 0.5}))

    assert all(cell_len(line) <= width for line in shown(display, width))


def test_lines_stay_in_the_order_of_the_images_with_a_count() -> None:
    display, jobs = display_of("a.jpg", "b.jpg", "c.jpg")
    for job in reversed(jobs):
        display.update(job, None)
    display.end(Outcome(jobs[2], error="no"))
    display.end(outcome_of())
    display.update(jobs[0], Progress("Sample"))

    assert [line.split() for line in shown(display, 80)][:3] == [
        ["a.jpg", "Sample"],
        ["b.jpg", "Upload"],
        ["c.jpg", "failed"],
    ]
    assert shown(display, 80)[-1] == "2 of 3 (1 failed)"


def test_no_failure_is_counted_where_there_is_none() -> None:
    display, jobs = display_of("a.jpg", "b.jpg")
    display.update(jobs[0], None)

    assert shown(display, 80)[-1] == "0 of 2"


def test_image_of_one_color_is_told_of_in_the_singular() -> None:
    display, (job,) = display_of("photo.jpg")
    outcome = outcome_of(k=1)
    display.end(Outcome(job, result=outcome.result, files=outcome.files))

    assert shown(display, 80)[0].split()[1:3] == ["1", "color"]


def test_more_images_than_lines_show_those_on_their_way() -> None:
    display, jobs = display_of(*(f"{number}.jpg" for number in range(100)))
    for job in jobs[:50]:
        display.update(job, None)
    for job in jobs[:45]:
        display.end(Outcome(job, error="no"))

    assert [line.split()[0] for line in shown(display, 80)[:-1]] == [
        f"{number}.jpg" for number in range(45, 50)
    ]


# The command.


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / name for name in ("c.jpg", "a.jpg", "b.jpg")]
    for path in paths:
        path.write_bytes(b"image")
    return paths


def test_command_reports_in_the_order_of_the_input(
    run: CommandInProcess, images: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images[1].write_bytes(b"bad")
    assert run(*images, "--out", tmp_path / "out") == main.SOME_FAILED

    said, noted = capsys.readouterr()
    places = [said.index(name) for name in ("c.jpg →", "b.jpg →", "2 of 3")]
    assert places == sorted(places)
    assert f"{images[1]}: UnsupportedImage: it is no image" in noted.splitlines()
    assert f"3 of 3 (1 failed) {images[0]}: 10 colors" in noted


def test_quiet_command_says_nothing_but_errors(
    run: CommandInProcess, images: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images[0].write_bytes(b"bad")
    run(*images, "--out", tmp_path / "out", "--quiet")

    said, noted = capsys.readouterr()
    assert said == ""
    assert noted == f"{images[0]}: UnsupportedImage: it is no image\n"


def test_json_has_palette_picks_and_bytes(
    run: CommandInProcess, images: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(images[0], "--out", tmp_path / "out", "--json") == main.ALL_DONE

    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    result = json.loads((tmp_path / "out/c.json").read_text())
    assert line["palette"] == result["palette"]
    assert line["picks"] == result["picks"]
    assert line["source_bytes"] == result["source_file"]["bytes"]
    assert line["bytes"] == Path(line["files"]["image"]).stat().st_size


def test_open_shows_the_first_report(
    run: CommandInProcess, images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def browse(url: str) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr("webbrowser.open", browse)
    images[0].write_bytes(b"bad")

    run(*images, "--out", tmp_path / "out", "--open")

    assert opened == [(tmp_path / "out/a.html").as_uri()]


def test_report_that_no_browser_opens_is_named_whatever_its_name(
    run: CommandInProcess,
    images: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("webbrowser.open", lambda _url: False)
    out = tmp_path / "m[red]x[/b]"

    assert run(images[0], "--out", out, "--open") == main.ALL_DONE

    assert f"open {out}/c.html yourself" in capsys.readouterr().err
