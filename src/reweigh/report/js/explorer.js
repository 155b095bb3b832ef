"use strict";
// The explorer: looks up results that were pooled beforehand, draws them, and keeps what was chosen in the address.
(() => {
  const form = byId("x-controls");
  if (!form) return;
  const data = json("explorer-data");
  const select = { question: byId("x-analysis"), a: byId("x-measure"), set: byId("x-set"), model: byId("x-model"), r: byId("x-r") };
  let state = {}, rows = [];

  // Numbers as the tables print them.
  // Half up, from twelve significant digits, as reweigh.text.numbers rounds.
  const fixed = (x, n) => {
    if (!Number.isFinite(x)) return x < 0 ? "−∞" : "∞";
    const [mantissa, exponent] = Math.abs(x).toExponential(11).split("e");
    const scaled = BigInt(mantissa.replace(".", "")), shift = Number(exponent) - 11 + n;
    const units = shift >= 0 ? scaled * 10n ** BigInt(shift) : (2n * scaled + 10n ** BigInt(-shift)) / (2n * 10n ** BigInt(-shift));
    const digits = String(units).padStart(n + 1, "0");
    return `${x < 0 && units ? "−" : ""}${n ? `${digits.slice(0, -n)}.${digits.slice(-n)}` : digits}`;
  };
  const ratio = (x) => (x < 0.005 ? "<0.01" : x > 9999.995 ? ">9999" : fixed(x, 2));
  // The analysis scales of reweigh.measures, on the natural one.
  const natural = { natural: (x) => x, log: Math.exp, z: Math.tanh, logit: (x) => 1 / (1 + Math.exp(-x)) };
  const printed = (a, x) => (a.scale === "log" ? ratio : (y) => fixed(y, a.decimals))(natural[a.scale](x));
  const interval = (a, low, high) => `${printed(a, low)} to ${printed(a, high)}`;
  const pText = (p) => (p < 0.001 ? "< 0.001" : p > 0.99 ? "> 0.99" : p >= 0.04995 && p < 0.05 ? "< 0.05" : `= ${fixed(p, p >= 0.0495 && p < 0.05 ? 4 : p < 0.0095 || (p >= 0.045 && p < 0.05) ? 3 : 2)}`);
  const percent = (x) => `${fixed(x, x >= 99.5 && x < 100 ? 1 : 0)}%`;
  // Percentages with one decimal that add up to 100.0, rounded as the forest plots' (printed_shares in figures/forest).
  const shares = (weights) => {
    const sum = weights.reduce((x, y) => x + y, 0), scaled = weights.map((one) => (sum ? (1000 * one) / sum : 0));
    const whole = scaled.map((one) => Math.floor(one + 0.5 + 1e-9)), over = whole.reduce((x, y) => x + y, 0) - (sum ? 1000 : 0), step = over > 0 ? -1 : 1;
    const off = (i) => Math.abs(whole[i] + step - scaled[i]), late = (i) => Number(off(i) > 0.75);
    const open = scaled.map((_, i) => i).filter((i) => step * (scaled[i] - whole[i]) > 0);
    const first = open.sort((i, j) => late(i) - late(j) || off(i) * scaled[i] - off(j) * scaled[j]).slice(0, Math.abs(over));
    for (const i of first) whole[i] += step;
    return whole.map((one) => one / 10);
  };
  const symbols = (text) => text.replaceAll("tau2", "τ²").replaceAll("I2", "I²").replaceAll("H2", "H²");
  const countText = (k, comparisons) => { const trials = `${k} trial${k === 1 ? "" : "s"}`; return k === comparisons ? trials : `${comparisons} comparisons from ${trials}`; };
  const small = (x) => (x === 0 ? "0" : x < 0.0001 ? "<0.0001" : x >= 99.995 ? fixed(x, x < 999.95 ? 1 : 0) : fixed(x, x >= 0.0095 ? 2 : 1 - Math.floor(Math.log10(x))));

  // Packed results: columns one after another, those of each part (estimate, interval ...) that a model has; models share parts.
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  const partsOf = (model) => Object.entries(data.models[model].parts).map(([kind, key]) => [`${kind} ${key}`, data.fields[kind]]);
  const unpack = (set) => {
    if (set.columns) return set;
    const numbers = set.single ? new Float32Array(bytes(set.numbers)) : new Float64Array(bytes(set.numbers));
    const parts = new Map(set.models.flatMap(partsOf)), size = numbers.length / [...parts.values()].flat().length;
    let at = 0;
    set.columns = {};
    for (const [part, names] of parts) set.columns[part] = Object.fromEntries(names.map((name) => [name, numbers.subarray(at++ * size, at * size)]));
    const codes = new Uint8Array(bytes(set.codes));
    set.reasons = Object.fromEntries(set.models.map((one, i) => [one, codes.subarray(i * size, (i + 1) * size)]));
    return set;
  };
  // Row of a subset, or why it was not computed.
  const place = (k, inside) => {
    if (k <= data.all_up_to) return inside.reduce((sum, on, i) => sum + (on ? 2 ** i : 0), 0) - 1;
    const out = inside.flatMap((on, i) => (on ? [] : [i]));
    if (!out.length) return 0;
    if (out.length === 1) return 1 + out[0];
    if (out.length > 2) return `of ${k}, removals of one or two were computed, not of ${out.length}`;
    const [i, j] = out;
    return 1 + k + i * k - (i * (i + 1)) / 2 + (j - i - 1);
  };
  const lookUp = (set, model, inside) => {
    const { columns, reasons, models } = unpack(set);
    if (!inside.some(Boolean)) return { reason: "no trial is ticked" };
    if (set.unable[model]) return { reason: set.unable[model] };
    if (!models.includes(model)) return { reason: `“${model}” was not computed for these trials` };
    const row = place(inside.length, inside);
    if (typeof row === "string") return { reason: row };
    const [note, narrow] = data.reasons[reasons[model][row]], found = { note, narrow };
    for (const [part] of partsOf(model)) for (const [name, values] of Object.entries(columns[part])) found[name] = values[row];
    return Number.isNaN(found.estimate) ? { reason: found.note || "not estimable" } : found;
  };

  const analysis = () => data.analyses.find((one) => one.id === state.a);
  const sets = () => analysis().datasets;
  const asked = (question) => data.analyses.filter((one) => one.question === question);
  const chosen = () => sets().find((one) => one.set === state.set && (one.correlation === null ? state.r === "" : String(one.correlation) === state.r));

  // Address
  const defaults = (id) => { const a = data.analyses.find((one) => one.id === id); return { a: id, set: a.datasets[0].set, model: a.model, r: "", without: new Set() }; };
  // The protocol's models for other outcomes are none of this analysis's.
  const fits = (model) => Object.hasOwn(data.models, model) && (!data.models[model].own || sets().some((one) => one.models.includes(model) || Object.hasOwn(one.unable, model)));
  const read = () => {
    const [, query] = location.hash.match(/^#explore\?(.*)$/) ?? [];
    const given = new URLSearchParams(query ?? "");
    const known = data.analyses.some((one) => one.id === given.get("a"));
    state = defaults(known ? given.get("a") : data.analyses[0].id);
    for (const name of ["set", "model", "r"]) if (given.has(name)) state[name] = given.get(name);
    if (!sets().some((one) => one.set === state.set)) state.set = sets()[0].set;
    if (!fits(state.model)) state.model = analysis().model;
    state.without = new Set((given.get("without") ?? "").split(",").filter(Boolean));
    return query !== undefined;
  };
  const write = () => {
    const usual = defaults(state.a), query = new URLSearchParams({ a: state.a });
    for (const name of ["set", "model", "r"]) if (state[name] !== usual[name]) query.set(name, state[name]);
    if (state.without.size) query.set("without", [...state.without].join(","));
    history.replaceState(null, "", `#explore?${query.toString().replaceAll("%2C", ",")}`);
  };

  // Marks
  const scale = (x) => { const { low, high } = analysis().axis; return (100 * (x - low)) / (high - low); };
  const clip = (x) => Math.max(0, Math.min(100, x));
  const bar = (element, low, high) => {
    const [a, b] = [clip(scale(low)), clip(scale(high))];
    element.hidden = !(b >= a) || (a === b && (a === 0 || a === 100));
    element.style.left = `${a}%`;
    element.style.width = `${b - a}%`;
    return [a, b];
  };
  const track = (...kinds) => {
    const marks = { null: make("i", { className: "null" }) };
    for (const kind of [...kinds, "arrow left", "arrow right"]) marks[kind] = make("i", { className: kind });
    const element = make("div", { className: "track" }, ...Object.values(marks));
    element.setAttribute("aria-hidden", "true");
    marks.null.style.left = `${scale(0)}%`;
    marks.null.hidden = !analysis().null;
    return { element, marks };
  };
  const clipped = (marks, low, high) => {
    marks["arrow left"].hidden = !(scale(low) < 0);
    marks["arrow right"].hidden = !(scale(high) > 100);
  };
  const line = (name, marks, options = {}) => {
    const effect = make("span", { className: "effect", role: "cell" }), weight = make("span", { className: "weight", role: "cell" });
    const element = make("div", { className: `frow ${options.className ?? ""}`, role: "row" },
      make("span", { role: "rowheader" }, name), make("span", { className: "cell-track", role: "cell" }, marks.element), effect, weight);
    return { element, effect, weight, marks: marks.marks };
  };

  const build = () => {
    const a = analysis(), set = chosen() ?? sets().find((one) => one.set === state.set), forest = byId("x-forest");
    const head = make("div", { className: "frow head", role: "row" }, ...["Trial", "", `${a.short} (${a.level} CI)`, "Weight"].map((text, i) =>
      make("span", { role: "columnheader", className: i === 3 ? "weight" : "" }, text || make("span", { className: "visually-hidden" }, "Plot"))));
    rows = set.trials.map(([id, label, group, , low, high, , effect]) => {
      const box = make("input", { type: "checkbox", checked: !state.without.has(id) });
      box.dataset.trial = id;
      box.addEventListener("change", () => { if (box.checked) state.without.delete(id); else state.without.add(id); draw(); });
      const name = make("label", {}, box, make("span", {}, make("b", {}, label), ...(group ? [make("small", {}, group)] : [])));
      const one = line(name, track("ci", "square"));
      bar(one.marks.ci, low, high);
      clipped(one.marks, low, high);
      one.effect.textContent = effect;
      return { ...one, box, id };
    });
    const total = line("Pooled", track("pi", "diamond"), { className: "total" }), ghost = line("All ticked, for comparison", track("diamond ghost"), { className: "ghost-row" });
    rows.total = total;
    rows.ghost = ghost;
    forest.replaceChildren(head, ...rows.map((one) => one.element), total.element, ghost.element);
    byId("x-axis").replaceChildren(...a.axis.ticks.map(([at, label]) => { const tick = make("span", {}, label); tick.style.left = `${scale(at)}%`; return tick; }));
    byId("x-favours").replaceChildren(...(a.favours.length ? [make("span", {}, `← ${a.favours[0]}`), make("span", {}, `${a.favours[1]} →`)] : []));
    const groups = [...new Set(set.trials.map((one) => one[2]).filter(Boolean))];
    byId("x-groups").replaceChildren(...(groups.length < 2 ? [] : groups).flatMap((group) => {
      const button = make("button", { type: "button" }, `Only ${group.toLowerCase()}`);
      button.addEventListener("click", () => { state.without = new Set(set.trials.filter((one) => one[2] !== group).map((one) => one[0])); tick(); });
      return [button, " "];
    }));
  };
  const tick = () => { for (const one of rows) one.box.checked = !state.without.has(one.id); draw(); };
  const fill = () => {
    const a = analysis(), names = [...new Map(sets().map((one) => [one.set, one.label]))], measures = asked(a.question);
    select.question.value = a.question;
    select.a.replaceChildren(...measures.map((one) => make("option", { value: one.id }, one.measure)));
    select.a.value = state.a;
    byId("x-measure-label").hidden = measures.length < 2;
    select.set.replaceChildren(...names.map(([value, label]) => make("option", { value }, label)));
    select.set.value = state.set;
    for (const option of select.model.options) option.hidden = option.disabled = !fits(option.value);
    select.model.value = state.model;
    const swept = sets().filter((one) => one.correlation !== null);
    byId("x-r-label").hidden = !swept.length;
    const symbol = a.parameter?.name.replace("phi", "φ");
    const own = a.parameter ? `${symbol} = ${a.parameter.protocol} (protocol)` : "as in the protocol";
    select.r.replaceChildren(make("option", { value: "" }, own), ...swept.filter((one) => one.correlation !== a.parameter?.protocol).map((one) => make("option", { value: String(one.correlation) }, `${symbol} = ${one.correlation}`)));
    if (state.r !== "" && ![...select.r.options].some((one) => one.value === state.r)) select.r.append(make("option", { value: state.r }, `${state.r}`));
    select.r.value = state.r;
  };

  const sentence = (a, found, k, count) => {
    const figures = make("p", { className: "figures" });
    const say = (name, text) => figures.append(make("span", {}, `${name} ${text}`), " ");
    const head = make("p", { className: "big" });
    head.dataset.effect = Number.isNaN(found.ci_lower) ? `${printed(a, found.estimate)} (CI not estimable)` : `${printed(a, found.estimate)} (${interval(a, found.ci_lower, found.ci_upper)})`;
    head.textContent = `${a.short} ${head.dataset.effect.replace("(", Number.isNaN(found.ci_lower) ? "(" : `(${a.level} CI `)}`;
    say("k =", count);
    if (!Number.isNaN(found.p_value)) say("P", pText(found.p_value));
    if (k > 1) {
      say("prediction interval", Number.isNaN(found.pi_lower) ? "–" : interval(a, found.pi_lower, found.pi_upper));
      say("τ² =", small(found.tau2));
      if (!Number.isNaN(found.i2)) say(`I² (${symbols(data.models[state.model].i2)}) =`, percent(found.i2));
      if (!Number.isNaN(found.q)) say("Q =", `${fixed(found.q, 2)}, P ${pText(found.q_p_value)}`);
      if (found.narrow) say("guarded interval", interval(a, found.guarded_ci_lower, found.guarded_ci_upper));
    }
    return [head, figures, ...(found.note ? [make("p", { className: "quiet" }, symbols(found.note))] : [])];
  };
  const draw = () => {
    const started = performance.now(), a = analysis(), set = chosen(), result = byId("x-result");
    write();
    const inside = rows.map((one) => one.box.checked), k = inside.filter(Boolean).length;
    const found = set ? lookUp(set, state.model, inside) : { reason: "this crossover correlation was computed for the main set only, not for this one" };
    const all = set ? lookUp(set, state.model, inside.map(() => true)) : found;
    const ticked = (set ?? sets()[0]).trials.filter((one) => !state.without.has(one[0]));
    result.replaceChildren(...(found.reason ? [make("p", { className: "big missing" }, "Not computed"), make("p", {}, symbols(`${found.reason[0].toUpperCase()}${found.reason.slice(1)}.`))] : sentence(a, found, k, countText(new Set(ticked.map((one) => one[8])).size, k))));
    const fixedWeights = set?.weights[state.model], weightOf = (one, i) => (fixedWeights ? fixedWeights[i] ?? 0 : 1 / (one[6] + (found.tau2 || 0)));
    const weights = (set ?? sets()[0]).trials.map((one, i) => (inside[i] && !found.reason ? weightOf(one, i) : 0));
    const sum = weights.reduce((x, y) => x + y, 0), most = Math.max(...weights);
    const order = rows.map((one) => (set ?? sets()[0]).trials.findIndex((trial) => trial[0] === one.id));
    const percents = shares(weights);
    for (const [i, one] of rows.entries()) {
      const share = sum ? weights[order[i]] / sum : 0, y = set?.trials[order[i]]?.[3] ?? 0;
      one.element.classList.toggle("out", !inside[i]);
      one.weight.textContent = share && k > 1 ? `${fixed(percents[order[i]], 1)}%` : "";
      const side = sum && share ? 4 + 10 * Math.sqrt(weights[order[i]] / most) : 6;
      one.marks.square.style.width = one.marks.square.style.height = `${side}px`;
      one.marks.square.style.left = `${scale(y)}%`;
      one.marks.square.hidden = scale(y) < 0 || scale(y) > 100;
    }
    const diamond = (line, one, pi) => {
      const { diamond: d, "diamond ghost": g } = line.marks, mark = d ?? g;
      const usable = !one.reason && !Number.isNaN(one.ci_lower);
      mark.hidden = !usable;
      if (usable) {
        const [from, to] = bar(mark, one.ci_lower, one.ci_upper);
        mark.style.setProperty("--at", to > from ? `${Math.max(0, Math.min(100, (100 * (scale(one.estimate) - from)) / (to - from)))}%` : "50%");
      }
      // What leaves the axis, the prediction interval included, has an arrow.
      const predicted = pi && usable && !Number.isNaN(one.pi_lower);
      const lows = [...(usable ? [one.ci_lower] : []), ...(predicted ? [one.pi_lower] : [])], highs = [...(usable ? [one.ci_upper] : []), ...(predicted ? [one.pi_upper] : [])];
      clipped(line.marks, Math.min(...lows, a.axis.high), Math.max(...highs, a.axis.low));
      if (pi) { line.marks.pi.hidden = true; if (predicted) bar(line.marks.pi, one.pi_lower, one.pi_upper); }
      line.effect.textContent = one.reason ? "–" : Number.isNaN(one.ci_lower) ? `${printed(a, one.estimate)} (–)` : `${printed(a, one.estimate)} (${interval(a, one.ci_lower, one.ci_upper)})`;
    };
    diamond(rows.total, found, true);
    diamond(rows.ghost, all, false);
    rows.ghost.element.hidden = k === inside.length;
    byId("x-how").textContent = inside.length <= data.all_up_to ? `Stored: every subset of these ${inside.length}.` : `Stored: all ${inside.length} together, and every removal of one or two.`;
    byId("x-what").textContent = symbols(`${data.models[state.model].what}.`);
    byId("explorer").dataset.milliseconds = (performance.now() - started).toFixed(1);
  };
  const render = () => { fill(); build(); draw(); };

  for (const [name, element] of Object.entries(select))
    element.addEventListener("change", () => {
      if (name === "question") {
        const { id } = asked(element.value)[0], usual = defaults(id), kept = state.model !== analysis().model;
        state = { ...usual, model: kept ? state.model : usual.model };
        if (!fits(state.model)) state.model = usual.model;
      } else if (element.value || name === "r") state[name] = element.value;
      // Another measure may not have this set: then its first.
      if (name === "a" && !sets().some((one) => one.set === state.set)) state.set = sets()[0].set;
      render();
    });
  form.addEventListener("submit", (event) => event.preventDefault());
  byId("x-all").addEventListener("click", () => { state.without = new Set(); tick(); });
  byId("x-copy").addEventListener("click", async () => {
    try { await navigator.clipboard.writeText(location.href); byId("x-copied").textContent = "Copied."; } catch { byId("x-copied").textContent = "Copy the address of this page."; }
  });
  const silently = (work) => { const keep = location.href; work(); if (location.href !== keep) history.replaceState(null, "", keep); };
  const start = () => {
    if (read()) { render(); byId("explore").scrollIntoView(); } else if (!rows.length) silently(render);
  };
  addEventListener("hashchange", start);
  start();
})();
