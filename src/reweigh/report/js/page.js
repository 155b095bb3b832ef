"use strict";
// Theme, contents, notes of the trials (on hover and focus), and the dialog with a trial's worked page.
const byId = (id) => document.getElementById(id);
const make = (tag, options = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
};
const json = (id) => JSON.parse(byId(id).textContent);
// What is not shown at first is stored compressed, and unpacked once, when the first of it is asked for.
let unpacking = null;
const packed = async (name) => {
  unpacking ??= (async () => {
    const bytes = Uint8Array.from(atob(byId("pack").textContent), (c) => c.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
  })();
  return (await unpacking)[name];
};
// A figure that was not shown yet gets its drawing.
const fill = async (figure) => {
  const name = figure.dataset.pack;
  if (!name) return figure;
  const drawing = await packed(name), stack = await packed(`stack ${name}`);
  if (!figure.dataset.pack) return figure;
  const place = figure.querySelector("div");
  place.innerHTML = drawing;
  if (stack) place.insertAdjacentHTML("afterend", stack);
  delete figure.dataset.pack;
  return figure;
};
// The downloads of a figure, and of the tables behind a forest plot.
const offer = (root) => {
  for (const place of root.querySelectorAll(".downloads:empty")) {
    const button = (get, text, title = "") => make("button", { type: "button", title, "data-get": get, "data-id": place.dataset.of }, text);
    place.append(button("svg", "SVG"), button("png", "PNG"), button("pdf", "PDF", "Opens the print dialog with this figure alone: choose \u201cSave as PDF\u201d"));
    if ("tables" in place.dataset) place.append(button("effects", "Trials, CSV"), button("pooled", "Pooled, CSV"));
  }
};
// What stands in a fold comes when it is opened first; what stands in a fold of its own waits for that.
const unfold = async (fold) => {
  const own = (one) => one.parentElement.closest("details") === fold;
  for (const place of [...fold.querySelectorAll("[data-body]")].filter(own)) {
    const body = await packed(place.dataset.body);
    if (place.isConnected) place.outerHTML = body;
  }
  await Promise.all([...fold.querySelectorAll("[data-pack]:not(.view)")].filter(own).map(fill));
  offer(fold);
};
offer(document);
document.addEventListener("toggle", (event) => { if (event.target.open && event.target.matches("details")) unfold(event.target); }, true);
// Whatever is folded over an element is opened.
const reveal = (element) => { for (let one = element?.closest("details"); one; one = one.parentElement.closest("details")) one.open = true; };

(() => {
  const root = document.documentElement;
  const store = (value) => { try { if (value) localStorage.setItem("theme", value); return localStorage.getItem("theme"); } catch { return null; } };
  const apply = (value) => { if (value) root.dataset.theme = value; };
  apply(store());
  byId("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    const next = dark ? "light" : "dark";
    apply(next);
    store(next);
  });
})();

(() => {
  // Printing opens what a reader would open on screen, but not the long lists behind it.
  const opened = [];
  addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("main details:not([open]):not(td *):not(.further):not(.behind)")) { one.open = true; opened.push(one); }
  });
  addEventListener("afterprint", () => { while (opened.length) opened.pop().open = false; });
})();

(() => {
  // An address that names a part of the page opens it, however deep it is folded.
  const follow = () => {
    let id = "";
    try { id = decodeURIComponent(location.hash.slice(1).split("?")[0]); } catch { return; }
    const target = id && byId(id);
    if (!target) return;
    const own = target.querySelector(":scope > details");
    if (own) own.open = true;
    reveal(target);
    target.scrollIntoView();
  };
  addEventListener("hashchange", follow);
  // The same link pressed again opens again what was closed meanwhile.
  document.addEventListener("click", (event) => { const link = event.target.closest?.('a[href^="#"]'); if (link && link.hash === location.hash) follow(); });
  follow();
})();

