"""The glossary: one place for the words of a meta-analysis, each with its source."""

import re

import pytest

from conftest import ROOT
from reweigh.text.glossary import SOURCES, TERMS


def test_terms_stand_in_order_and_once():
    text = (ROOT / "src" / "reweigh" / "text" / "glossary.py").read_text()
    assert list(TERMS) == sorted(TERMS, key=str.casefold)
    assert len(TERMS) == len(re.findall(r"^[^#\n]+ \| .+ \| .+$", text, re.M))


@pytest.mark.parametrize("term", TERMS)
def test_a_term_is_a_sentence_or_two_with_a_source(term):
    said = TERMS[term]
    assert said[0].isupper() and said.endswith(".") and len(said) <= 220
    assert len(re.findall(r"[.?!](?= [A-Z]|$)", said)) <= 2
    source = SOURCES[term]
    if "/" in source and not source.startswith(("Cochrane", "http")) and " " not in source:
        assert (ROOT / source).exists()
    else:
        assert re.search(r"\d", source)
