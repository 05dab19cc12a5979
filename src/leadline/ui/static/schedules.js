// Questions that are asked again by themselves: listed with what came of them, made, paused, asked at once, deleted.

import { ask, get, post, remove } from "./api.js";
import { announce, fill, h, short, sure } from "./dom.js";
import { scheduleForm } from "./schedule_form.js";
import { chip } from "./runs.js";
import { has, moment, refusal, w, zone } from "./words.js";

const SOON = 4000;
const RARELY = 30_000;
const LATE = 120_000;
const UNDER_WAY = new Set(["queued", "running", "waiting"]);
const STEP = /^every (\d{1,2}) (minutes|hours)$/iu;
const DAY = /^every (\w+)(?: at)? (\d{1,2}:\d\d)$/iu;
const FIRST = /^every month on the 1(?:st)?(?: at)? (\d{1,2}:\d\d)$/iu;

const pathOf = (schedule) => `/v1/schedules/${encodeURIComponent(schedule.id)}`;

/** What a schedule is called, where it has a name of its own; else its question stands for it. */
const named = (schedule) => !schedule.question.trim().replace(/\s+/gu, " ").startsWith(schedule.name.replace(/…$/u, ""));

/** A rule in the reader's words; one that has none stays as it is written. */
function ruleOf(when) {
  const first = FIRST.exec(when);
  if (first) return w("schedule_at", w("every_month"), first[1]);
  const step = STEP.exec(when);
  if (step) return w(`every_n_${step[2].toLowerCase()}`, step[1]);
  const day = DAY.exec(when);
  const key = `every_${(day?.[1] ?? "").toLowerCase()}`;
  return day && has(key) ? w("schedule_at", w(key), day[2]) : when;
}

const sameZone = (name) => name === zone() || (/^(?:etc\/)?utc$/iu.test(name) && /^(?:etc\/)?utc$/iu.test(zone()));

function next(schedule) {
  const reason = schedule.reason && h("span", { class: "warning", dir: "auto" }, " ", short(schedule.reason, 300));
  if (!schedule.next_at) return [h("span", { class: "chip" }, w("schedule_paused")), reason];
  const late = new Date(schedule.next_at).getTime() < Date.now() - LATE;
  if (late || reason) return [h("span", { class: "warning" }, w("schedule_late", moment(schedule.next_at))), reason];
  return sameZone(schedule.zone) ? moment(schedule.next_at) : w("schedule_yours", moment(schedule.next_at));
}

function last(schedule) {
  if (!schedule.last_run) return w("schedule_never");
  const at = moment(schedule.last_at);
  if (!schedule.last_state) return `${at} · ${w("schedule_gone")}`;
  const link = h("a", { href: `#/run/${encodeURIComponent(schedule.last_run)}` }, w(schedule.last_state === "done" ? "schedule_read" : "schedule_look", at));
  return [chip(schedule.last_state), " ", link];
}

export async function schedulesPage({ me, query }) {
  const title = w("schedules");
  if (!me.offers.schedules) return { title, body: [h("h1", {}, title), h("p", { class: "quiet" }, w("schedules_not_offered"))] };
  const page = new SchedulesPage(me);
  const wanted = query.get("run");
  const earlier = wanted ? await get(`/v1/research/${encodeURIComponent(wanted)}`) : null;
  await page.load();
  const form = page.may && await scheduleForm({ me, earlier, open: Boolean(earlier) || !page.drawn.length, made: (schedule) => page.made(schedule) });
  return {
    title,
    leave: () => page.leave(),
    body: [h("h1", {}, title), h("p", { class: "quiet" }, w("schedules_lead")), earlier && form, page.said, page.none, page.list, !earlier && form],
  };
}

class SchedulesPage {
  constructor(me) {
    this.me = me;
    this.may = me.may.includes("schedules:write");
    this.drawn = [];
    this.timer = null;
    this.left = false;
    this.said = h("p", { class: "warning", role: "alert" });
    this.none = h("p", { class: "quiet", hidden: true }, w(this.may ? "schedules_none" : "schedules_none_reader"));
    this.list = h("ul", { class: "schedules" });
  }

  leave() {
    this.left = true;
    clearTimeout(this.timer);
  }

  /** Reads the list and draws it where it changed; looks again, sooner while something is under way. */
  async load() {
    clearTimeout(this.timer);
    const found = await get("/v1/schedules");
    if (this.left) return;
    if (JSON.stringify(found) !== JSON.stringify(this.drawn)) this.draw(found);
    this.none.hidden = found.length > 0;
    this.timer = setTimeout(() => this.again(), found.some(SchedulesPage.moves) ? SOON : RARELY);
  }