(() => {
  // The bar at the top names the part in view.
  const here = byId("here");
  if (!here || !("IntersectionObserver" in window)) return;
  const heads = [...document.querySelectorAll("main h2, main article.analysis h4")];
  const name = () => {
    const past = heads.filter((one) => one.offsetParent !== null && one.getBoundingClientRect().top < 70);
    const last = past.at(-1), open = last?.closest("article.analysis");
    here.textContent = last && !last.classList.contains("visually-hidden") && (!open || open.querySelector("details").open) ? last.firstChild.textContent.trim() : "";
  };
  let asked = 0;
  addEventListener("scroll", () => { asked ||= requestAnimationFrame(() => { asked = 0; name(); }); }, { passive: true });
})();

(() => {
  const links = [...document.querySelectorAll(".contents a")];
  if (!links.length || !("IntersectionObserver" in window)) return;
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting)
      for (const link of links) {
        if (link.hash === `#${entry.target.id}`) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
  }, { rootMargin: "-10% 0px -80% 0px" });
  for (const link of links) { const target = byId(link.hash.slice(1)); if (target) seen.observe(target); }
})();

(() => {
  const tip = byId("tip"), detail = byId("detail");
  if (!tip) return;
  const glossary = json("glossary");
  const explained = (term) => [make("p", { className: "big" }, term), make("p", {}, glossary[term][0]), make("p", { className: "quiet" }, glossary[term][1])];
  let owner = null, leaving = 0;
  const hide = () => { tip.hidden = true; if (owner) owner.removeAttribute("aria-describedby"); owner = null; };
  const show = (target) => {
    clearTimeout(leaving);
    if (owner === target) return;
    hide();
    owner = target;
    tip.replaceChildren(...(target.dataset.term ? explained(target.dataset.term) : [byId(target.dataset.note).content.cloneNode(true)]));
    tip.hidden = false;
    target.setAttribute("aria-describedby", "tip");
    const at = target.getBoundingClientRect(), box = tip.getBoundingClientRect();
    const below = at.bottom + box.height + 12 < innerHeight || at.top < box.height + 12;
    tip.style.top = `${scrollY + (below ? at.bottom + 4 : at.top - box.height - 4)}px`;
    const start = Math.max(8, Math.min(at.left + 40, document.documentElement.clientWidth - box.width - 8));
    tip.style.left = `${scrollX + start}px`;
  };
  const open = async (target) => {
    const note = byId(target.dataset.note), page = note.dataset.page, steps = make("div");
    hide();
    byId("detail-title").textContent = note.dataset.title;
    byId("detail-body").replaceChildren(note.content.cloneNode(true), steps);
    detail.showModal();
    detail.scrollTop = 0;
    if (page) steps.innerHTML = await packed(`worked ${page}`);
  };
  const hit = (event) => event.target.closest?.("[data-note], [data-term]");
  const later = () => { clearTimeout(leaving); leaving = setTimeout(hide, 250); };
  document.addEventListener("pointerover", (event) => { const on = hit(event); if (on && on.matches(".hit, .term")) show(on); else if (tip.contains(event.target)) clearTimeout(leaving); });
  document.addEventListener("pointerout", (event) => { if (hit(event) || tip.contains(event.target)) later(); });
  document.addEventListener("focusin", (event) => { const on = hit(event); if (on && on.matches(".hit:focus-visible, .term:focus-visible")) show(on); else if (!tip.contains(event.target)) hide(); });
  document.addEventListener("click", (event) => { const on = hit(event); if (on?.dataset.note) open(on); else if (on) show(on); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
    const on = hit(event);
    if (!on || !on.matches(".hit")) return;
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(on); }
    // The trials of a plot are one stop of the tab key; the arrows go from one to the next.
    const all = [...on.ownerSVGElement.querySelectorAll(".hit")], at = all.indexOf(on);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined && all[to]) {
      event.preventDefault();
      on.setAttribute("tabindex", "-1");
      all[to].setAttribute("tabindex", "0");
      all[to].focus();
      show(all[to]);
    }
  });
})();
