// What a run that waits asks of a person: a plan to be approved or changed, or a question back.

import { fill, h } from "./dom.js";
import { w } from "./words.js";

const MOST = 8;

/** A form for what the run asks; `reply` gets the answer. */
export function asking(run, reply, cancel) {
  return run.asks.for === "plan" ? planForm(run.asks.plan, reply, cancel) : questionForm(run.asks.question, reply, cancel);
}

function planForm(given, reply, cancel) {
  const list = h("ol", { class: "steps" });
  const more = h("button", { type: "button", onclick: () => { steps.push(""); draw(steps.length - 1); } }, w("add_step"));
  const steps = [...given];
  const draw = (focus = null) => {
    fill(list, steps.map((step, at) => {
      const field = h("textarea", { rows: 2, maxlength: 400, dir: "auto", "aria-label": w("sub_question", at + 1), oninput: (event) => { steps[at] = event.target.value; } });
      field.value = step;
      return h("li", {}, h("div", { class: "row" }, field, h("button", { type: "button", disabled: steps.length < 2, "aria-label": `${w("remove")}: ${w("sub_question", at + 1)}`, onclick: () => { steps.splice(at, 1); draw(Math.min(at, steps.length - 1)); } }, w("remove"))));
    }));
    more.disabled = steps.length >= MOST;
    if (focus !== null) list.querySelectorAll("textarea")[focus]?.focus();
  };
  const send = (event) => {
    event.preventDefault();
    const plan = steps.map((step) => step.trim()).filter(Boolean);
    if (plan.length) reply(plan.length === given.length && plan.every((step, at) => step === given[at]) ? { approve: true } : { plan });
  };
  draw();
  return h("form", { class: "asks", onsubmit: send, "aria-labelledby": "asks-title" },
    h("h2", { id: "asks-title" }, w("waits_plan")), h("p", { class: "quiet" }, w("waits_plan_hint")), list,
    h("div", { class: "row wrap" }, h("button", { type: "submit", class: "main" }, w("go")), more, h("button", { type: "button", onclick: cancel }, w("reject"))));
}

function questionForm(question, reply, cancel) {
  const field = h("textarea", { id: "asked-back", rows: 2, maxlength: 4000, dir: "auto" });
  return h("form", { class: "asks", onsubmit: (event) => { event.preventDefault(); reply({ answer: field.value.trim() }); }, "aria-labelledby": "asks-title" },
    h("h2", { id: "asks-title" }, w("waits_question")),
    h("label", { for: "asked-back", dir: "auto" }, question), field,
    h("div", { class: "row wrap" }, h("button", { type: "submit", class: "main" }, w("answer_it")), h("button", { type: "button", onclick: cancel }, w("cancel_run"))));
}
