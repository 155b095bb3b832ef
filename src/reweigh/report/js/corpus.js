"use strict";
// The table of all analyses: a filter by words or by what an answer counts, and as many rows as are wanted.
(() => {
  const data = json("data"), STEP = 100;
  const body = document.querySelector("#rows-table tbody");
  const at = Object.fromEntries(data.columns.map((name, i) => [name, i]));
  const words = data.rows.map((row) => data.searched.map((name) => value(row, name)).join(" ").toLowerCase());
  let chosen = [], shown = 0, filter = null;

  function value(row, name) {
    const cell = row[at[name]], list = data.lists[name];
    return list && typeof cell === "number" ? list[cell] : cell ?? "";
  }
  const kept = (row) => !filter || filter.split("&").every((one) => {
    const [, name, sign, wanted] = one.match(/^(\w+)([=~])(.*)$/);
    const found = String(value(row, name));
    return sign === "=" ? found === wanted : found.split(/[ ;]+/).includes(wanted);
  });
  const cells = (row) => data.shown.map((name) => {
    if (name !== "review") return make(name === "label" ? "th" : "td", name === "label" ? { scope: "row", className: "long" } : { className: "keep" }, String(value(row, name)));
    const review = value(row, name);
    return make("td", { className: "keep" }, make("a", { href: encodeURI(data.links.replace("{review}", review)) }, review));
  });
  const more = () => {
    body.append(...chosen.slice(shown, shown + STEP).map((i) => make("tr", {}, ...cells(data.rows[i]))));
    shown = Math.min(shown + STEP, chosen.length);
    byId("more").hidden = shown >= chosen.length;
    byId("count").textContent = `${chosen.length.toLocaleString("en")} of ${data.rows.length.toLocaleString("en")} analyses` + (filter ? `: ${data.said[filter] ?? filter}` : "");
  };
  const choose = () => {
    const asked = byId("words").value.toLowerCase().split(/\s+/).filter(Boolean);
    chosen = [...data.rows.keys()].filter((i) => kept(data.rows[i]) && asked.every((one) => words[i].includes(one)));
    byId("all").hidden = !filter && !asked.length;
    body.replaceChildren();
    shown = 0;
    more();
  };
  byId("search").addEventListener("submit", (event) => event.preventDefault());
  byId("words").addEventListener("input", choose);
  byId("more").addEventListener("click", more);
  byId("all").addEventListener("click", () => { filter = null; byId("words").value = ""; choose(); });
  for (const link of document.querySelectorAll("a[data-filter]")) link.addEventListener("click", () => { filter = link.dataset.filter; byId("words").value = ""; choose(); });
  choose();
})();
