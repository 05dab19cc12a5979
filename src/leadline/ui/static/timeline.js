// The timeline of a run: its journal as it comes, told to people. It is drawn anew from the first event after
// a reload; a connection that breaks goes on behind the last event that was seen.

import { add, fill, h, short, visible } from "./dom.js";
import { clock, dollars, duration, has, number, w } from "./words.js";

const TYPES = ["run_started", "run_waiting", "plan_made", "model_asked", "model_answered", "tool_asked", "tool_answered", "source_stored", "context_folded", "flag_seen", "claim_checked", "run_handed_over", "run_resumed", "run_finished"];
const MOST_HITS = 5;
const LONG = 420;
const REFUSED_MS = 4000;
const INTERRUPTED = "interrupted"; // somebody asked for it: no fault (see domain/done.py)
const LAST = { done: "end", cancelled: "start" };

function host(uri) {
  try {
    const url = new URL(uri);
    if (url.protocol === "document:") return decodeURIComponent(url.pathname.replace(/^[^/]*\//, ""));
    return url.protocol.startsWith("http") ? url.host + (url.pathname === "/" ? "" : url.pathname) : uri;
  } catch { return uri; }
}

/** A text of a stranger: short, with the rest one step away. */
function words(text) {
  const whole = visible(String(text ?? "")).trim();
  if (!whole) return null;
  if ([...whole].length <= LONG) return h("p", { class: "said", dir: "auto" }, whole);
  return h("details", { class: "said" }, h("summary", { dir: "auto" }, short(whole, LONG), " ", h("span", { class: "link" }, w("whole"))), h("p", { dir: "auto" }, whole));
}

function some(items, draw) {
  const rest = items.length - MOST_HITS;
  return h("ul", {}, items.slice(0, MOST_HITS).map(draw), rest > 0 && h("li", { class: "quiet" }, w("e_more", rest)));
}

const hit = (one) => h("li", {}, h("bdi", {}, short(one.title || one.url || one.uri, 110)), " ", h("span", { class: "where" }, h("bdi", {}, short(host(one.uri ?? one.url ?? ""), 70))));

/** What a tool was asked, in a few words. */
function asked(event) {
  const given = event.arguments ?? {};
  const told = given.query ?? given.queries ?? given.url ?? given.urls ?? given.goal ?? "";
  const list = Array.isArray(told) ? told : [told];
  if (event.tool === "visit") return list.map((url) => short(host(String(url)), 60)).join(" · ");
  if (event.tool === "python" || event.tool === "PythonInterpreter") return "";
  // A name that is looked up stands for all that is asked of it (see telling/queries.py).
  const named = list.map((query) => /^("([^"]+)")(?: .*)?$/su.exec(query)).map((found, at) => (found && list.includes(found[1]) ? found[2] : list[at]));
  return [...new Set(named)].filter(Boolean).map((query) => `“${short(query, 90)}”`).join(" ") || short(JSON.stringify(given), 140);
}

function results(event) {
  const value = event.value ?? {};
  const hits = [...new Map((value.results ?? []).flatMap((result) => result.hits ?? []).map((one) => [one.uri ?? one.url, one])).values()];
  if (hits.length) return [h("p", { class: "quiet" }, w("e_hits", number(hits.length))), some(hits, hit)];
  if (value.pages?.length) return some(value.pages, (page) => h("li", {}, h("bdi", {}, short(page.title || page.url, 110)), " ", h("span", { class: "where" }, h("bdi", {}, short(host(page.url ?? ""), 70))), page.failure && h("span", { class: "warning" }, ` ${short(page.failure.message ?? page.failure, 120)}`)));
  const output = typeof value === "string" ? value : value.stdout ?? value.content ?? value.text ?? "";
  return words(output);
}

/** Builds the timeline and what was spent; `feed(event)` takes the journal's events in order. */
export class Timeline {
  constructor() {
    this.seen = 0;
    this.run = null;
    this.purposes = new Map();
    this.tools = new Map();
    this.sources = new Set();
    this.verdicts = new Map();
    this.checked = null;
    this.used = { searches: 0, calls: 0, tokens: 0, usd: 0 };
    this.budget = {};
    this.started = null;
    this.list = h("ol", { class: "timeline" });
    this.log = h("div", { role: "log", "aria-live": "off", "aria-label": w("timeline") }, this.list);
    this.typing = h("p", { class: "typing", hidden: true, "aria-hidden": "true", dir: "auto" });
    this.spend = h("dl", { class: "spend" });
    this.draft = "";
  }

  /** From now on what is added is told to screen readers; what was replayed is not. */
  goLive() { this.log.setAttribute("aria-live", "polite"); }

  entry(kind, at, title, ...more) {
    const made = h("li", { class: kind }, h("div", { class: "head" }, h("span", { class: "title" }, title), h("time", { datetime: new Date(at * 1000).toISOString() }, clock(at))), more);
    this.list.append(made);
    return made;
  }

  feed(event) {
    if (event.seq <= this.seen) return;
    this.seen = event.seq;
    if (event.type !== "model_asked") this.progress(null);
    this[event.type]?.(event);
    this.drawSpend(event.at);
  }

  /** Live text of a model: never kept, and not read out. */
  progress(told) {
    if (told === null) this.draft = "";
    else if (told.kind !== "status") this.draft = (this.draft + told.text).slice(-2000);
    this.typing.hidden = !this.draft.trim();
    if (!this.typing.hidden) fill(this.typing, h("span", { class: "quiet" }, `${w("thinking")} · `), `…${short(this.draft.slice(-320), 320)}`);
  }

  run_started(event) {
    this.budget = event.options?.budget ?? {};
    this.started = event.at;
    this.entry("start", event.at, `${w("e_started")} · ${w(event.options?.strategy ?? "")}`);
  }

  plan_made(event) {
    this.entry("plan", event.at, w("e_plan"), h("ol", {}, event.plan.steps.map((step) => h("li", { dir: "auto" }, visible(step.text)))));
  }

  model_asked(event) { this.purposes.set(event.call, event.purpose); }

  model_answered(event) {
    this.count(event.usage);
    const purpose = this.purposes.get(event.call) ?? "";
    if (event.failure?.code === INTERRUPTED) return;
    if (event.failure) { this.entry("fault", event.at, w("e_model_failed"), words(event.failure.message)); return; }
    const { text = "", reasoning = "", tool_calls: calls = [] } = event.answer ?? {};
    if (purpose === "gather" || event.branch.startsWith("gather")) {
      const thought = reasoning || (calls.length ? text : "");
      if (thought.trim()) this.entry("thought", event.at, w("e_thought"), words(thought));
      if (!calls.length && /<answer>/u.test(text)) this.entry("start", event.at, w("e_answer"));
    } else if (purpose === "write" || purpose === "section" || purpose === "answer") {
      this.entry("write", event.at, w("e_write"), reasoning && words(reasoning));
    } else {
      this.entry("thought", event.at, w("e_call", purpose), reasoning && words(reasoning));
    }
  }

  tool_asked(event) {
    const key = event.tool === "google_scholar" ? "e_scholar" : `e_${event.tool}`;
    const name = has(key) ? w(key) : w("e_tool", short(event.tool, 40));
    const status = h("span", { class: "quiet under-way" }, w("e_working"));
    const made = this.entry(`tool ${has(key) ? event.tool : ""}`, event.at, [name, " ", h("span", { class: "quiet", dir: "auto" }, asked(event)), " ", status]);
    if (event.tool === "search" || event.tool === "scholar") this.used.searches += Array.isArray(event.arguments?.query) ? event.arguments.query.length : 1;
    this.tools.set(event.call, { made, status });
  }

  tool_answered(event) {
    this.count(event.usage);
    const kept = this.tools.get(event.call);
    if (!kept) return;
    kept.status.remove();
    if (event.failure?.code === INTERRUPTED) add(kept.made, h("p", { class: "quiet" }, w("e_stopped")));
    else if (event.failure) {
      kept.made.classList.add("fault");
      add(kept.made, h("p", { class: "warning", dir: "auto" }, `${w("e_failed")}: ${short(event.failure.message, 240)}`));
    } else add(kept.made, results(event));
  }

  source_stored(event) { this.sources.add(event.source.id); }

  context_folded(event) { this.entry("start", event.at, w("e_folded"), h("p", { class: "quiet" }, w("tokens_n", `${number(event.before)} → ${number(event.after)}`))); }

  flag_seen(event) { this.entry("start", event.at, w(`e_flag_${event.flag}`)); }

  claim_checked(event) {
    this.verdicts.set(event.claim, event.verdict);
    const counts = {};
    for (const verdict of this.verdicts.values()) counts[verdict] = (counts[verdict] ?? 0) + 1;
    if (!this.checked) {
      const title = h("span", {});
      const body = h("p", { class: "quiet" });
      this.checked = { title, body };
      this.entry("check", event.at, title, body);
    }
    this.checked.title.textContent = w("e_checked", this.verdicts.size);
    this.checked.body.textContent = Object.entries(counts).map(([verdict, count]) => `${w(verdict === "supported" ? "stands" : `k_${verdict}`)} ${number(count)}`).join(" · ");
  }

  run_waiting(event) { this.entry("start", event.at, w("e_waiting")); }

  run_handed_over(event) { this.entry("start", event.at, w("e_handed")); }

  run_resumed(event) { this.entry("start", event.at, w("e_resumed")); }

  run_finished(event) {
    const key = `r_${event.stop_reason}`;
    this.entry(LAST[event.state] ?? "fault", event.at, w("e_finished", has(key) ? w(key) : event.stop_reason), event.failure && words(event.failure.message));
    this.final = event.usage;
  }

  count(usage) {
    this.used.calls += usage?.model_calls ?? 0;
    this.used.tokens += (usage?.prompt_tokens ?? 0) + (usage?.completion_tokens ?? 0);
    this.used.usd += usage?.cost_usd ?? 0;
  }

  drawSpend(now) {
    const { budget, used, final } = this;
    const tokens = final ? final.prompt_tokens + final.completion_tokens : used.tokens;
    const seconds = final ? final.seconds : Math.max(0, now - (this.started ?? now));
    const usd = final ? final.cost_usd : used.usd;
    const told = (name, most) => (name === "seconds" ? duration(most) : name === "usd" ? dollars(most) : number(most));
    const one = (name, text, value, most) => h("div", {}, h("dt", {}, w(name)),
      h("dd", {}, text, most ? h("progress", { max: most, value: Math.min(value, most), "aria-label": `${w(name)}: ${w("of", text, told(name, most))}`, title: w("of", text, told(name, most)) }) : null));
    fill(this.spend,
      one("searches", number(used.searches)), one("pages", number(this.sources.size)), one("calls", number(used.calls)),
      one("tokens", number(tokens), tokens, budget.tokens), one("seconds", duration(seconds), seconds, budget.seconds),
      (usd > 0 || budget.usd) && one("usd", dollars(usd), usd, budget.usd));
  }
}

/** Follows a run from an event on; returns what ends it. While the page is hidden the stream is given back. */
export function follow(id, timeline, { onState, onLine, onRefused }) {
  let source = null;
  let over = false;
  const path = `/v1/research/${encodeURIComponent(id)}/events`;
  const open = () => {
    if (over || source) return;
    source = new EventSource(`${path}?after=${timeline.seen}`);
    source.onopen = () => onLine(true);
    source.onerror = () => {
      if (over) return;
      onLine(false);
      // Refused, and not merely broken: the browser does not come back by itself.
      if (source?.readyState === EventSource.CLOSED) { shut(); onRefused(); setTimeout(open, REFUSED_MS); }
    };
    for (const type of TYPES) {
      source.addEventListener(type, (message) => {
        const event = JSON.parse(message.data);
        timeline.feed(event);
        if (type === "run_finished") end();
        if (type.startsWith("run_")) onState(event);
      });
    }
    source.addEventListener("progress", (message) => timeline.progress(JSON.parse(message.data)));
  };
  const shut = () => { source?.close(); source = null; };
  const look = () => { if (document.hidden) shut(); else open(); };
  const end = () => { over = true; shut(); document.removeEventListener("visibilitychange", look); };
  document.addEventListener("visibilitychange", look);
  open();
  return end;
}
