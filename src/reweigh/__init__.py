"""Re-weigh the evidence behind health claims. `import reweigh as rw` gives what `reweigh.api` lists."""

import os
import signal
from typing import Any

# A job of the workflow (reweigh.console.prepare_jobs) that is interrupted, most likely while it imports, ends without a
# traceback of ours.
if "REWEIGH_JOB" in os.environ:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def __getattr__(name: str) -> Any:
    from reweigh import api

    if name in api.__all__:
        return getattr(api, name)
    raise AttributeError(f"module 'reweigh' has no attribute {name!r}")
