// One run: what it asks of a person, its report beside the evidence, how it came about.

import { get, ownRun, post, remove } from "./api.js";
import { announce, fill, h, sure } from "./dom.js";
import { exportMenu } from "./export.js";
import { asked, report } from "./report.js";
import { chip, stateWord } from "./runs.js";
import { shareDialog } from "./sharing.js";
import { follow, Timeline } from "./timeline.js";
import { asking } from "./waiting.js";
import { dollars, duration, has, language, moment, number, refusal, w } from "./words.js";

const ENDED = new Set(["done", "failed", "cancelled"]);
const AGAIN = 4000;

export async function runPage({ me, parts }) {
  const id = parts[0] ?? "";
  const path = `/v1/research/${encodeURIComponent(id)}`;
  const page = new RunPage(me, path, await get(path));
  await page.begin();
  return page.made();
}

class RunPage {
  constructor(me, path, run) {
    this.me = me;
    this.path = path;
    this.run = run;
    this.drawn = null;
    this.stop = () => {};
    this.left = false;
    this.timeline = new Timeline();
    this.state = h("p", { class: "where" });
    this.actions = h("div", { class: "row wrap actions" });
    this.asks = h("div", {});
    this.said = h("p", { class: "warning", role: "alert" });
    this.place = h("div", {});
    this.beside = h("div", { class: "side" });
    this.line = h("p", { class: "notice", role: "status", hidden: true }, w("broken"));
    const { log, typing, spend } = this.timeline;
    this.live = h("span", { class: "live", hidden: true }, w("live"));
    this.how = h("details", { class: "how" }, h("summary", {}, h("h2", {}, w("timeline")), " ", this.live), spend, this.line, log, typing);
  }

  async begin() {
    this.drawState();
    await this.drawReport();
    this.how.open = !this.run.has_report;
    this.follow();
  }

  made() {
    return {
      title: this.run.question.slice(0, 80),
      wide: true,
      leave: () => { this.left = true; this.stop(); this.drawn?.leave(); },
      body: h("div", { class: "columns" },
        h("div", { class: "first" },
          asked(this.run.question), this.state, this.actions, this.said, this.asks, this.place, this.how),
        this.beside),
    };
  }

  follow() {
    const replayed = this.run.last_event;
    if (ENDED.has(this.run.state) === false && !replayed) this.timeline.goLive();
    this.stop = follow(this.run.id, this.timeline, {
      onLine: (up) => { this.line.hidden = up !== false; },
      onRefused: () => this.refused(),
      onState: (event) => { if (event.seq > this.run.last_event || ENDED.has(event.state)) this.look(event); },
    });
    if (ENDED.has(this.run.state)) return;
    // What was there before this page is not read out; what comes from now on is.
    const live = new MutationObserver(() => { if (this.timeline.seen >= replayed) { this.timeline.goLive(); live.disconnect(); } });
    live.observe(this.timeline.list, { childList: true });
  }

  /** Looks at the run again once its journal says that something changed. */
  async look(event = null) {
    const before = this.run;
    try { this.run = await get(this.path); } catch (problem) {
      if (problem.status === 401 || problem.status === 404) this.refused(problem);
      else if (!this.left) setTimeout(() => { if (!this.left) this.look(event); }, AGAIN);
      return;
    }
    if (event && ENDED.has(event.state) && before.state === this.run.state && before.has_report === this.run.has_report) return;
    this.drawState();
    if (this.run.state !== before.state) announce(stateWord(this.run.state));
    await this.drawOutcome();
  }

  /** The stream is refused: it comes back by itself, unless the run is gone; who is signed out is told by the frame. */
  async refused(known = null) {
    const problem = known ?? await get(this.path).then(() => null, (found) => found);
    if (problem?.status !== 404) return;
    this.stop();
    this.line.hidden = true;
    fill(this.actions);
    this.said.textContent = w("gone");
  }

  /** Shows what a run came to once it has ended: its report in the place of its making, or that there is none. */
  async drawOutcome() {
    if (this.drawn) return;
    await this.drawReport();
    if (this.drawn) this.how.open = false;
  }

