"""Reading `review.yaml`: the protocol, or every problem with its line, key, value and what is allowed."""

from __future__ import annotations

from reweigh.protocol.document import Document
from reweigh.protocol.model import Protocol
from reweigh.protocol.names import misfits
from reweigh.tables.problems import Problem, format_report


def load_checked(content: bytes) -> Protocol:
    """A protocol that the check stage has passed; raises ValueError with its problems where it has not."""
    protocol, problems = load_protocol(content)
    if protocol is None:
        raise ValueError(format_report(problems, "review"))
    return protocol


def written(protocol: Protocol) -> bytes:
    """A checked protocol as the later stages read it: what was typed, as JSON, which reads in no time."""
    return protocol.model_dump_json(by_alias=True, exclude_unset=True, indent=1).encode() + b"\n"


def load_written(content: bytes) -> Protocol:
    """The protocol that `written` wrote."""
    return Protocol.model_validate_json(content)


def load_protocol(content: bytes | None, name: str = "review.yaml") -> tuple[Protocol | None, list[Problem]]:
    """Read a protocol from the bytes of `review.yaml` (None where there is none), called `name` in the problems.

    Returns the protocol, or None and every problem found: line, key, value, what is wrong, what is allowed.
    """
    file = Document(name, "the protocol", "docs/reference/protocol.md")
    if content is None:
        return None, [file.problem("is missing", "a protocol; copy one from another review under data/")]
    protocol, raw, problems = file.read(content, Protocol)
    for one in misfits(protocol) if protocol is not None else ():
        line, key = file.at(raw, *one.path)
        problems.append(Problem(name, line, key, one.value, one.message, one.allowed))
    return None if problems else protocol, problems
