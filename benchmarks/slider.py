"""Time a step of the report's slider in Chromium: from one number of colors to the next.

python -m benchmarks.slider [--photo china] [--megapixels 0.27328] [--rounds 8]

A step is all that the page does before the browser can paint: recolor the preview, list its
palette, say its scores, and lay the page out again. It is compared with putting ready pixels on a
canvas of the same size. Of each step the quickest round counts, for other work on the machine only
adds to it; the mean over all rounds tells how much.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from benchmarks import photos
from benchmarks.measure import table
from quantization import quantize
from tests.support.pages import open_browser

_TIMED = """
const [rounds, done] = arguments;
const frame = () => new Promise(requestAnimationFrame);
const quickest = (times) => times.reduce((a, b) => a.map((time, i) => Math.min(time, b[i])));
(async () => {
  while (!document.getElementById("reading").textContent) await frame();
  const slider = document.querySelector(".dial input.k");
  const {width, height} = document.getElementById("result");
  const context = Object.assign(document.createElement("canvas"), {width, height})
    .getContext("2d", {willReadFrequently: true});
  const ready = context.createImageData(width, height);
  const ks = Array.from({length: slider.max - slider.min + 1}, (_, i) => Number(slider.min) + i);
  const taken = [];
  for (let round = 0; round < rounds; round++) {
    const times = [];
    for (const k of round % 2 ? ks.toReversed() : ks) {
      await frame();
      const start = performance.now();
      slider.value = k;
      slider.dispatchEvent(new Event("input"));
      const scripts = performance.now();
      document.body.getBoundingClientRect();
      const layout = performance.now();
      for (let i = 0; i < 10; i++) context.putImageData(ready, 0, 0);
      const put = (performance.now() - layout) / 10;
      times[k] = [scripts - start, layout - scripts, put];
    }
    taken.push(times.filter(Boolean));
  }
  done({
    pixels: width * height,
    quickest: taken[0].map((_, step) => quickest(taken.map((times) => times[step]))),
    all: taken.flat(),
  });
})();
"""


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photo", default="china", choices=photos.available())
    parser.add_argument("--megapixels", type=float, default=0.27328)
    parser.add_argument("--rounds", type=int, default=8)
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder, open_browser() as browser:
        if browser is None:
            sys.exit("no Chromium with chromedriver: apt-get install chromium chromium-driver")
        source = photos.jpeg(arguments.photo, arguments.megapixels, Path(folder))
        report = quantize(source).write(Path(folder, "result"))["report"]
        browser.set_script_timeout(600)
        browser.get(report.as_uri())
        timed = browser.execute_async_script(_TIMED, arguments.rounds)

    rows = []
    for name in ("quickest", "all"):
        scripts, layout, put = (
            sum(column) / len(column) for column in zip(*timed[name], strict=True)
        )
        step = scripts + layout
        rows.append(
            [name, *(f"{ms:.2f}" for ms in (scripts, layout, step, put)), f"{step / put:.0f}"]
        )
    load = f"{os.cpu_count()} processors, {os.getloadavg()[0]:.0f} processes at work"
    header = [
        f"{timed['pixels']:,} pixels, ms",
        "scripts",
        "style, layout",
        "a step",
        "put",
        "ratio",
    ]
    print(f"{load}\n\n{table(header, rows)}")


if __name__ == "__main__":
    main()
