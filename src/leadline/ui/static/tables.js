// Tables that are cards on a phone, and the parts of a page they stand in.

import { h } from "./dom.js";

/** A table; with `cards` each row becomes a card on a phone, where its heads stand before its cells. */
export function table(label, heads, rows, { cards = false } = {}) {
  const made = h("table", { class: cards ? "cards" : null, "aria-label": label }, h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col", class: head.number ? "number" : null }, head.number ?? head)))), h("tbody", {}, rows));
  const told = { TABLE: "table", THEAD: "rowgroup", TBODY: "rowgroup", TR: "row", TD: "cell" };
  if (cards) for (const part of [made, ...made.querySelectorAll("thead, tbody, tr, td, th")]) part.setAttribute("role", told[part.tagName] ?? (part.scope === "col" ? "columnheader" : "rowheader"));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, made);
}

/** A cell that carries its head, for where rows are cards. */
export const cell = (head, ...body) => h("td", { "data-head": head, role: "cell" }, h("div", {}, body));

/** A part of a page under its heading. */
export const section = (title, ...body) => h("section", {}, h("h2", {}, title), body);
