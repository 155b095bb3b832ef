"""Re-weigh the evidence behind health claims. `import reweigh as rw` gives what `reweigh.api` lists.

Nothing heavy is imported before a name is used.
"""

import os
import signal
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what an editor and mypy know of `rw.`
    from reweigh.api import *  # noqa: F403

# A job of the workflow (reweigh.console.prepare_jobs) that is interrupted, most likely while it imports, ends without a
# traceback of ours. Before this line Ctrl-C was ignored (workflow/rules/common.smk).
if "REWEIGH_JOB" in os.environ:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def __getattr__(name: str) -> Any:
    # Not `from reweigh import api`: that asks this function for "api" first, without end.
    if not name.startswith("_"):
        api = import_module("reweigh.api")
        if name in api.__all__:
            return getattr(api, name)
    raise AttributeError(f"module 'reweigh' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *import_module("reweigh.api").__all__})
