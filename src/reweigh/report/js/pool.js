"use strict";
// Pools trials as reweigh.pool does: the same formulas, edges and codes, one set at a time. Pure: it knows no page.
// Sources of the formulas stand in src/reweigh/pool: core, tau2, intervals, binary and refit, by whose names these go.
window.reweighPool = (() => {
  const EPSILON = 2 ** -52, MOST_STEPS = 100, DENSITY = 4, FIRST_CELL = 32;
  const add = (values, of = (x) => x) => { let total = 0; for (let i = 0; i < values.length; i++) total += of(values[i], i); return total; };
  const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

  // P-values. ln Gamma of n/2; incomplete gamma and beta functions by the series and continued fractions of
  // Press and others, Numerical Recipes, 6.2 and 6.4 (DLMF 8.11.4, 8.9.2, 8.17.22).
  const lnGamma = (a) => {
    let total = a % 1 ? Math.log(Math.PI) / 2 : 0;
    for (let at = a % 1 || 1; at < a; at++) total += Math.log(at);
    return total;
  };
  // b0 + a1/(b1 + a2/(b2 + ...)) by the modified Lentz method (Numerical Recipes 5.2); `term(i)` gives a and b.
  const fraction = (first, term) => {
    const tiny = 1e-300, most = 100_000;
    let value = first || tiny, up = value, down = 0;
    for (let i = 1; i < most; i++) {
      const [a, b] = term(i);
      down = 1 / (b + a * down || tiny);
      up = b + a / up || tiny;
      value *= up * down;
      if (Math.abs(up * down - 1) < EPSILON) break;
    }
    return value;
  };
  const gammaAbove = (a, x) => {
    if (Number.isNaN(x)) return NaN;
    if (x <= 0) return 1;
    if (x === Infinity) return 0;
    const factor = Math.exp(a * Math.log(x) - x - lnGamma(a));
    if (x >= a + 1) return factor / fraction(x + 1 - a, (i) => [-i * (i - a), x + 2 * i + 1 - a]);
    let term = 1 / a, total = term;
    for (let at = a + 1; term > total * EPSILON; at++) total += (term *= x / at);
    return 1 - factor * total;
  };
  const beta = (a, b, x) => {
    if (!(x > 0 && x < 1)) return x <= 0 ? 0 : x >= 1 ? 1 : NaN;
    if (x > (a + 1) / (a + b + 2)) return 1 - beta(b, a, 1 - x);
    const front = Math.exp(lnGamma(a + b) - lnGamma(a) - lnGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
    return front / fraction(1, (i) => {
      const m = Math.floor(i / 2);
      return [i % 2 ? (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)) : (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)), 1];
    });
  };
  // Of |t| with df degrees of freedom (1 - x keeps its digits where t is small), and of a normal z.
  const twoSidedP = (t, df) => {
    if (Number.isNaN(t)) return NaN;
    if (df === Infinity) return gammaAbove(0.5, (t * t) / 2);
    if (Math.abs(t) === Infinity) return 0;
    return t * t < df ? 1 - beta(0.5, df / 2, (t * t) / (df + t * t)) : beta(df / 2, 0.5, df / (df + t * t));
  };

  // y centred and scaled so that the smallest variance is near 1.
  const prepare = (yi, vi) => {
    const k = yi.length, low = Math.min(...yi), high = Math.max(...yi);
    const scale = k ? 2 ** Math.round(Math.log2(Math.min(...vi)) / 2) : 1;
    const w = vi.map((x) => (scale / x) * scale), centre = k ? add(w, (x, i) => x * yi[i]) / add(w) : 0;
    const equal = high - low <= 8 * EPSILON * Math.max(Math.abs(high), Math.abs(low));
    return { k, centre, scale, equal, y: yi.map((x) => (equal ? 0 : (x - centre) / scale)), v: vi.map((x) => x / scale ** 2) };
  };
  const residuals = (y, v, tau2) => {
    const w = v.map((x) => 1 / (x + tau2)), total = add(w), mu = add(w, (x, i) => x * y[i]) / total;
    return { w, total, mu, r: y.map((x) => x - mu) };
  };
  const weightApart = (w) => {
    const most = w.indexOf(Math.max(...w)), total = add(w), rest = add(w, (x, i) => (i === most ? 0 : x));
    return add(w, (x, i) => x * (i === most ? rest : total - x)) / total;
  };
  const qAndSlope = (y, v, tau2) => {
    const { w, r } = residuals(y, v, tau2);
    return [add(w, (x, i) => x * r[i] * r[i]), add(w, (x, i) => x * x * r[i] * r[i])];
  };

  const closedForm = {
    DL: (y, v, k) => (qAndSlope(y, v, 0)[0] - (k - 1)) / weightApart(v.map((x) => 1 / x)),
    HS: (y, v, k) => (qAndSlope(y, v, 0)[0] - k) / add(v, (x) => 1 / x),
    HE: (y, v, k) => { const mean = add(y) / k; return add(y, (x) => (x - mean) ** 2) / (k - 1) - add(v) / k; },
    SJ: (y, v, k) => { const mean = add(y) / k, crude = add(y, (x) => (x - mean) ** 2) / k; return crude > 0 ? (crude * qAndSlope(y, v, crude)[0]) / (k - 1) : 0; },
  };
  const fallTo = (y, v, target) => {
    let tau2 = 0;
    for (let step = 0; step < MOST_STEPS; step++) {
      const [q, slope] = qAndSlope(y, v, tau2);
      if (!step && !(q > target)) return 0;
      const move = (q * (q / target - 1)) / slope;
      tau2 = Math.max(tau2 + move, 0);
      if (!(Math.abs(move) > 1e-9 * tau2 + 1e-14)) break;
    }
    return tau2;
  };
  // First and second derivative in tau2 of the log-likelihood (restricted or not), and its height.
  const score = (y, v, tau2, restricted) => {
    const { w, total, r } = residuals(y, v, tau2);
    let s2 = 0, s3 = 0, wr = 0, wrr = 0, wwrr = 0;
    for (let i = 0; i < w.length; i++) {
      const w2 = w[i] * w[i], square = w2 * r[i] * r[i];
      s2 += w2; s3 += w2 * w[i]; wr += w2 * r[i]; wrr += square; wwrr += w[i] * square;
    }
    const first = wrr - total + (restricted ? s2 / total : 0);
    const second = s2 - 2 * wwrr + (2 * wr * wr) / total + (restricted ? (s2 / total) ** 2 - (2 * s3) / total : 0);
    return [first / 2, second / 2];
  };
  const height = (y, v, tau2, restricted) => {
    const { w, total, r } = residuals(y, v, tau2);
    return (add(w, (x, i) => Math.log(x) - x * r[i] * r[i]) - (restricted ? Math.log(total) : 0)) / 2;
  };
  const newton = (slopes, low, high) => {
    let root = Math.sqrt((low + 1) * (high + 1)) - 1;
    for (let step = 0; step < MOST_STEPS; step++) {
      const t = root, [slope, curve] = slopes(t);
      if (slope > 0) low = t; else high = t;
      const next = t - slope / curve, inside = curve < 0 && next > low && next < high;
      const done = curve < 0 && Math.abs(next - t) <= 1e-9 * t + 1e-14;
      root = inside ? next : done ? clamp(next, low, high) : Math.sqrt((low + 1) * (high + 1)) - 1;
      if (done || !(high - low > 4e-16 * high)) break;
    }
    return root;
  };
  // The highest of all local maxima over tau2 >= 0, each in the bracket that the signs on a grid give.
  const climb = (y, v, restricted) => {
    const slopes = (t) => score(y, v, t, restricted), low = Math.min(...v);
    const span = Math.log1p((2 * add(y, (x) => x * x)) / low), points = clamp(Math.ceil(DENSITY * span), 4, 400) + 1;
    const brackets = [];
    const search = (grid, last) => {
      const rising = grid.map((t, i) => (last && i === grid.length - 1 ? false : slopes(t)[0] > 0));
      for (let i = 0; i + 1 < grid.length; i++) if (rising[i] && !rising[i + 1]) brackets.push([grid[i], grid[i + 1]]);
      return rising;
    };
    const grid = Array.from({ length: points }, (_, i) => low * Math.expm1((span * i) / (points - 1)));
    const rising = search(grid, true);
    if (!rising[0] && !rising[1]) search(Array.from({ length: FIRST_CELL + 1 }, (_, i) => (grid[1] * i) / FIRST_CELL), false);
    const roots = [...(rising[0] ? [] : [0]), ...brackets.map((one) => newton(slopes, ...one))];
    if (roots.length < 2) return roots[0] ?? 0;
    let best = 0, most = -Infinity;
    for (const root of roots) { const at = height(y, v, root, restricted); if (at > most) { most = at; best = root; } }
    return best;
  };
  const tau2Of = (method, { y, v, k }) => {
    if (method === "EE" || k < 2) return 0;
    if (method === "REML" || method === "ML") return climb(y, v, method === "REML");
    return method === "PM" || method === "EB" ? fallTo(y, v, k - 1) : closedForm[method](y, v, k);
  };

  // All that follows from tau2 (scaled); `given` replaces the inverse-variance mean, its SE, weights and Q.
  const summarise = ({ k, centre, scale, equal, y, v }, between, model, critical, given = {}) => {
    const two = k >= 2, random = model.tau2 !== "EE", tau2 = Math.max(between, 0), guard = model.interval === "hartung-knapp guarded";
    const quantile = (df) => (df === Infinity ? critical.z : critical.t[df - 1] ?? NaN);
    const { w, total, mu: weighted, r } = residuals(y, v, tau2);
    const factor = add(w, (x, i) => x * r[i] * r[i]) / (k - 1);
    const own = given.mean !== undefined;
    const mu = own ? (given.mean - centre) / scale : weighted, wald = own ? given.se / scale : 1 / Math.sqrt(total);
    const knapp = (equal ? NaN : Math.sqrt(factor)) * wald, guarded = Math.sqrt(Math.max(factor, 1)) * wald;
    const se = !two ? wald : guard ? guarded : model.interval === "hartung-knapp" ? knapp : wald;
    const df = two && model.interval !== "wald" ? k - 1 : Infinity, half = quantile(df) * se;
    const isKnapp = two && model.interval === "hartung-knapp", safe = isKnapp ? guarded : se;
    const q = given.q ?? qAndSlope(y, v, 0)[0];
    const predicted = (knappSe) => {
      if (k < 3 || !random || ["none", "bootstrap"].includes(model.prediction)) return NaN;
      const of = model.prediction === "hartung-knapp" ? knappSe : wald;
      return quantile(k - (model.prediction === "t(k-2)" ? 2 : 1)) * Math.sqrt(tau2 + of * of);
    };
    const pi = predicted(guard ? guarded : knapp), fitted = two && random;
    // Where all are equal there is none on the Hartung-Knapp standard error; a model without any counts as having that.
    const unpredictable = equal && !guard && !["t(k-2)", "t(k-1)"].includes(model.prediction);
    const back = (x) => (k ? x * scale + centre : NaN), test = (one) => (critical.test === false || !k ? NaN : (mu + centre / scale) / one);
    return {
      k, df, narrow: isKnapp && half < critical.z / Math.sqrt(add(v, (x) => 1 / x)),
      estimate: back(mu), se: k ? se * scale : NaN,
      ci_lower: back(mu - half), ci_upper: back(mu + half), p_value: twoSidedP(test(se), df),
      guarded_ci_lower: back(mu - quantile(df) * safe), guarded_ci_upper: back(mu + quantile(df) * safe), guarded_p_value: twoSidedP(test(safe), df),
      pi_lower: back(mu - pi), pi_upper: back(mu + pi),
      tau2: two ? tau2 * scale ** 2 : NaN, q: k ? q : NaN, q_df: Math.max(k - 1, 0), q_p_value: two ? gammaAbove((k - 1) / 2, q / 2) : NaN,
      i2_q: two ? 100 * (1 - 1 / Math.max(q / (k - 1), 1)) : NaN,
      i2_tau2: fitted ? 100 * (1 - 1 / (1 + (tau2 * weightApart(v.map((x) => 1 / x))) / (k - 1))) : NaN,
      weights: given.weights ?? w.map((x) => (100 * x) / total),
      reason: [
        !k && "no_trials", k === 1 && "one_trial",
        two && equal && (Number.isNaN(se) || (fitted && k >= 3 && unpredictable)) && "all_effects_equal",
        two && !random && "common_effect", fitted && k < 3 && "few_for_prediction_interval",
      ].filter(Boolean),
    };
  };

  // Counts: a and c events of n1 and n2 patients.
  const ARM = {
    RR: (e, n) => [Math.log(e / n), 1 / e - 1 / n],
    OR: (e, n) => [Math.log(e / (n - e)), 1 / e + 1 / (n - e)],
    RD: (e, n) => [e / n, (e * (n - e)) / n ** 3],
  };
  const spread = (told, values, other) => { let at = 0; return told.map((on) => (on ? values[at++] : other)); };
  const explain = (found, told, lost, flat) => {
    const left = told.includes(false);
    return { ...found, reason: [lost && "not_estimable_counts", flat && "no_variance", ...found.reason, left && "uninformative_trials"].filter(Boolean) };
  };
  const poolCounts = (rows, measure, sato) => {
    const cells = rows.map(([a, n1, c, n2]) => ({ a, b: n1 - a, c, d: n2 - c, n1, n2, n: n1 + n2 })), all = (of) => add(cells, of);
    if (measure === "RD") {
      const weights = cells.map(({ n1, n2, n }) => (n1 * n2) / n), total = add(weights);
      const mean = all(({ a, n1, c, n2, n }) => (a * n2 - c * n1) / n) / total;
      const variance = sato
        ? mean * all(({ a, n1, c, n2, n }) => (c * n1 ** 2 - a * n2 ** 2 + (n1 * n2 * (n2 - n1)) / 2) / n ** 2) + all(({ a, b, c, d, n }) => (a * d + c * b) / n) / 2
        : all(({ a, b, c, d, n1, n2, n }) => (a * b * n2 ** 3 + c * d * n1 ** 3) / (n1 * n2 * n ** 2));
      return { mean, se: Math.sqrt(variance) / total, weights };
    }
    const rr = measure === "RR";
    const over = cells.map(({ a, d, n2, n }) => (a * (rr ? n2 : d)) / n), under = cells.map(({ b, c, n1, n }) => ((rr ? n1 : b) * c) / n);
    const up = add(over), down = add(under);
    if (!(up > 0 && down > 0)) return { mean: NaN, se: NaN, weights: under };
    const p = cells.map(({ a, d, n }) => (a + d) / n), q = cells.map(({ b, c, n }) => (b + c) / n);
    const variance = rr
      ? all(({ a, n1, c, n2, n }) => (n1 * n2 * (a + c) - a * c * n) / n ** 2) / (up * down)
      : (add(p, (x, i) => x * over[i]) / up ** 2 + add(p, (x, i) => x * under[i] + q[i] * over[i]) / (up * down) + add(q, (x, i) => x * under[i]) / down ** 2) / 2;
    return { mean: Math.log(up / down), se: Math.sqrt(variance), weights: under };
  };
  const mantelHaenszel = (rows, measure, model, critical) => {
    const corrected = rows.map(([a, n1, c, n2]) => { const x = a === 0 || c === 0 || a === n1 || c === n2 ? 0.5 : 0; return [a + x, n1 + 2 * x, c + x, n2 + 2 * x]; });
    const says = ([a, n1, c, n2]) => measure === "RD" || (a + c > 0 && (measure === "RR" || a + c < n1 + n2));
    const effects = rows.map((one, i) => {
      if (!says(one)) return [NaN, NaN];
      const [a, n1, c, n2] = corrected[i], [y1, v1] = ARM[measure](a, n1), [y2, v2] = ARM[measure](c, n2);
      return [measure === "RD" && !model.exact ? one[0] / one[1] - one[2] / one[3] : y1 - y2, v1 + v2];
    });
    const told = effects.map(([, v]) => Number.isFinite(v) && v > 0), some = effects.filter((_, i) => told[i]);
    // A corrected trial that says nothing is not corrected; risk differences are pooled from the counts as they are.
    const counts = model.exact || measure === "RD" ? rows : rows.map((one, i) => (says(one) ? corrected[i] : one));
    const { mean, se, weights } = poolCounts(counts, measure, model.rd_variance === "sato");
    const q = add(some, ([y, v]) => (y - mean) ** 2 / v), sets = prepare(some.map((one) => one[0]), some.map((one) => one[1]));
    const none = told.map((on) => (on ? 0 : NaN));
    if (model.tau2 === "EE") {
      const flat = se === 0, total = add(weights), shares = weights.map((x, i) => (told[i] ? (total ? (100 * x) / total : 0) : NaN));
      return explain(summarise(sets, 0, model, critical, { q, mean, se: flat ? NaN : se, weights: sets.k ? shares : none }), told, Number.isNaN(mean) && rows.length > 0, flat);
    }
    const { k, scale } = sets, between = k < 2 ? 0 : Number.isFinite(q) ? (q - (k - 1)) / weightApart(some.map(([, v]) => 1 / v)) / scale ** 2 : NaN;
    const found = summarise(sets, between, model, critical, { q });
    return explain({ ...found, weights: spread(told, found.weights, NaN) }, told, Number.isNaN(mean) && rows.length > 0, false);
  };
  const peto = (rows, model, critical) => {
    const effects = rows.map(([a, n1, c, n2]) => {
      const n = n1 + n2, events = a + c, v = ((n - 1) * n ** 2) / (n1 * n2 * events * (n - events));
      return [(a - (n1 * events) / n) * v, events > 0 && events < n ? v : NaN];
    });
    const told = effects.map(([, v]) => Number.isFinite(v)), some = effects.filter((_, i) => told[i]);
    const found = summarise(prepare(some.map((one) => one[0]), some.map((one) => one[1])), 0, model, critical);
    return explain({ ...found, weights: spread(told, found.weights, NaN) }, told, false, false);
  };

  // "mantel-haenszel for counts" is what RevMan 5 makes of a measure.
  const forMeasure = (model, measure) => {
    if (model.pooling !== "mantel-haenszel for counts") return model;
    if (Object.hasOwn(ARM, measure)) return { ...model, pooling: "mantel-haenszel" };
    return measure === "PETO" ? { ...model, pooling: "peto", tau2: "EE", interval: "wald" } : { ...model, pooling: "inverse variance" };
  };

  // Trials: yi and vi on the analysis scale, or counts, each trial's [events, patients, events, patients].
  // Model: pooling, tau2, interval ("wald", "t", "hartung-knapp", "hartung-knapp guarded"), prediction, exact and
  // rd_variance as in reweigh.protocol.models. Critical: z, t by its degrees of freedom from 1 on, and `test: false`
  // where there is no null. Missing is NaN, with the codes of why in `reason`; weights in percent.
  const pool = ({ yi, vi, counts }, model, critical, measure = "") => {
    const own = forMeasure(model, measure);
    if (own.pooling === "peto") return peto(counts, own, critical);
    if (own.pooling !== "inverse variance") return mantelHaenszel(counts, measure, own, critical);
    const sets = prepare(yi, vi);
    return summarise(sets, tau2Of(own.tau2, sets), own, critical);
  };
  return { pool };
})();
