"""The palette files, as readers that others wrote understand them."""

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import msgspec
import pytest
import swatch as adobe
import tinycss2
from hypothesis import given
from hypothesis import strategies as st
from PIL.GimpPaletteFile import GimpPaletteFile

from quantization.contract import Result, Swatch
from quantization.errors import UnreadablePalette
from quantization.options import MOST_GIVEN, PaletteFormat, PaletteSource
from quantization.palette_files import READERS, WRITERS, read_palette, to_ase, to_css, to_gpl
from quantization_client import palettes as command
from tests.test_contract import RESULT

names = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=30)
hex_colors = st.integers(0, 0xFFFFFF).map(lambda n: f"#{n:06x}")
swatches = st.builds(Swatch, hex_colors, st.none() | st.floats(0, 1))
palettes = st.lists(swatches, min_size=1, max_size=255)


def colors(palette: list[Swatch]) -> list[str]:
    return [swatch.color for swatch in palette]


@given(names, palettes)
def test_gimp_palette_is_read_by_pillow(name: str, palette: list[Swatch]) -> None:
    levels, mode = GimpPaletteFile(io.BytesIO(to_gpl(name, palette))).getpalette()

    assert mode == "RGB"
    assert levels == b"".join(bytes.fromhex(color[1:]) for color in colors(palette))


@given(names, palettes)
def test_adobe_swatches_are_read_by_swatch(
    tmp_path_factory: pytest.TempPathFactory, name: str, palette: list[Swatch]
) -> None:
    path = tmp_path_factory.getbasetemp() / "palette.ase"
    path.write_bytes(to_ase(name, palette))

    (group,) = adobe.parse(str(path))

    assert group["type"] == "Color Group"
    assert group["name"] == name
    assert [s["name"].split()[0] for s in group["swatches"]] == colors(palette)
    assert {s["type"] for s in group["swatches"]} == {"Process"}
    assert {s["data"]["mode"] for s in group["swatches"]} == {"RGB"}
    read = [[round(v * 255) for v in s["data"]["values"]] for s in group["swatches"]]
    assert read == [list(bytes.fromhex(color[1:])) for color in colors(palette)]


@pytest.mark.parametrize(("write", "line"), [(to_gpl, "Name: a b c"), (to_css, "/* a b c */")])
def test_name_stays_in_its_line(write: Callable[[str, Sequence[Swatch]], bytes], line: str) -> None:
    text = write(" a\nb\0c ", [Swatch("#000000", 1.0)]).decode()

    assert [read for read in text.splitlines() if "a b c" in read] == [line]


@given(names | st.just("a */ } body { x"), palettes)
def test_css_is_read_by_tinycss2(name: str, palette: list[Swatch]) -> None:
    comment, rule = tinycss2.parse_stylesheet(to_css(name, palette).decode(), skip_whitespace=True)

    assert comment.type == "comment"
    assert tinycss2.serialize(rule.prelude).strip() == ":root"
    declarations = tinycss2.parse_blocks_contents(
        rule.content, skip_comments=True, skip_whitespace=True
    )
    assert [(d.name, tinycss2.serialize(d.value).strip()) for d in declarations] == [
        (f"--color-{number}", color) for number, color in enumerate(colors(palette), 1)
    ]


def different(given: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(given))


def test_every_format_that_is_declared_is_written_or_read() -> None:
    assert tuple(WRITERS) == get_args(PaletteFormat)
    assert tuple(READERS) == get_args(PaletteSource)


@given(names, palettes)
def test_written_gimp_palette_is_read_again(name: str, palette: list[Swatch]) -> None:
    assert read_palette("a.gpl", to_gpl(name, palette)) == different(colors(palette))


comments = st.sampled_from(["#", "# a comment 1 2 3", "Columns: 4", "Name: 1 2 3"])
levels = st.tuples(*3 * [st.integers(0, 255)])
rows = st.builds(
    lambda rgb, gap, name: gap.join(map(str, rgb)) + name,
    levels,
    st.sampled_from([" ", "   ", "\t"]),
    st.sampled_from(["", "\tUntitled", " 12 gauge", "\t# one"]),
)


@given(st.lists(comments), st.lists(comments | rows, max_size=100), st.sampled_from(["\n", "\r\n"]))
def test_gimp_palette_is_read_as_pillow_reads_it(
    before: list[str], lines: list[str], end: str
) -> None:
    content = end.join(["GIMP Palette", *before, *lines, "1 2 3", ""]).encode()

    theirs, _ = GimpPaletteFile(io.BytesIO(content)).getpalette()
    expected = [f"#{theirs[i : i + 3].hex()}" for i in range(0, len(theirs), 3)]
    assert read_palette("a.GPL", content) == different(expected)


