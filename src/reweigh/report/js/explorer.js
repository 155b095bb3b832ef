"use strict";
// The explorer: pools whichever trials are ticked (pool.js), draws them, and keeps what was chosen in the address.
(() => {
  const form = byId("x-controls");
  if (!form) return;
  const data = json("explorer-data"), models = Object.keys(data.models);
  const select = { question: byId("x-analysis"), a: byId("x-measure"), set: byId("x-set"), model: byId("x-model"), r: byId("x-r") };
  let state = {}, rows = [], by = -1, stale = [];

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
  // Beside an estimate that is too small a ratio for two decimals, what is below them has two significant digits.
  const tiny = (x) => (x > 1e-9 && x < 0.005 ? fixed(x, 1 - Math.floor(Math.log10(x))) : ratio(x));
  const printed = (a, x, of = NaN) => (a.scale !== "log" ? (y) => fixed(y, a.decimals) : Math.exp(of) < 0.005 && Math.exp(of) > 0 ? tiny : ratio)(natural[a.scale](x));
  const interval = (a, low, high, of) => `${printed(a, low, of)} to ${printed(a, high, of)}`;
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

  const said = (codes) => symbols(codes.map((code) => data.said[code]).join("; "));

  // Data sets, each trial of one with its place in data.trials.
  const analysis = () => data.analyses.find((one) => one.id === state.a);
  const sets = () => analysis().datasets;
  const asked = (question) => data.analyses.filter((one) => one.question === question);
  const chosen = () => sets().find((one) => one.set === state.set && (one.correlation === null ? state.r === "" : String(one.correlation) === state.r));
  const shown = () => chosen() ?? sets().find((one) => one.set === state.set);
  const idOf = (set, i) => data.trials[set.trials[i]][0];
  const cell = (set, i, column) => data.trials[set.trials[i]][3 + column];

  // The result of a choice of trials; `reason`: why there is none, `notes`: what it should be read with.
  const compute = (set, name, inside) => {
    const none = (code) => ({ reason: [code] }), at = models.indexOf(name), model = data.models[name], a = analysis();
    if (!inside.some(Boolean)) return none("nothing_ticked");
    if (set.unable?.[at]) return none(set.unable[at]);
    if (!set.models.includes(at)) return none("not_in_set");
    const given = inside.every(Boolean) ? set.whole?.[at] : undefined;
    const whole = given && Object.fromEntries(Object.entries(given).map(([key, value]) => [key, value ?? NaN]));
    if (model.interval === "profile likelihood") return whole ? { ...whole, notes: whole.reason, reason: [] } : none("only_all");
    const of = (values) => values?.filter((_, i) => inside[i]);
    const trials = { yi: of(set.yi), vi: of(set.vi), counts: of(set.counts) };
    const found = reweighPool.pool(trials, model, { ...data.critical[a.level[0]], test: a.null }, a.short);
    let next = 0;
    const weights = inside.map((on) => (on ? found.weights[next++] : 0)), notes = found.reason.filter((code) => code !== "few_for_prediction_interval" || model.rule);
    if (Number.isNaN(found.estimate)) return { reason: found.reason };
    if (found.narrow) notes.push("hartung_knapp_narrow");
    if (model.prediction === "bootstrap") {
      if (whole) Object.assign(found, { pi_lower: whole.pi_lower, pi_upper: whole.pi_upper }); else notes.push("only_all_prediction");
    } else if (!model.rule && model.tau2 !== "EE") notes.push("no_prediction_interval");
    return { ...found, weights, notes, reason: [] };
  };

  // Address
  const defaults = (id) => { const a = data.analyses.find((one) => one.id === id); return { a: id, set: a.datasets[0].set, model: a.model, r: "", without: new Set() }; };
  const within = (set, model) => set.models.includes(models.indexOf(model)) || Object.hasOwn(set.unable ?? {}, models.indexOf(model));
  const fits = (model) => Object.hasOwn(data.models, model) && sets().some((one) => within(one, model));
  const read = () => {
    const [, query] = location.hash.match(/^#explore\?(.*)$/) ?? [];
    const given = new URLSearchParams(query ?? "");
    const known = data.analyses.some((one) => one.id === given.get("a"));
    stale = [];
    const lost = (name, value) => stale.push(data.said[`stale_${name}`].replace("{value}", () => `“${value}”`));
    if (given.has("a") && !known) lost("a", given.get("a"));
    state = defaults(known ? given.get("a") : data.analyses[0].id);
    const there = {
      set: (value) => sets().some((one) => one.set === value),
      model: fits,
      r: (value) => value === "" || sets().some((one) => String(one.correlation) === value),
      without: (value) => sets().some((set) => set.trials.some((place) => data.trials[place][0] === value)),
    };
    // Of another analysis nothing else is asked of the link.
    if (given.has("a") && !known) return query !== undefined;
    for (const name of ["set", "model", "r"]) if (given.has(name)) { if (there[name](given.get(name))) state[name] = given.get(name); else lost(name, given.get(name)); }
    for (const trial of (given.get("without") ?? "").split(",").filter(Boolean)) { if (there.without(trial)) state.without.add(trial); else lost("without", trial); }
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
  const line = (name, marks, kind, options = {}) => {
    const effect = make("span", { className: "effect", role: kind }), weight = make("span", { className: "weight", role: kind });
    const element = make("div", { className: `frow ${options.className ?? ""}`, role: "row" },
      make("span", { role: "rowheader" }, name), make("span", { className: "cell-track", role: kind }, marks.element), effect, weight);
    return { element, effect, weight, marks: marks.marks };
  };

  const build = () => {
    const a = analysis(), set = shown(), { z } = data.critical[a.level[0]];
    const head = make("div", { className: "frow head", role: "row" }, ...["Trial", "", `${a.short} (${a.level[1]} CI)`, "Weight"].map((text, i) =>
      make("span", { role: "columnheader", className: ["", "cell-track", "effect", "weight"][i] }, text || make("span", { className: "visually-hidden" }, "Plot"))));
    rows = set.trials.map((place, i) => {
      const [id, label] = data.trials[place], half = z * Math.sqrt(set.vi[i]), ends = [set.yi[i] - half, set.yi[i] + half];
      const box = make("input", { type: "checkbox", checked: !state.without.has(id), tabIndex: i ? -1 : 0 });
      box.dataset.trial = id;
      box.addEventListener("change", () => { if (box.checked) state.without.delete(id); else state.without.add(id); draw(); });
      const one = line(make("label", {}, box, make("span", {}, make("b", {}, label), make("small"))), track("ci", "square"), "gridcell");
      bar(one.marks.ci, ...ends);
      clipped(one.marks, ...ends);
      one.effect.textContent = `${printed(a, set.yi[i], set.yi[i])} (${interval(a, ...ends, set.yi[i])})`;
      return { ...one, box, id };
    });
    byId("x-forest").replaceChildren(head, ...rows.map((one) => one.element));
    const total = line("Pooled", track("pi", "diamond"), "cell", { className: "total" }), ghost = line("All ticked", track("diamond ghost"), "cell", { className: "ghost-row" });
    rows.total = total;
    rows.ghost = ghost;
    byId("x-total").replaceChildren(total.element, ghost.element);
    byId("x-axis").replaceChildren(...a.axis.ticks.map(([at, label]) => { const tick = make("span", {}, label); tick.style.left = `${scale(at)}%`; tick.dataset.at = at; return tick; }));
    byId("x-favours").replaceChildren(...(a.favours.length ? [make("span", {}, `← ${a.favours[0]}`), make("span", {}, `${a.favours[1]} →`)] : []));
    choices();
  };

  // Ticking by what the trials are.
  const sorting = (set) => data.columns.map((_, i) => i).filter((i) => new Set(set.trials.map((_, t) => cell(set, t, i))).size > 1);
  const textOf = (column, value) => (value === null ? "Not reported" : data.columns[column].values[value] ?? String(value));
  const put = (on, ids) => { for (const id of ids) { if (on) state.without.delete(id); else state.without.add(id); } tick(); };
  const choices = () => {
    const set = shown(), columns = sorting(set), menu = byId("x-by");
    // At first by what puts trials together, not each by itself.
    const together = (i) => new Set(set.trials.map((_, t) => cell(set, t, i))).size < set.trials.length && data.columns[i].values.length;
    if (!columns.includes(by)) by = columns.find(together) ?? columns[0] ?? -1;
    byId("x-by-label").hidden = by < 0;
    menu.replaceChildren(...columns.map((i) => make("option", { value: String(i) }, data.columns[i].label)));
    menu.value = String(by);
    const values = by < 0 ? set.trials.map(() => null) : set.trials.map((_, i) => cell(set, i, by)), numeric = by >= 0 && !data.columns[by].values.length;
    for (const [i, one] of rows.entries()) one.element.querySelector("small").textContent = by < 0 ? "" : textOf(by, values[i]);
    if (numeric) {
      const known = values.filter((one) => one !== null), ends = [Math.min(...known), Math.max(...known)];
      const range = [-Infinity, Infinity], beyond = new Set();
      byId("x-values").replaceChildren(...["from", "to"].map((name, end) => {
        const input = make("input", { type: "number", step: "any", placeholder: String(ends[end]) });
        input.addEventListener("change", () => {
          range[end] = input.value === "" ? [-Infinity, Infinity][end] : Number(input.value);
          const open = range[0] === -Infinity && range[1] === Infinity, inside = (value) => open || (value !== null && value >= range[0] && value <= range[1]);
          // Only what the range itself has unticked comes back with it.
          for (const [i, value] of values.entries()) {
            const id = idOf(set, i);
            if (inside(value)) { if (beyond.delete(id)) state.without.delete(id); } else if (!state.without.has(id)) { beyond.add(id); state.without.add(id); }
          }
          tick();
        });
        return make("label", {}, `${name} `, input);
      }));
      return;
    }
    const order = by < 0 ? [] : [...new Set(values)].sort((x, y) => (x === null) - (y === null) || x - y);
    byId("x-values").replaceChildren(...order.map((value) => {
      const ids = set.trials.map((_, i) => idOf(set, i)).filter((_, i) => values[i] === value), box = make("input", { type: "checkbox" }), count = make("span");
      box.addEventListener("change", () => put(box.checked, ids));
      box.ids = ids;
      box.count = count;
      return make("label", {}, box, ` ${textOf(by, value)} `, count);
    }));
  };
  const tick = () => { for (const one of rows) one.box.checked = !state.without.has(one.id); draw(); };
  const fill = () => {
    const a = analysis(), names = [...new Map(sets().map((one) => [one.set, one.label]))], measures = asked(a.question);
    select.question.value = a.question;
    select.a.replaceChildren(...measures.map((one) => make("option", { value: one.id }, one.asked ? one.measure : `${one.measure}, from the counts`)));
    select.a.value = state.a;
    byId("x-measure-label").hidden = measures.length < 2;
    select.set.replaceChildren(...names.map(([value, label]) => make("option", { value }, label)));
    select.set.value = state.set;
    const set = shown();
    for (const option of select.model.options) {
      const there = within(set, option.value), why = set.unable?.[models.indexOf(option.value)];
      option.hidden = !there && option.value !== state.model;
      // The choice that a link asks for is not greyed: the result says why it has none.
      option.disabled = option.value !== state.model && (!there || Boolean(why));
      option.textContent = (option.dataset.label ??= option.textContent) + (why ? `: ${said([why])}` : "");
    }
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
    const figures = make("p", { className: "figures" }), model = data.models[state.model];
    const say = (...parts) => figures.append(make("span", {}, parts.join(" ")), " ");
    const head = make("p", { className: "big" });
    head.dataset.effect = Number.isNaN(found.ci_lower) ? `${printed(a, found.estimate, found.estimate)} (CI not estimable)` : `${printed(a, found.estimate, found.estimate)} (${interval(a, found.ci_lower, found.ci_upper, found.estimate)})`;
    head.textContent = `${a.short} ${head.dataset.effect.replace("(", Number.isNaN(found.ci_lower) ? "(" : `(${a.level[1]} CI `)}`;
    say("k =", count);
    if (!Number.isNaN(found.p_value)) say("P", pText(found.p_value));
    if (k > 1) {
      if (model.rule && !Number.isNaN(found.pi_lower)) say(`prediction interval (${model.rule})`, interval(a, found.pi_lower, found.pi_upper));
      say("τ² =", small(found.tau2));
      const i2 = model.i2 === "Q-based" ? found.i2_q : found.i2_tau2;
      if (!Number.isNaN(i2)) say(`I² (${symbols(model.i2)}) =`, percent(i2));
      if (!Number.isNaN(found.q)) say("Q =", `${fixed(found.q, 2)},`, "df", `${found.q_df},`, "P", pText(found.q_p_value));
      if (found.narrow) say("guarded interval", interval(a, found.guarded_ci_lower, found.guarded_ci_upper));
    }
    return [head, figures, ...(found.notes.length ? [make("p", { className: "quiet" }, said(found.notes))] : [])];
  };
  const draw = () => {
    const started = performance.now(), a = analysis(), set = chosen(), result = byId("x-result"), table = shown();
    write();
    const inside = rows.map((one) => one.box.checked), k = inside.filter(Boolean).length;
    const found = set ? compute(set, state.model, inside) : { reason: ["not_swept"] };
    const all = set ? compute(set, state.model, inside.map(() => true)) : found;
    const missing = found.reason.length > 0;
    const ticked = table.trials.filter((_, i) => inside[i]).map((place) => data.trials[place][2]);
    const why = said(found.reason);
    result.replaceChildren(...(missing ? [make("p", { className: "big missing" }, "Not computed"), make("p", {}, `${why[0].toUpperCase()}${why.slice(1)}.`)] : sentence(a, found, k, countText(new Set(ticked).size, k))));
    byId("x-stale").hidden = !stale.length;
    byId("x-stale").textContent = stale.length ? data.said.stale.replace("{missing}", () => stale.join("; ")) : "";
    const weights = inside.map((_, i) => (missing ? 0 : found.weights[i] || 0)), most = Math.max(...weights), percents = shares(weights);
    for (const [i, one] of rows.entries()) {
      const y = table.yi[i];
      one.element.classList.toggle("out", !inside[i]);
      one.weight.textContent = weights[i] && k > 1 ? `${fixed(percents[i], 1)}%` : "";
      const side = weights[i] ? 4 + 10 * Math.sqrt(weights[i] / most) : 6;
      one.marks.square.style.width = one.marks.square.style.height = `${side}px`;
      one.marks.square.style.left = `${scale(y)}%`;
      one.marks.square.hidden = scale(y) < 0 || scale(y) > 100;
    }
    for (const box of byId("x-values").querySelectorAll("[type=checkbox]")) {
      const on = box.ids.filter((id) => !state.without.has(id)).length;
      box.checked = on === box.ids.length;
      box.indeterminate = on > 0 && on < box.ids.length;
      box.count.textContent = on === box.ids.length ? `(${on})` : `(${on} of ${box.ids.length})`;
    }
    const diamond = (line, one, pi) => {
      const { diamond: d, "diamond ghost": g } = line.marks, mark = d ?? g;
      const usable = !one.reason.length && !Number.isNaN(one.ci_lower);
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
      line.effect.textContent = one.reason.length ? "–" : Number.isNaN(one.ci_lower) ? `${printed(a, one.estimate, one.estimate)} (–)` : `${printed(a, one.estimate, one.estimate)} (${interval(a, one.ci_lower, one.ci_upper, one.estimate)})`;
    };
    diamond(rows.total, found, true);
    diamond(rows.ghost, all, false);
    rows.ghost.element.hidden = k === inside.length;
    // One trial alone is pooled by no model.
    rows.total.element.firstChild.textContent = k === 1 ? "One trial" : "Pooled";
    const what = [...(k === 1 ? [] : [`${data.models[state.model].what}.`]), ...(a.asked ? [] : [`${a.measure}: ${data.said.measure_from_counts}.`])];
    byId("x-what").textContent = symbols(what.join(" "));
    byId("explorer").dataset.milliseconds = (performance.now() - started).toFixed(1);
  };
  const render = () => { fill(); build(); draw(); };

  for (const [name, element] of Object.entries(select))
    element.addEventListener("change", () => {
      stale = [];
      if (name === "question") {
        const { id } = asked(element.value)[0], usual = defaults(id), kept = state.model !== analysis().model;
        state = { ...usual, model: kept ? state.model : usual.model };
        if (!fits(state.model)) state.model = usual.model;
      } else if (element.value || name === "r") state[name] = element.value;
      // Another measure may not have this set: then its first.
      if (name === "a" && !sets().some((one) => one.set === state.set)) state.set = sets()[0].set;
      if (name === "a" && !fits(state.model)) state.model = analysis().model;
      render();
    });
  byId("x-by").addEventListener("change", (event) => { by = Number(event.target.value); choices(); draw(); });
  // The trials are one stop of the Tab key: arrows go from one to the next, Space ticks.
  byId("x-forest").addEventListener("keydown", (event) => {
    const at = rows.findIndex((one) => one.box === document.activeElement), last = rows.length - 1;
    const to = { ArrowDown: Math.min(at + 1, last), ArrowUp: Math.max(at - 1, 0), Home: 0, End: last }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    rows[to].box.focus();
  });
  byId("x-forest").addEventListener("focusin", (event) => { for (const one of rows) one.box.tabIndex = one.box === event.target ? 0 : -1; });
  for (const type of ["change", "click"]) byId("explorer").addEventListener(type, (event) => { if (stale.length && event.target.matches("input, button")) { stale = []; byId("x-stale").hidden = true; } });
  form.addEventListener("submit", (event) => event.preventDefault());
  byId("x-all").addEventListener("click", () => { state.without = new Set(); choices(); tick(); });
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