  drawState() {
    const { run } = this;
    const why = run.stop_reason && run.stop_reason !== "answered" && run.stop_reason !== run.state ? ` · ${has(`r_${run.stop_reason}`) ? w(`r_${run.stop_reason}`) : run.stop_reason}` : "";
    const used = run.usage;
    const spent = ENDED.has(run.state) && used.seconds ? [` · ${duration(used.seconds)}`, used.model_calls ? ` · ${w("tokens_n", number(used.prompt_tokens + used.completion_tokens))}` : "", used.cost_usd ? ` · ${dollars(used.cost_usd)}` : ""] : [];
    fill(this.state, chip(run.state), ` ${moment(run.created_at)} · ${w(run.strategy)}`, spent, why,
      run.continues && [" · ", h("a", { href: `#/run/${encodeURIComponent(run.continues)}` }, w("continued"))]);
    this.live.hidden = run.state !== "running";
    if (run.failure) this.said.textContent = run.failure.message;
    fill(this.actions, this.buttons());
    const wanted = run.state === "waiting" && run.asks && this.me.may.includes("runs:steer");
    fill(this.asks, wanted ? asking(run, (reply) => this.steer("approve", reply), () => this.cancel()) : null);
  }

  buttons() {
    const { run, me } = this;
    const button = (label, call, look = "") => h("button", { type: "button", class: look, onclick: call }, label);
    if (!ENDED.has(run.state)) {
      if (!me.may.includes("runs:steer")) return [];
      if (run.flag) return h("p", { class: "notice", role: "status" }, w(run.flag === "finish" ? "finishing" : "cancelling"));
      return [
        run.state === "running" && button(w("finish"), () => this.steer("finish"), "main"),
        run.state !== "waiting" && button(w("cancel_run"), () => this.cancel()),
      ];
    }
    return [
      run.has_report && me.may.includes("runs:start") && h("a", { class: "button main", href: `#/ask?continues=${encodeURIComponent(run.id)}` }, w("continue_run")),
      run.has_report && me.may.includes("runs:start") && h("a", { class: "button", href: `#/ask?continues=${encodeURIComponent(run.id)}&again=1`, title: w("again_hint") }, w("again")),
      run.has_report && me.offers.schedules && me.may.includes("schedules:write") && h("a", { class: "button", href: `#/schedules?run=${encodeURIComponent(run.id)}`, title: w("schedule_again_hint") }, w("schedule_again")),
      run.has_report && exportMenu(ownRun(run.id), run.id),
      run.has_report && me.may.includes("runs:share") && button(w("share"), () => shareDialog(run)),
      me.may.includes("runs:delete") && button(w("delete_run"), () => this.forget(), "quiet-danger"),
    ];
  }

  async drawReport() {
    if (!this.run.has_report) {
      if (ENDED.has(this.run.state)) fill(this.place, h("p", { class: "quiet" }, w("no_report")));
      return;
    }
    const source = ownRun(this.run.id);
    this.drawn = report(source, await source.view(language()));
    fill(this.place, this.drawn.body);
    this.beside.replaceWith(this.drawn.beside);
    this.beside = this.drawn.beside;
  }

  async steer(verb, body) {
    this.said.textContent = "";
    try {
      this.run = { ...this.run, ...await post(`${this.path}/${verb}`, body) };
      this.drawState();
      if (this.run.flag) announce(w(this.run.flag === "finish" ? "finishing" : "cancelling"));
      await this.drawOutcome();
    } catch (problem) { this.said.textContent = refusal(problem); }
  }

  async cancel() {
    if (await sure(w("sure_cancel"), w("yes_cancel"), w("no"))) await this.steer("cancel");
  }

  async forget() {
    if (!await sure(w("sure_delete"), w("yes_delete"), w("no"))) return;
    try {
      await remove(this.path);
      location.hash = "#/runs";
    } catch (problem) { this.said.textContent = refusal(problem); }
  }
}
