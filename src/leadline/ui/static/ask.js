// Asking: question, where to look, how, at what price.

import { get, post } from "./api.js";
import { h, short } from "./dom.js";
import { budgetFields, budgetIn, choice, chosenSets, corporaOf, option, setsOf, tick } from "./fields.js";
import { refusal, w } from "./words.js";

// What was typed and not yet asked outlives a change of language, another page, and a key that expires.
const draft = { whose: "", text: "" };

export async function askPage({ me, query }) {
  const whose = `${me.tenant} ${me.name}`;
  const continued = query.get("continues");
  const again = query.has("again");
  const wanted = query.get("corpus");
  const [corpora, earlier] = await Promise.all([corporaOf(me), continued ? get(`/v1/research/${encodeURIComponent(continued)}`) : null]);
  const said = h("p", { class: "warning", role: "alert", id: "ask-fault" });
  const question = h("textarea", { id: "question", rows: 4, maxlength: 20000, required: true, dir: "auto", "data-first": true, "aria-describedby": "question-hint ask-fault", value: again && earlier ? earlier.question : draft.whose === whose ? draft.text : "" });
  const looked = again ? earlier : null;
  const web = tick("web", w("web"), looked ? looked.web : !wanted);
  const sets = setsOf(corpora, looked?.corpora ?? [wanted]);
  const preset = looked && me.strategies.includes(looked.strategy) ? looked.strategy : "auto";
  const hint = h("p", { class: "hint", id: "strategy-hint" }, w(`${preset}_hint`));
  const strategy = choice("strategy", w("strategy"), me.strategies.map((name) => option(name, w(name), preset)), {
    "aria-describedby": "strategy-hint", onchange: (event) => { hint.textContent = w(`${event.target.value}_hint`); },
  });
  const start = h("button", { type: "submit", class: "main" }, w("start"));
  const form = h("form", { class: "ask", novalidate: true },
    earlier && h("p", { class: "notice" }, w(again ? "again_notice" : "continues"), " ", h("a", { href: `#/run/${encodeURIComponent(earlier.id)}` }, h("bdi", {}, short(earlier.question, 120))), " · ", h("a", { href: "#/ask" }, w("forget_it"))),
    h("div", { class: "field" }, h("label", { for: "question", class: "unseen" }, w("question")), question, h("p", { class: "hint", id: "question-hint" }, w("question_hint"))),
    h("div", { class: "halves" },
      h("fieldset", {}, h("legend", {}, w("where")), web, me.model && tick("scholar", w("scholar"), !wanted), sets,
        corpora && !corpora.length && h("p", { class: "hint" }, w("corpora_none"), " ", h("a", { href: "#/documents" }, w("corpora_add")))),
      h("fieldset", {}, h("legend", {}, w("how")), strategy, hint,
        me.model && tick("approve", w("approve"), false))),
    h("details", { class: "more" }, h("summary", {}, w("more_options")),
      budgetFields(w("budget_hint")),
      h("div", { class: "quarters" },
        choice("length", w("length"), [option("short", w("short")), option("normal", w("normal"), "normal"), option("long", w("long"))]),
        choice("report-language", w("report_language"), [option("", w("as_question"), ""), option("en", "English"), option("zh", "中文")]),
        h("div", { class: "field" }, h("label", { for: "since" }, w("since")), h("input", { id: "since", type: "date" })),
        choice("priority", w("priority"), [me.first && option("5", w("goes_first")), option("0", w("goes_in_turn"), "0"), option("-5", w("goes_last"))])),
      h("div", { class: "field" }, h("label", { for: "urls" }, w("urls")), h("textarea", { id: "urls", rows: 2, spellcheck: "false", dir: "ltr" })),
      me.model && h("div", { class: "field" }, h("label", { for: "instructions" }, w("instructions")), h("textarea", { id: "instructions", rows: 2, maxlength: 8000, dir: "auto" }))),
    said, h("div", { class: "row" }, start));

  const fail = (text, field = question) => { said.textContent = text; field.focus(); };
  const chosen = (id) => form.querySelector(`#${id}`);
  const body = () => {
    const urls = chosen("urls").value.split(/\s+/u).filter(Boolean);
    const asked = {
      question: question.value.trim(), strategy: chosen("strategy").value, web: chosen("web").checked,
      corpora: chosenSets(form), urls, length: chosen("length").value,
      budget: budgetIn(form),
    };
    if (chosen("priority").value !== "0") asked.priority = Number(chosen("priority").value);
    if (chosen("scholar")) asked.scholar = chosen("scholar").checked;
    if (chosen("approve")?.checked) asked.approve = true;
    if (chosen("report-language").value) asked.language = chosen("report-language").value;
    if (chosen("since").value) asked.since = chosen("since").value;
    if (chosen("instructions")?.value.trim()) asked.instructions = chosen("instructions").value.trim();
    if (earlier) asked.continues = earlier.id;
    return asked;
  };
  let repeat = crypto.randomUUID();
  question.addEventListener("input", () => { draft.whose = whose; draft.text = question.value; });
  form.addEventListener("input", () => { repeat = crypto.randomUUID(); said.textContent = ""; });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const asked = body();
    if (!asked.question) { fail(w("question_missing")); return; }
    if (!(asked.web || asked.scholar || asked.corpora.length || asked.urls.length || earlier)) { fail(w("nowhere"), chosen("web")); return; }
    start.disabled = true;
    start.textContent = w("starting");
    try {
      const run = await post("/v1/research", asked, { headers: { "Idempotency-Key": repeat } });
      draft.text = "";
      location.hash = `#/run/${encodeURIComponent(run.id)}`;
    } catch (problem) {
      start.disabled = false;
      start.textContent = w("start");
      fail(refusal(problem));
    }
  });
  question.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  return { title: w("ask"), body: [h("h1", {}, w("ask_title")), form] };
}
