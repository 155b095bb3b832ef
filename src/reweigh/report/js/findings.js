"use strict";
// Absolute effects of the Summary of Findings at another risk without the intervention: as reweigh.effects.absolute.
(() => {
  const form = byId("risk");
  if (!form) return;
  const rows = [...document.querySelectorAll(".findings tr[data-risks]")];
  const cells = (row) => ["control", "with", "difference"].map((name) => row.querySelector(`.${name}`));
  const told = new Map(rows.map((row) => [row, cells(row).map((one) => one.textContent)]));
  const whole = (x) => { const down = Math.floor(x), half = x - down; return half === 0.5 ? down + (down % 2) : Math.round(x); };
  const absolute = (measure, risk, x) => {
    const at = { RR: () => risk * x, OR: () => (risk < 1 ? (risk * x) / (1 - risk + risk * x) : 1), HR: () => (risk < 1 ? 1 - Math.exp(x * Math.log(1 - risk)) : 1), RD: () => risk + x }[measure];
    return 1000 * Math.min(Math.max(at(), 0), 1);
  };
  const signed = (x) => { const size = whole(Math.abs(x)); return size ? `${size} ${x > 0 ? "more" : "fewer"}` : "0"; };
  const span = (say, [value, low, high]) => say(value) + (Number.isNaN(low) ? "" : ` (${say(low)} to ${say(high)})`);
  const draw = () => {
    const { risk, own } = form.elements;
    own.disabled = risk.value !== "own";
    const given = own.valueAsNumber, usable = own.value !== "" && given >= 0 && given <= 1000;
    for (const row of rows) {
      const [measure, ...ends] = row.dataset.relative.split(" "), at = risk.value === "own" ? (usable ? given : null) : Number(row.dataset.risks.split(" ")[risk.value]);
      const [control, withIt, difference] = cells(row);
      if (risk.value === "1") { [control, withIt, difference].forEach((one, i) => { one.textContent = told.get(row)[i]; }); continue; }
      if (at === null) { for (const one of [control, withIt, difference]) one.textContent = "–"; continue; }
      const numbers = ends.map((end) => absolute(measure, at / 1000, end === "" ? NaN : Number(end)));
      control.textContent = whole(at);
      // Any ratio to no event at all is no event.
      if (at === 0 && measure !== "RD") { withIt.textContent = difference.textContent = "not estimable"; continue; }
      withIt.textContent = span(whole, numbers);
      difference.textContent = span(signed, numbers.map((one) => one - at));
    }
  };
  form.addEventListener("input", draw);
  form.addEventListener("submit", (event) => event.preventDefault());
  draw();
})();
