"use strict";
// Which forest plot of an analysis is shown, and downloads of exactly that figure and its tables.
(() => {
  const review = location.pathname.split("/").slice(-2, -1)[0] || "review";
  const show = (id) => {
    const figure = byId(`fig-${id}`);
    if (!figure) return null;
    for (const one of document.querySelectorAll(`.view[data-analysis="${figure.dataset.analysis}"]`)) one.hidden = one !== figure;
    fill(figure);
    return figure;
  };
  for (const select of document.querySelectorAll("select[data-views]"))
    select.addEventListener("change", () => show(select.value));
  const follow = async () => {
    let id = "";
    try { id = decodeURIComponent(location.hash.slice(1)); } catch { return; }
    if (!id.startsWith("fig-")) return;
    if (!byId(id))
      for (const one of document.querySelectorAll("article.analysis")) if (`${id}.`.includes(`.${one.id.slice(2)}.`) && one.querySelector(".further")) await unfold(one.querySelector(".further"));
    const figure = show(id.slice(4));
    const select = figure && document.querySelector(`select[data-views="${figure.dataset.analysis}"]`);
    if (select) select.value = id.slice(4);
    reveal(figure);
    if (figure) figure.scrollIntoView();
  };
  addEventListener("hashchange", follow);
  follow();

  // The multiverse behind a claim: a copy of the analysis's own figure, with ids of its own.
  for (const behind of document.querySelectorAll(".behind"))
    behind.addEventListener("toggle", async () => {
      for (const place of behind.querySelectorAll("[data-copy]:empty")) {
        const drawing = await packed(place.dataset.copy), prefix = behind.closest("article").id;
        place.innerHTML = drawing.replace(/( id=.|href=.#|url\(#)/g, `$1${prefix}-`).replace(/ aria-labelledby="[^"]*"/, "");
        const svg = place.firstElementChild;
        svg.setAttribute("aria-label", svg.querySelector("title").textContent);
      }
    });

  const save = (content, kind, name) => {
    const href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type: kind }));
    make("a", { href, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(href), 1000);
  };
  // The figure of record: its own ink, font and size, whatever the page looks like.
  const standalone = (id) => {
    const svg = byId(`fig-${id}`).querySelector("svg").cloneNode(true);
    for (const hit of svg.querySelectorAll(".hit")) hit.remove();
    const [, , width, height] = svg.getAttribute("viewBox").split(" ");
    svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    svg.setAttribute("width", `${width}pt`);
    svg.setAttribute("height", `${height}pt`);
    svg.removeAttribute("style");
    const style = document.createElementNS("http://www.w3.org/2000/svg", "style");
    style.textContent = byId("figure-font").textContent;
    svg.prepend(style);
    let text = new XMLSerializer().serializeToString(svg);
    for (const [variable, colour] of Object.entries(json("colours"))) text = text.replaceAll(variable, colour);
    return { text, width: parseFloat(width), height: parseFloat(height) };
  };
  const png = (id) => {
    const { text, width, height } = standalone(id), scale = 200 / 72, image = new Image();
    image.onload = () => {
      const canvas = make("canvas", { width: Math.round(width * scale), height: Math.round(height * scale) });
      const ink = canvas.getContext("2d");
      ink.drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => save(blob, "image/png", `${id}.png`));
    };
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  };
  // The browser writes the PDF: a page of the figure's own size that holds nothing else, its text as text.
  const pdf = (id) => {
    const { text, width, height } = standalone(id), frame = make("iframe", { className: "print-frame", title: id });
    frame.setAttribute("aria-hidden", "true");
    frame.srcdoc = `<!DOCTYPE html><title>${id}</title><style>@page{size:${width}pt ${height}pt;margin:0}html,body{margin:0}svg{display:block}</style>${text}`;
    frame.addEventListener("load", () => {
      frame.contentWindow.addEventListener("afterprint", () => frame.remove());
      frame.contentDocument.fonts.ready.then(() => frame.contentWindow.print());
    });
    document.body.append(frame);
  };
  const rowsOf = async (table, analysis) => {
    const [head, ...rows] = (await packed(`table ${table}`)).split("\n");
    return [head, ...rows.filter((row) => row.startsWith(`${analysis},`)), ""].join("\n");
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-get], button[data-table]");
    if (!button) return;
    const { get, id, table } = button.dataset;
    if (id) await fill(byId(`fig-${id}`));
    if (table) save(await packed(`table ${table}`), "text/csv", `${review}.${table}.csv`);
    else if (get === "svg") save(standalone(id).text, "image/svg+xml", `${id}.svg`);
    else if (get === "png") png(id);
    else if (get === "pdf") pdf(id);
    else if (get === "pooled" && id.includes(".by_")) save(await rowsOf("subgroups", id), "text/csv", `${id}.pooled.csv`);
    else save(await rowsOf(get, id.split(".by_")[0]), "text/csv", `${id}.${get}.csv`);
  });
})();
