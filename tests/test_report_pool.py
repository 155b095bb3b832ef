"""The page's own pooling module, loaded out of a built page, against `refit`: every number of every model."""

import base64
import json

import numpy as np
import pytest

from conftest import ROOT
from reweigh.check import check
from reweigh.effects.selection import select
from reweigh.pool.refit import Trials, cannot, refit, trials_of
from reweigh.protocol.models import PRESETS, Model
from reweigh.protocol.read import load_protocol
from reweigh.report.explorer import OTHERS, model_of, quantiles
from reweigh.report.page import report_page
from test_report import BCG, make_inputs, stored

pytestmark = pytest.mark.browser

FIELDS = (
    "estimate", "se", "ci_lower", "ci_upper", "p_value", "guarded_ci_lower", "guarded_ci_upper", "guarded_p_value",
    "tau2", "q", "q_p_value", "i2_q", "i2_tau2", "pi_lower", "pi_upper", "k", "q_df", "df", "narrow",
)  # fmt: skip
#: Reasons about what only Python computes: the intervals of tau2 and of Q-based I2.
ELSEWHERE = {"empty_q_profile", "no_test_based_interval"}
MORE = (
    Model(name="EB, t", tau2="EB", interval="t", prediction_interval="t(k-1)"),
    Model(name="HE", tau2="HE", interval="hartung-knapp", prediction_interval="t(k-1)"),
    Model(name="HS", tau2="HS", interval="wald"),
    Model(name="REML guarded, t(k-2)", tau2="REML", interval="hartung-knapp guarded", prediction_interval="t(k-2)"),
    Model(name="M-H, Sato", tau2="EE", interval="wald", pooling="mantel-haenszel", rd_variance="sato"),
    Model(
        name="M-H random, Hartung-Knapp", tau2="DL", interval="hartung-knapp", pooling="mantel-haenszel",
        prediction_interval="hartung-knapp",
    ),
)  # fmt: skip
MODELS = {model.name: model for model in (*OTHERS.values(), *PRESETS.values(), *MORE)}
RUN = """(() => {
  const {given, model, critical, measure, subsets, fields} = %s, width = fields.length + given.yi.length;
  const numbers = new Float64Array(subsets.length * width), reasons = [];
  subsets.forEach((subset, row) => {
    const inside = given.yi.map((_, i) => Math.floor(subset / 2 ** i) %% 2 === 1), of = (x) => x?.filter((_, i) => inside[i]);
    const found = window.reweighPool.pool({yi: of(given.yi), vi: of(given.vi), counts: of(given.counts)}, model, critical, measure);
    let next = 0;
    numbers.set([...fields.map((name) => Number(found[name])), ...inside.map((on) => on ? found.weights[next++] : 0)], row * width);
    reasons.push(found.reason.join('; '));
  });
  let text = '';
  const bytes = new Uint8Array(numbers.buffer);
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return [btoa(text), reasons];
})()"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The built page of BCG."""
    file = tmp_path_factory.mktemp("pool") / "report.html"
    file.write_text(report_page(make_inputs(BCG)), encoding="utf-8")
    return file


def compare(browser, trials, model, masks, level=0.95):
    """Pool the subsets (D, k) by the page and by `refit`; how many there were."""
    counts = None if np.isnan(trials.counts).any() else trials.counts.T.tolist()
    codes = masks @ (2.0 ** np.arange(masks.shape[1]))
    given = {
        "given": {"yi": trials.yi.tolist(), "vi": trials.vi.tolist(), "counts": counts},
        "model": model_of(model),
        "critical": quantiles(level, masks.shape[1]),
        "measure": trials.measure,
        "subsets": codes.tolist(),
        "fields": FIELDS,
    }
    packed, reasons = browser.run(RUN % json.dumps(given))
    got = np.frombuffer(base64.b64decode(packed), dtype="<f8").reshape(len(masks), -1)
    found = refit(trials, model, mask=masks, level=level, tau2_interval=False)
    expected = np.column_stack([*(np.asarray(getattr(found, name), float) for name in FIELDS), found.weights])
    some = found.k > 0
    expected = np.where(np.isfinite(expected), expected, np.nan)
    shown = np.where(np.isfinite(got), got, np.nan)
    # Without any trial that says something nothing is but its reason.
    for row, value in ((shown, "page"), (expected, "pipeline")):
        assert np.isnan(row[~some, 0]).all(), value
    difference = np.abs(shown - expected) / np.maximum(1, np.abs(expected))
    wrong = some[:, None] & ~((difference <= 1e-9) | (np.isnan(shown) & np.isnan(expected)))
    assert not wrong.any(), (model.name, trials.measure, [
        (masks[i].nonzero()[0].tolist(), (*FIELDS, *range(masks.shape[1]))[j], shown[i, j], expected[i, j])
        for i, j in np.argwhere(wrong)[:5]
    ])  # fmt: skip
    told = ["; ".join(c for c in str(r).split("; ") if c not in ELSEWHERE) for r in found.reason]
    assert reasons == told, model.name
    return len(masks)


