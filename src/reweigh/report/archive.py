"""`archive.zip`: a review with its data, its results, the lock and its provenance, as an RO-Crate.

RO-Crate 1.1 (Soiland-Reyes 2022, doi 10.3233/DS-210053) with the profile Process Run Crate 0.5.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from datetime import date
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, Field

from reweigh.io import zipped
from reweigh.protocol.document import Document
from reweigh.protocol.model import Protocol
from reweigh.tables.problems import Problem

CITATION = "CITATION.cff"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
MISSING = "An archive is written by the package rocrate, which is not installed: pip install 'reweigh[archive]'"
#: What an RO-Crate must say and a review need not; the description then says so.
NO_DATE, NO_LICENCE = "1980-01-01", "No licence is stated."
_OFFICE = "application/vnd.openxmlformats-officedocument."
_TYPES = {
    ".csv": "text/csv", ".html": "text/html", ".json": "application/json", ".md": "text/markdown",
    ".svg": "image/svg+xml", ".png": "image/png", ".pdf": "application/pdf", ".txt": "text/plain",
    ".lock": "text/plain", ".yaml": "application/yaml", ".yml": "application/yaml", ".cff": "application/yaml",
    ".npz": "application/zip", ".docx": f"{_OFFICE}wordprocessingml.document", ".xlsx": f"{_OFFICE}spreadsheetml.sheet",
}  # fmt: skip


class Author(BaseModel):
    """An author of CITATION.cff: a person by names, or a body by its name."""

    name: str = ""
    family: str = Field("", alias="family-names")
    given: str = Field("", alias="given-names")
    orcid: str = Field("", pattern=r"^(https://orcid\.org/\d{4}-\d{4}-\d{4}-\d{3}[\dX])?$")
    affiliation: str = ""

    @property
    def printed(self) -> str:
        """How the author is named."""
        return self.name or f"{self.given} {self.family}".strip()


class Citation(BaseModel):
    """What is read of a CITATION.cff (citation-file-format 1.2.0); its other keys are left as they are."""

    title: str = ""
    authors: tuple[Author, ...] = ()
    released: date | None = Field(None, alias="date-released")
    license: str = Field("", pattern=r"^[A-Za-z0-9.+-]*$")
    doi: str = Field("", pattern=r"^(10\.\d{4,9}/\S+)?$")


def read_citation(content: bytes) -> tuple[Citation | None, list[Problem]]:
    """The CITATION.cff of a review, or every problem with it."""
    found, _, problems = Document(CITATION, "citation", "the citation file format 1.2.0").read(content, Citation)
    return found, problems


def archive(
    data: Mapping[str, bytes], results: Mapping[str, bytes], beside: Mapping[str, bytes], review: str,
    protocol: Protocol, versions: Mapping[str, str], citation: Citation | None = None,
) -> bytes:  # fmt: skip
    """Bytes of the archive; the same files give the same bytes.

    Parameters
    ----------
    data, results, beside
        Path below the archive to content: what was typed, what was made of it, and the lock.
    review, protocol
        Name of the review, and its protocol.
    versions
        Package to version, of `reweigh.report.inputs.installed`.
    citation
        The review's own, where it has one: title, authors, date, licence and DOI come from it.

    Raises
    ------
    ModuleNotFoundError
        Where rocrate is not installed.
    """
    said = citation or Citation.model_validate({})
    own = {CITATION: _citation(said.title or protocol.title, review)}
    everything = dict(sorted({**own, **data, **results, **beside}.items()))
    digests = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in everything.items())
    everything["manifest-sha256.txt"] = digests.encode("utf-8")
    crate = _crate(everything, review, protocol, versions, said, (data.keys(), results.keys()))
    described = json.dumps(crate, indent=1, ensure_ascii=False)
    return zipped({"ro-crate-metadata.json": f"{described}\n".encode(), **everything})


def _citation(title: str, review: str) -> bytes:
    """A CITATION.cff for a review that has none: JSON is YAML."""
    lines = {
        "cff-version": "1.2.0", "type": "dataset", "title": title, "authors": [{"name": f"The authors of {review}"}],
        "message": "If you use this review, please cite it, and the trials and reviews whose results it re-weighs.",
    }  # fmt: skip
    return "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in lines.items()).encode()


def _crate(
    files: Mapping[str, bytes], review: str, protocol: Protocol, versions: Mapping[str, str], said: Citation,
    of_run: tuple[Collection[str], Collection[str]],
) -> dict[str, Any]:  # fmt: skip
    """The metadata: the files, and the run that made some of them (the second of `of_run`) of others (the first)."""
    from rocrate.model.contextentity import ContextEntity
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version="1.1")

    def entity(mark: str, kind: str, **about: Any) -> Any:
        return crate.add(
            ContextEntity(crate, mark, properties={"@type": kind, **{k: v for k, v in about.items() if v}})
        )

    q, root = protocol.question, crate.root_dataset
    crate.name = said.title or protocol.title
    crate.description = (
        f"Systematic-review meta-analysis. Population: {q.population}. Intervention: {q.intervention}. Comparator: "
        f"{q.comparator}. Design: {q.design}. The tables as typed, the protocol, and every result."
        + ("" if said.released else f" Its date is not stated; {NO_DATE} stands for it.")
    )
    root["datePublished"] = said.released.isoformat() if said.released else NO_DATE
    root["identifier"] = f"https://doi.org/{said.doi}" if said.doi else f"sha256:{_digest(files)}"
    root["conformsTo"] = entity(PROFILE, "CreativeWork", name="Process Run Crate", version="0.5")
    root["license"] = NO_LICENCE
    if said.license:
        words = f"The licence {said.license} of the SPDX list."
        root["license"] = entity(
            f"https://spdx.org/licenses/{said.license}", "CreativeWork", name=said.license, description=words
        )
    authors = []
    for number, one in enumerate(said.authors, start=1):
        kind = "Organization" if one.name else "Person"
        mark = one.orcid or f"#author-{number}"
        authors.append(entity(mark, kind, name=one.printed, affiliation=one.affiliation))
    if authors:
        root["author"] = authors
    parts = {
        name: crate.add_file(
            dest_path=name,
            properties={
                "name": PurePosixPath(name).name,
                "contentSize": str(len(content)),
                "encodingFormat": _TYPES.get(PurePosixPath(name).suffix, "application/octet-stream"),
                "identifier": f"sha256:{hashlib.sha256(content).hexdigest()}",
            },
        )
        for name, content in files.items()
    }
    others = [
        entity(_software(name, version), "SoftwareApplication", name=name, softwareVersion=version)
        for name, version in versions.items()
        if name != "reweigh"
    ]
    own = versions.get("reweigh", "")
    tool = entity(_software("reweigh", own), "SoftwareApplication", name="reweigh", softwareVersion=own,
                  softwareRequirements=others)  # fmt: skip
    root["mentions"] = crate.add_action(
        tool,
        identifier="#run",
        object=[part for name, part in parts.items() if name in of_run[0]],
        result=[part for name, part in parts.items() if name in of_run[1]],
        properties={
            "@type": "CreateAction", "name": f"reweigh run --review {review}",
            "description": f"Computed the results of {review} from its data by the Snakemake workflow of reweigh.",
            "actionStatus": "http://schema.org/CompletedActionStatus",
        },
    )  # fmt: skip
    made: dict[str, Any] = crate.metadata.generate()
    return made


def _software(name: str, version: str) -> str:
    """A package URL: which software, in which version."""
    kind = "generic" if name in ("reweigh", "Python") else "pypi"
    return f"pkg:{kind}/{name.lower()}@{quote(version, safe='')}"


def _digest(files: Mapping[str, bytes]) -> str:
    return hashlib.sha256(files["manifest-sha256.txt"]).hexdigest()
