"""Write the pages into pages/, which can be published as it is.

python -m tools.pages
"""

import shutil

from emulator.engine import ROOT
from tools.exhibits import EXHIBITS
from tools.pages import write

FOLDER = ROOT / "pages"

if __name__ == "__main__":
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    print(write(FOLDER, EXHIBITS))
