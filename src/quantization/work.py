"""All that a process imports to fit K for another one; see `quantization.processes`."""

import signal
import sys

from quantization import interrupts

# Ctrl-C is answered by the process that waits for this one, and ends both. Only Windows needs this.
signal.signal(signal.SIGINT, signal.SIG_IGN)
if sys.platform != "win32":  # These were held while it started, and may end it.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, interrupts.ENDING)

from quantization.service import lazy_imports  # noqa: E402, F401 - before all others
from quantization.service.startup import quick_imports  # noqa: E402

with quick_imports():
    import quantization.service.score  # noqa: F401 - to have it
