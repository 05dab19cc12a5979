"use strict";
(() => {
  const panel = document.getElementById("panel");
  if (!panel || !panel.showModal) return;
  const [name, place, about, body] = ["name", "place", "about", "text"].map((part) =>
    document.getElementById(`panel-${part}`));
  const evidence = document.getElementById("evidence");
  const wide = window.matchMedia("(min-width: 80rem)");
  const links = document.querySelectorAll("a.cite");
  let opener = null;

  const cut = () => {
    const sign = document.createElement("span");
    sign.className = "cut";
    sign.textContent = "[…]";
    return sign;
  };

  // Shows one quotation of a context that several may share: its own stretch of it, itself marked.
  const fill = (at) => {
    const pre = at.closest("pre");
    const whole = pre.textContent;
    const [low, start, end, high, before, after] = at.dataset.cut.split(" ").map(Number);
    const mark = document.createElement("mark");
    mark.tabIndex = -1;
    mark.textContent = whole.slice(start, end);
    const parts = [whole.slice(low, start), mark, whole.slice(end, high)];
    if (before) parts.unshift(cut());
    if (after) parts.push(cut());
    body.replaceChildren(...parts);
    body.lang = pre.lang;
    body.dir = "auto";
    const article = at.closest("article");
    name.textContent = `${at.dataset.n} · ${article.querySelector("h3").textContent}`;
    place.textContent = at.dataset.place;
    place.hidden = !at.dataset.place;
    about.replaceChildren(...article.querySelector(".about").cloneNode(true).childNodes);
    return mark;
  };

  const open = (link) => {
    const at = document.getElementById(link.hash.slice(1));
    if (!at) return false;
    const mark = fill(at);
    if (opener) opener.setAttribute("aria-expanded", "false");
    opener = link;
    link.setAttribute("aria-expanded", "true");
    if (!panel.open && wide.matches) panel.show();
    else if (!panel.open) panel.showModal();
    document.body.classList.toggle("reading", wide.matches);
    mark.focus({ preventScroll: true });
    const tall = mark.getBoundingClientRect().height > body.clientHeight;
    mark.scrollIntoView({ block: tall ? "start" : "center" });
    return true;
  };

  for (const link of links) {
    link.setAttribute("aria-haspopup", "dialog");
    link.setAttribute("aria-controls", "panel");
    link.setAttribute("aria-expanded", "false");
  }
  document.addEventListener("click", (event) => {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const link = event.target.closest("a.cite");
    if (link && open(link)) event.preventDefault();
  });
  document.getElementById("panel-close").addEventListener("click", () => panel.close());
  // A dialog beside the report is not modal: browsers leave its Escape to the page.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && panel.open) panel.close();
  });
  panel.addEventListener("close", () => {
    document.body.classList.remove("reading");
    if (!opener) return;
    opener.setAttribute("aria-expanded", "false");
    opener.focus();
    opener = null;
  });
  // With the panel at hand the contexts need not fill the page; a link into them still opens them.
  if (evidence && !location.hash.startsWith("#e")) evidence.open = false;
})();
