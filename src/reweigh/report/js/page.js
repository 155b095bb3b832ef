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
  // Printing opens what a reader would open on screen, but not the long tables of trials.
  const opened = [];
  addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("main details:not([open]):not(td *)")) { one.open = true; opened.push(one); }
  });
  addEventListener("afterprint", () => { while (opened.length) opened.pop().open = false; });
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
  let owner = null, leaving = 0;
  const hide = () => { tip.hidden = true; if (owner) owner.removeAttribute("aria-describedby"); owner = null; };
  const show = (target) => {
    clearTimeout(leaving);
    if (owner === target) return;
    hide();
    owner = target;
    tip.replaceChildren(byId(target.dataset.note).content.cloneNode(true));
    tip.hidden = false;
    target.setAttribute("aria-describedby", "tip");
    const at = target.getBoundingClientRect(), box = tip.getBoundingClientRect();
    const below = at.bottom + box.height + 12 < innerHeight || at.top < box.height + 12;
    tip.style.top = `${scrollY + (below ? at.bottom + 4 : at.top - box.height - 4)}px`;
    const start = Math.max(8, Math.min(at.left + 40, document.documentElement.clientWidth - box.width - 8));
    tip.style.left = `${scrollX + start}px`;
  };
  const open = (target) => {
    const note = byId(target.dataset.note), page = byId(`worked-${note.dataset.page}`);
    hide();
    byId("detail-title").textContent = note.dataset.title;
    byId("detail-body").replaceChildren(note.content.cloneNode(true), ...(page ? [page.content.cloneNode(true)] : []));
    detail.showModal();
    detail.scrollTop = 0;
  };
  const hit = (event) => event.target.closest?.("[data-note]");
  const later = () => { clearTimeout(leaving); leaving = setTimeout(hide, 250); };
  document.addEventListener("pointerover", (event) => { const on = hit(event); if (on && on.matches(".hit")) show(on); else if (tip.contains(event.target)) clearTimeout(leaving); });
  document.addEventListener("pointerout", (event) => { if (hit(event) || tip.contains(event.target)) later(); });
  document.addEventListener("focusin", (event) => { const on = hit(event); if (on && on.matches(".hit:focus-visible")) show(on); else if (!tip.contains(event.target)) hide(); });
  document.addEventListener("click", (event) => { const on = hit(event); if (on) open(on); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
    const on = hit(event);
    if (on && on.matches(".hit") && (event.key === "Enter" || event.key === " ")) { event.preventDefault(); open(on); }
  });
})();
