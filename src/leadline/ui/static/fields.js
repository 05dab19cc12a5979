// Fields that several forms share: choices, ticks, sets of documents, a run's budget.

import { get } from "./api.js";
import { h, short } from "./dom.js";
import { w } from "./words.js";

const LIMITS = [["minutes", 1, "any"], ["steps", 1, "1"], ["tokens", 1000, "1"], ["usd", 0.01, "any"]];

export const option = (value, label, chosen) => h("option", { value, selected: value === chosen }, label);

/** A label over a control. */
export const field = (id, label, control, { look = "", hint = null } = {}) =>
  h("div", { class: `field ${look}` }, h("label", { for: id }, label), control, hint && h("p", { class: "hint", id: `${id}-hint` }, hint));

/** One of several, by name. */
export function choice(id, label, options, more = {}) {
  return field(id, label, h("select", { id, ...more }, options));
}

/** Yes or no. */
export function tick(id, label, checked, more = {}) {
  return h("label", { class: "tick", for: id }, h("input", { type: "checkbox", id, checked, ...more }), h("span", {}, label));
}

/** The tenant's sets of documents; `null` where there are none to be had. */
export async function corporaOf(me) {
  if (!me.offers.corpora || !me.may.includes("corpora:read")) return null;
  const found = await get("/v1/corpora?limit=200");
  return found.items ?? found;
}

/** A tick for each set of documents. */
export const setsOf = (corpora, chosen) =>
  (corpora ?? []).map((corpus, at) => tick(`corpus-${at}`, h("bdi", {}, short(corpus.name, 80)), chosen.includes(corpus.id), { name: "corpus", value: corpus.id }));

/** The ids of the sets that are ticked. */
export const chosenSets = (form) => [...form.querySelectorAll("input[name=corpus]:checked")].map((box) => box.value);

/** The limits of a run. */
export function budgetFields(hint) {
  const limits = LIMITS.map(([name, min, step]) => field(name, w(name), h("input", { id: name, type: "number", min, step, inputmode: "decimal", placeholder: w("as_set") }), { look: "small" }));
  return h("fieldset", { class: "budget" }, h("legend", {}, w("budget")), h("div", { class: "quarters" }, limits), h("p", { class: "hint" }, hint));
}

/** What was filled into `budgetFields`, as a request has it. */
export function budgetIn(form) {
  const number = (id, scale = 1) => {
    const { value } = form.querySelector(`#${id}`);
    return value ? Number(value) * scale : null;
  };
  return { steps: number("steps"), tokens: number("tokens"), seconds: number("minutes", 60), usd: number("usd") };
}
