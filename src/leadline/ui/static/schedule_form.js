// The form of a new schedule: question, where to look, when and in whose time, at what price.

import { post } from "./api.js";
import { h, short } from "./dom.js";
import { budgetFields, budgetIn, choice, chosenSets, corporaOf, field, option, setsOf, tick } from "./fields.js";
import { refusal, w, zone } from "./words.js";

const OFTEN = ["day", "weekday", "weekend", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "month", "own"];

/** All zones that this browser knows, whoever looks having theirs among them. */
function zones(own) {
  const known = typeof Intl.supportedValuesOf === "function" ? Intl.supportedValuesOf("timeZone") : [];
  return [...new Set([own, "UTC", ...known])].sort();
}

function rule(often, time, own) {
  if (often === "own") return own.trim();
  if (!time) return "";
  const named = often[0].toUpperCase() + often.slice(1);
  return often === "month" ? `every month on the 1 ${time}` : `every ${["day", "weekday", "weekend"].includes(often) ? often : named} ${time}`;
}

/** Returns the form; `made` hears of the schedule that it made. `earlier` is a run whose question is to be asked again. */
export async function scheduleForm({ me, earlier, open, made }) {
  const corpora = await corporaOf(me);
  const said = h("p", { class: "warning", role: "alert", id: "schedule-fault" });
  const question = h("textarea", { id: "question", rows: 2, maxlength: 20000, required: true, dir: "auto", "aria-describedby": "question-hint schedule-fault", value: earlier?.question ?? "" });
  const name = h("input", { id: "schedule-name", maxlength: 100, "aria-describedby": "schedule-name-hint" });
  const time = h("input", { id: "schedule-time", type: "time", value: "08:00", required: true });
  const own = h("input", { id: "schedule-rule", maxlength: 100, spellcheck: "false", dir: "ltr", "aria-describedby": "schedule-rule-hint" });
  const clockField = field("schedule-time", w("schedule_clock"), time);
  const ownField = field("schedule-rule", w("schedule_rule"), own, { hint: w("schedule_rule_hint") });
  ownField.hidden = true;
  const often = h("select", { id: "schedule-often", onchange: () => {
    ownField.hidden = often.value !== "own";
    clockField.hidden = often.value === "own";
  } }, OFTEN.map((one) => option(one, w(`every_${one}`), "monday")));
  const mine = zone();
  const whose = h("select", { id: "schedule-zone" }, zones(mine).map((one) => option(one, one.replaceAll("_", " "), mine)));
  const web = tick("web", w("web"), earlier ? earlier.web : true);
  const preset = earlier && me.strategies.includes(earlier.strategy) ? earlier.strategy : "auto";
  const make = h("button", { type: "submit", class: "main" }, w("schedule_make"));
  const form = h("form", { novalidate: true },
    earlier && h("p", { class: "notice" }, w("schedule_goes_on"), " ", h("a", { href: `#/run/${encodeURIComponent(earlier.id)}` }, h("bdi", {}, short(earlier.question, 120)))),
    field("question", w("question"), question, { hint: w("schedule_question_hint") }),
    h("div", { class: "halves" },
      h("fieldset", {}, h("legend", {}, w("where")), web, setsOf(corpora, earlier?.corpora ?? []),
        corpora && !corpora.length && h("p", { class: "hint" }, w("corpora_none"), " ", h("a", { href: "#/documents" }, w("corpora_add")))),
      h("fieldset", {}, h("legend", {}, w("schedule_when")),
        h("div", { class: "when" }, field("schedule-often", w("schedule_often"), often), clockField),
        ownField, field("schedule-zone", w("schedule_zone"), whose))),
    h("details", { class: "more" }, h("summary", {}, w("schedule_more")),
      budgetFields(w("schedule_budget_hint")),
      h("div", { class: "two" },
        field("schedule-name", w("schedule_name"), name, { hint: w("schedule_name_hint") }),
        choice("strategy", w("strategy"), me.strategies.map((one) => option(one, w(one), preset))))),
    said, h("div", { class: "row" }, make));
  const box = h("details", { class: "more", open }, h("summary", {}, h("h2", {}, w("schedule_new"))), form);

  const fail = (text, at) => { said.textContent = text; at.focus(); };
  const body = () => ({
    name: short(name.value || question.value, 80),
    question: question.value.trim(),
    when: rule(often.value, time.value, own.value),
    zone: whose.value,
    web: form.querySelector("#web").checked,
    corpora: chosenSets(form),
    strategy: form.querySelector("#strategy").value,
    budget: Object.fromEntries(Object.entries(budgetIn(form)).filter(([, value]) => value !== null)),
    ...(earlier ? { continues: earlier.id } : {}),
  });
  form.addEventListener("input", () => { said.textContent = ""; });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const asked = body();
    if (!asked.question) { fail(w("question_missing"), question); return; }
    if (!asked.when) { fail(w("schedule_rule_missing"), often.value === "own" ? own : time); return; }
    if (!asked.web && !asked.corpora.length) { fail(w("nowhere_set"), form.querySelector("#web")); return; }
    make.disabled = true;
    try {
      const schedule = await post("/v1/schedules", asked);
      form.reset();
      often.dispatchEvent(new Event("change"));
      box.open = false;
      await made(schedule);
    } catch (problem) { fail(refusal(problem), often.value === "own" ? own : question); }
    make.disabled = false;
  });
  return h("div", { class: "ask" }, box);
}