def able(trials, model):
    """Whether the model pools these trials at all."""
    return not cannot(trials, model) and model.interval != "profile likelihood"


def test_every_subset_of_bcg_is_pooled_as_the_pipeline_pools_it(browser, page):
    """The 8,178 subsets of two trials or more of 13, by each model; those of counts by each measure."""
    effects = make_inputs(BCG).effects
    browser.open(page.as_uri())
    every = (np.arange(2**13)[:, None] >> np.arange(13) & 1).astype(bool)
    every = every[every.sum(axis=1) >= 2]
    assert len(every) == 8178
    for measure in ("RR", "OR", "RD"):
        trials = trials_of(effects[effects["measure"] == measure])
        for model in MODELS.values():
            if able(trials, model) and (measure == "RR" or model.for_measure(measure).pooling != "inverse variance"):
                assert compare(browser, trials, model, every) == 8178


REVIEWS = sorted(p.parent.name for p in (ROOT / "data").glob("*/review.yaml") if p.parent.name != BCG)


def test_random_subsets_of_the_other_reviews_are_pooled_as_the_pipeline_pools_them(browser, page):
    """2,000 subsets of their analyses, drawn from a seed, each by every model; one trial and none are among them."""
    dice, analyses = np.random.default_rng(18), []
    for review in REVIEWS:
        folder = ROOT / "data" / review
        files = {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix in (".yaml", ".csv")}
        tables, problems = check(files, review)
        assert tables is not None, problems
        protocol, _ = load_protocol(files["review.yaml"])
        effects = stored("effects", select(tables.studies, tables.arms, tables.contrasts, protocol).effects)
        groups = [group for _, group in effects.groupby("analysis", sort=False)]
        analyses += [trials_of(group) for group in groups if len(group) > 2]
    browser.open(page.as_uri())
    drawn = dice.integers(len(analyses), size=2000)
    done = 0
    for at in np.unique(drawn):
        trials = analyses[at]
        shape = (drawn == at).sum(), len(trials.yi)
        masks = dice.random(shape) < dice.uniform(0.1, 1, (shape[0], 1))
        done += len(masks)
        for model in MODELS.values():
            if able(trials, model):
                compare(browser, trials, model, masks)
    assert done == 2000


def edges():
    """Sets on which formulas have their edges: equal effects, several maxima, rare and universal events."""
    counts = np.array([[0, 10, 0, 12], [0, 20, 3, 20], [5, 5, 4, 4], [7, 30, 9, 28], [2, 9, 0, 11.0]]).T
    plain = np.full((4, 5), np.nan)
    yi, vi = np.array([0.1, -0.4, 0.9, 0.2, 3.0]), np.array([0.05, 1e-4, 0.4, 0.02, 8.0])
    yield Trials("SMD", np.full(5, 0.3), vi, plain)
    yield Trials("SMD", yi, vi, plain)
    yield Trials("MD", 1e5 * yi, 1e10 * vi, plain)
    yield Trials("MD", 1e-6 * yi, 1e-12 * vi, plain)
    # Two clusters far apart in precision: the restricted likelihood has two maxima.
    yield Trials("MD", np.array([0, 0.01, 8, -8, 9.0]), np.array([1e-4, 1e-4, 30, 30, 30.0]), plain)
    yield Trials("RR", yi, vi, counts)
    yield Trials("OR", yi, vi, counts)
    yield Trials("RD", yi, vi, counts)
    yield Trials("OR", yi, vi, np.where(np.arange(4)[:, None] % 2, counts, 0.0))


def test_the_edges_are_those_of_the_pipeline(browser, page):
    browser.open(page.as_uri())
    every = (np.arange(1, 2**5)[:, None] >> np.arange(5) & 1).astype(bool)
    for trials in edges():
        for model in MODELS.values():
            if able(trials, model):
                for level in (0.95, 0.9):
                    compare(browser, trials, model, every, level)
