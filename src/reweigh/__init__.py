"""Re-weigh the evidence behind health claims. `import reweigh as rw` gives what `reweigh.api` lists."""

from typing import Any


def __getattr__(name: str) -> Any:
    from reweigh import api

    if name in api.__all__:
        return getattr(api, name)
    raise AttributeError(f"module 'reweigh' has no attribute {name!r}")
