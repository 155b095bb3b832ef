"use strict";
// Sorting and searching the table of trials, filtering the claims.
(() => {
  const table = byId("trial-table"), filter = byId("trial-filter");
  if (!table) return;
  const body = table.tBodies[0], rows = [...body.rows];
  const text = new Map(rows.map((row) => [row, `${row.textContent} ${row.dataset.words}`.toLowerCase()]));
  const order = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const heads = [...table.tHead.rows[0].cells];
  for (const [at, head] of heads.entries()) {
    const button = head.querySelector("button");
    if (!button) continue;
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of heads) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => row.cells[at].firstChild?.textContent.trim() ?? "";
      const sorted = rows.toSorted ? rows.toSorted((a, b) => compare(key(a), key(b), up)) : [...rows].sort((a, b) => compare(key(a), key(b), up));
      body.append(...sorted);
    });
  }
  // Empty cells come last either way.
  const compare = (a, b, up) => (a === "") - (b === "") || (up ? 1 : -1) * order.compare(a, b);
  const apply = () => {
    const words = filter.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean), state = filter.elements.state.value;
    let shown = 0;
    for (const row of rows) {
      const fits = (!state || row.dataset.state === state) && words.every((word) => text.get(row).includes(word));
      row.hidden = !fits;
      shown += fits;
    }
    byId("trial-count").textContent = `${shown} of ${rows.length}`;
  };
  filter.addEventListener("input", apply);
  filter.addEventListener("submit", (event) => event.preventDefault());
  apply();
})();

(() => {
  const filter = byId("claim-filter");
  if (!filter) return;
  const cards = [...document.querySelectorAll(".claim")], buttons = [...filter.querySelectorAll("[data-verdict-link]")];
  const pressed = () => buttons.find((one) => one.getAttribute("aria-pressed") === "true");
  const apply = () => {
    const verdict = pressed()?.dataset.verdictLink, page = filter.elements.page?.value;
    let shown = 0;
    for (const card of cards) {
      const fits = (!verdict || card.dataset.verdict === verdict) && (!page || card.dataset.page === page);
      card.hidden = !fits;
      shown += fits;
    }
    byId("claim-count").textContent = shown < cards.length ? `${shown} of ${cards.length}` : "";
  };
  for (const button of buttons)
    button.addEventListener("click", () => {
      const on = pressed() !== button;
      for (const one of buttons) one.setAttribute("aria-pressed", String(on && one === button));
      apply();
    });
  filter.addEventListener("input", apply);
  filter.addEventListener("submit", (event) => event.preventDefault());
})();