  static moves(schedule) {
    const soon = schedule.next_at && Math.abs(new Date(schedule.next_at).getTime() - Date.now()) < RARELY;
    return soon || UNDER_WAY.has(schedule.last_state);
  }

  again() {
    // A dialog leads back to the button that opened it: what is under it stays while it is open.
    if (document.hidden || document.querySelector("dialog[open]")) { this.timer = setTimeout(() => this.again(), SOON); return; }
    this.load().catch(() => { this.timer = setTimeout(() => this.again(), RARELY); });
  }

  draw(found) {
    const focused = document.activeElement;
    const [id, deed] = [focused?.closest?.(".schedules > li")?.dataset.schedule, focused?.dataset?.deed];
    this.drawn = found;
    fill(this.list, found.map((schedule) => this.row(schedule)));
    if (deed) [...this.list.querySelectorAll("[data-deed]")].find((one) => one.dataset.deed === deed && one.closest("li").dataset.schedule === id)?.focus({ preventScroll: true });
  }

  row(schedule) {
    const fact = (head, ...body) => h("div", {}, h("dt", {}, head), h("dd", {}, body));
    const rule = ruleOf(schedule.when);
    return h("li", { "data-schedule": schedule.id },
      h("h2", { dir: "auto" }, named(schedule) ? short(schedule.name, 100) : short(schedule.question, 240)),
      named(schedule) && h("p", { dir: "auto" }, short(schedule.question, 400)),
      h("dl", { class: "facts" },
        fact(w("schedule_when"), h("bdi", {}, rule), !sameZone(schedule.zone) && h("span", { class: "quiet" }, ` · ${schedule.zone.replaceAll("_", " ")}`)),
        fact(w("schedule_next"), next(schedule)),
        fact(w("schedule_last"), last(schedule))),
      h("div", { class: "row wrap" }, this.buttons(schedule)));
  }

  buttons(schedule) {
    const button = (deed, key, look, call) => h("button", { type: "button", class: look, "data-deed": deed, "aria-label": `${w(key)}: ${short(schedule.name, 80)}`, onclick: (event) => this.attempt(event.currentTarget, call) }, w(key));
    return [
      this.me.may.includes("runs:start") && button("now", "schedule_now", "", () => this.now(schedule)),
      this.may && button("pause", schedule.next_at ? "schedule_pause" : "schedule_resume", "", () => this.pause(schedule)),
      this.may && button("delete", "delete_run", "quiet-danger", () => this.forget(schedule)),
    ];
  }

  async attempt(button, call) {
    this.said.textContent = "";
    button.disabled = true;
    try { await call(); } catch (problem) { this.said.textContent = refusal(problem); }
    if (button.isConnected) { button.disabled = false; button.focus({ preventScroll: true }); }
  }

  /** Asks as the schedule would, on the evidence of its last report; its own times stay as they are. */
  async now(schedule) {
    const continued = schedule.last_state === "done" ? { continues: schedule.last_run } : {};
    const run = await post("/v1/research", { question: schedule.question, ...schedule.options, ...continued }, { headers: { "Idempotency-Key": crypto.randomUUID() } });
    location.hash = `#/run/${encodeURIComponent(run.id)}`;
  }

  async pause(schedule) {
    const paused = Boolean(schedule.next_at);
    await ask("PATCH", pathOf(schedule), { body: { paused } });
    await this.load();
    announce(w(paused ? "schedule_paused_now" : "schedule_resumed_now", short(schedule.name, 80)));
    this.list.querySelector(`[data-schedule="${CSS.escape(schedule.id)}"] [data-deed=pause]`)?.focus({ preventScroll: true });
  }

  async forget(schedule) {
    if (!await sure(w("schedule_sure", short(schedule.name, 80)), w("yes_delete"), w("no"))) return;
    await remove(pathOf(schedule));
    await this.load();
    document.querySelector("main h1").focus({ preventScroll: true });
  }

  /** Shows a schedule that was just made, and leads to it. */
  async made(schedule) {
    await this.load();
    announce(w("schedule_made", moment(schedule.next_at)));
    const row = this.list.querySelector(`[data-schedule="${CSS.escape(schedule.id)}"]`);
    row?.querySelector("button")?.focus();
    row?.scrollIntoView({ block: "nearest" });
  }
}
