"""What ScoreK's imports leave for later is there when it is asked for."""

from collections.abc import Callable

from tests.support.sandbox import Sandbox

# After a package was deferred, by every way that leads into it.
ASK = {
    "a name that the package imports": "from sklearn.metrics import silhouette_score",
    "a name that it imports with all others": "import scipy.stats; scipy.stats.norm.cdf(0)",
    "one of its modules": "from scipy.spatial import distance; distance.euclidean",
    "a package in it, imported by itself": "import sklearn.metrics as m; m.cluster.rand_score",
    "all its names": "from sklearn.cluster import *; DBSCAN, KMeans",
    "what it says of itself": "import scipy.stats; scipy.stats.__all__.index('norm')",
    "a class that was imported before": "import sklearn.cluster as c; assert c.KMeans is KMeans",
}


# Each way begins where the handler was just imported, in a fork of its own.
EACH_AFRESH = """
import os, sys
import handler
from quantization.clustering import KMeans
for program in sys.argv[1:]:
    child = os.fork()
    if not child:
        exec(program)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, program
"""


def test_deferred_package_gives_all_it_has(sandbox: Callable[[str], Sandbox]) -> None:
    sandbox("ScoreKFunction").python("-c", EACH_AFRESH, *ASK.values())


def test_deferred_package_has_no_more_than_before(sandbox: Callable[[str], Sandbox]) -> None:
    program = """
import handler, scipy.stats
try:
    scipy.stats.nonsense
except AttributeError as error:
    print(error)
"""
    printed = sandbox("ScoreKFunction").python("-c", program)
    assert "module 'scipy.stats' has no attribute 'nonsense'" in printed