@given(st.lists(hex_colors, min_size=1, max_size=255))
def test_all_formats_say_the_same(listed: list[str]) -> None:
    levels = [tuple(bytes.fromhex(color[1:])) for color in listed]
    of_jasc = ["JASC-PAL", "0100", str(len(levels)), *("{} {} {}".format(*rgb) for rgb in levels)]
    files = {
        "pal": "\r\n".join([*of_jasc, ""]),
        "hex": "\n".join(color[1:].upper() for color in listed),
        "json": json.dumps({"palette": [{"color": c, "share": 0.1} for c in listed], "k": 1}),
        "gpl": "\ufeffGIMP Palette\n" + "\n".join("{} {} {}".format(*rgb) for rgb in levels),
    }
    assert files.keys() == READERS.keys()
    for ending, text in files.items():
        assert read_palette(f"a b.{ending}", text.encode()) == different(listed)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.gpl", b"", "does not begin with 'GIMP Palette'"),
        ("a.gpl", b"GIMP Palette\nName: a\n", "0 colors"),
        ("a.gpl", b"GIMP Palette\n1 2\n", "'1 2' does not begin with three levels"),
        ("a.gpl", b"GIMP Palette\n1 2 256\n", "three levels from 0 to 255"),
        ("a.pal", b"RIFF\x10\0\0\0PAL data", "those of RIFF are not read"),
        ("a.pal", b"JASC-PAL\n0100\n3\n0 0 0\n", "says 3 colors and has 1"),
        ("a.pal", b"JASC-PAL\n0100\nmany\n0 0 0\n", "many"),
        ("a.gpl", b"GIMP Palette\nnone at all\n", "'none at all' does not begin with three levels"),
        ("a.gpl", b"GIMP Palette\n-1 2 3\n", "'-1 2 3' does not begin with three levels"),
        ("a.hex", b"ffffff\nwhite\n", "'white' is no hex code, such as ffcc00"),
        ("a.hex", b"#ffcc0080\n", "'#ffcc0080' is no hex code"),
        ("a.hex", b"\xff\xd8\xff\xe0", "is no hex code"),
        ("a.json", b"{}", "missing required field `palette`"),
        ("a.json", b"{", "truncated"),
        ("a.ase", b"ASEF", "none of the endings gpl, hex, pal, json"),
        ("gpl", b"GIMP Palette\n1 2 3\n", "none of the endings"),
        ("a.hex", "\n".join(f"{n:06x}" for n in range(MOST_GIVEN + 1)).encode(), "256 colors"),
    ],
)
def test_what_is_no_palette_is_refused(name: str, content: bytes, said: str) -> None:
    with pytest.raises(UnreadablePalette, match=said):
        read_palette(name, content)


@pytest.fixture
def result(tmp_path: Path) -> Path:
    path = tmp_path / "späth photo.json"
    path.write_text(json.dumps(RESULT))
    return path


def test_command_writes_all_beside_the_result(
    result: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([str(result)]) == 0

    palette = msgspec.convert(RESULT, Result).palette
    written = [result.with_suffix(f".{extension}") for extension in WRITERS]
    assert capsys.readouterr().out.splitlines() == [str(path) for path in written]
    for path, writer in zip(written, WRITERS.values(), strict=True):
        assert path.read_bytes() == writer.write("a.jpg", palette)


def test_command_writes_what_is_asked_for(result: Path) -> None:
    assert command.main([str(result), "--format", "css"]) == 0

    assert {path.suffix for path in result.parent.iterdir()} == {".json", ".css"}


def test_command_writes_the_palette_of_another_k(
    result: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([str(result), "--k", "3", "--format", "css"]) == 0

    written = result.with_name("späth photo-3.css")
    assert capsys.readouterr().out.splitlines() == [str(written)]
    assert written.read_text() == (
        "/* a.jpg */\n:root {\n"
        "  --color-1: #00ff7f;\n  --color-2: #000000;\n  --color-3: #ffffff;\n}\n"
    )


@pytest.mark.parametrize("k", ["0", "2", "7"], ids=["none", "failed", "not tried"])
def test_command_says_which_k_there_are(
    result: Path, capsys: pytest.CaptureFixture[str], k: str
) -> None:
    assert command.main([str(result), "--k", k]) == 1

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"{result}: no palette of {k} colors; it has 1, 3\n"


def test_command_overwrites_nothing_but_the_same_unasked(
    result: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = result.with_suffix(".css")
    mine.write_text("mine")

    assert command.main([str(result), "--format", "css"]) == 1
    assert mine.read_text() == "mine"
    assert "--force" in capsys.readouterr().err
    for _ in range(2):
        assert command.main([str(result), "--format", "css", "--force"]) == 0
    assert command.main([str(result), "--format", "css"]) == 0
    assert "--color-1" in mine.read_text()


def test_shares_are_known_of_the_images_own_palette(result: Path) -> None:
    decoded = msgspec.json.decode(result.read_bytes(), type=Result)

    assert decoded.palettes()[1] == [Swatch("#00ff7f", 1.0)]
    assert {swatch.share for swatch in decoded.palettes()[3]} == {None}


def test_command_names_what_is_no_result(
    result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}")

    assert command.main([str(other), str(tmp_path / "none.json"), str(result)]) == 1

    captured = capsys.readouterr()
    assert str(other) in captured.err
    assert "none.json" in captured.err
    assert len(captured.out.splitlines()) == 3
