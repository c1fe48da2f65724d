"""Draw the state machine from its own file, to suit light and dark pages."""

from pathlib import Path

import yaml

from emulator.diagram import diagram
from emulator.engine import ROOT

DEFINITION = ROOT / "statemachine/quantize.asl.yaml"
PATH = ROOT / "docs/images/state-machine.svg"

STYLE = """\
.page { fill: #fdfdfc; }
text { font: 14px system-ui, sans-serif; fill: #1d1d1f; text-anchor: middle; }
.kind, .label { font-size: 11px; fill: #5f6066; }
.state { fill: #eaf2fb; stroke: #0b5fad; }
.Fail { fill: #fbeeea; stroke: #a2490c; }
.Map { fill: none; stroke: #0b5fad; stroke-dasharray: 5 4; }
.way { fill: none; stroke: #5f6066; marker-end: url(#tip); }
.otherwise { stroke-dasharray: 4 3; }
#tip path { fill: #5f6066; }
@media (prefers-color-scheme: dark) {
  .page { fill: #17181b; }
  text { fill: #ececee; }
  .kind, .label { fill: #a7a9b1; }
  .state { fill: #14283c; stroke: #7db8f5; }
  .Fail { fill: #38200f; stroke: #f0a46c; }
  .Map { fill: none; stroke: #7db8f5; }
  .way { stroke: #a7a9b1; }
  #tip path { fill: #a7a9b1; }
}
"""


def generated() -> dict[Path, str]:
    """Return the picture of this project's machine, by its path."""
    machine = yaml.safe_load(DEFINITION.read_text())
    return {PATH: diagram(machine, f"<style>\n{STYLE}</style>\n")}
