// Administration: health and queue, keys, usage, who did what; each part for whoever may see it.

import { get, post, remove } from "./api.js";
import { checkName, deed } from "./deeds.js";
import { add, fill, h, short, sure } from "./dom.js";
import { providerKeys } from "./provider_keys.js";
import { once } from "./sharing.js";
import { cell, section, table } from "./tables.js";
import { dollars, duration, has, moment, number, refusal, w } from "./words.js";

const ROLES = ["reader", "researcher", "admin"];
const roleWord = (role) => w(role === "admin" ? "role_admin" : role);

export async function adminPage({ me }) {
  const parts = [["diagnostics:read", health], ["keys:manage", keys], ["secrets:manage", providerKeys], ["usage:read", usage], ["audit:read", audit]].filter(([action, draw]) => me.may.includes(action) && (draw !== providerKeys || me.secrets.length));
  // One part that fails must not take the others with it.
  const names = new Map();
  if (me.may.includes("keys:manage")) for (const key of await get("/v1/keys").catch(() => [])) names.set(key.id, key.name);
  const found = await Promise.allSettled(parts.map(([, draw]) => draw(me, names)));
  if (found.every(({ reason }) => reason?.code === "away")) throw found[0].reason;
  const drawn = found.map(({ value, reason }) => value ?? h("p", { class: "warning", role: "alert" }, refusal(reason)));
  const title = me.may.includes("keys:manage") ? w("admin_title") : w("usage");
  return { title, body: [h("h1", {}, title), drawn] };
}

// --- health

async function health(me) {
  const place = h("div", { "aria-live": "polite" });
  const draw = async () => {
    const [found, checks] = await Promise.all([get("/ui/status"), me.offers.diagnostics ? get("/v1/diagnostics").catch(() => null) : null]);
    fill(place, queueOf(found.queue), serversOf(found, me), checks?.checks && checksOf(checks));
  };
  await draw();
  return section(w("health"), place, h("p", {}, h("button", { type: "button", onclick: () => draw().catch((problem) => add(place, h("p", { class: "warning" }, refusal(problem)))) }, w("refresh"))));
}

function queueOf(queue) {
  const row = (label, depth) => h("tr", {}, h("th", { scope: "row" }, label, depth.oldest === null ? null : h("span", { class: "where under" }, w("oldest", duration(depth.oldest)))), [depth.queued, depth.running, depth.waiting].map((count) => h("td", { class: "number" }, number(count))));
  return [h("h3", {}, w("queue")), table(w("queue"), [h("span", { class: "unseen" }, w("whose")), { number: w("queued") }, { number: w("running") }, { number: w("for_person") }], [row(w("own_runs"), queue.own), row(w("all_runs"), queue.all)])];
}

function serversOf(found, me) {
  const servers = found.models.flatMap((pool) => pool.servers.map((server) => ({ role: pool.role, ...server })));
  const line = (server) => h("li", {}, h("span", { class: `chip ${server.healthy ? "done" : "failed"}` }, w(server.healthy ? "healthy" : "unhealthy")), " ",
    [w("server_n", server.role, server.number), w("in_flight", server.in_flight), server.first_token ? w("first_token", number(server.first_token, 2)) : "", server.retry_in ? w("retry_in", duration(server.retry_in)) : ""].filter(Boolean).join(" · "));
  return [h("h3", {}, w("providers")),
    h("ul", { class: "plainly" }, servers.map(line), servers.length ? null : h("li", { class: "quiet" }, w(me.model ? "not_asked" : "no_model")), h("li", {}, w("search_by", found.search.join(", ") || "–")))];
}

function checksOf({ checks, note }) {
  const good = new Set(["healthy", "ok", "pass"]);
  const all = Object.entries(checks).filter(([, check]) => check?.status);
  const look = (status) => (good.has(status) ? "done" : status === "off" ? "off" : status === "degraded" ? "waiting" : "failed");
  const line = ([name, { status, latency_ms: slow, error: cause }]) => h("li", {}, h("span", { class: `chip ${look(status)}` }, has(`s_${status}`) ? w(`s_${status}`) : short(status, 40)), " ", checkName(name), slow ? h("span", { class: "where" }, ` ${number(slow)} ms`) : null, cause ? h("span", { class: "where under" }, short(cause, 200)) : null);
  const troubled = all.filter(([, { status }]) => look(status) === "waiting" || look(status) === "failed");
  const told = troubled.length ? w("checks_troubled", troubled.length, all.length) : w("checks_fine");
  return [h("h3", {}, w("checks")), h("p", { class: troubled.length ? "" : "quiet" }, told), troubled.length ? h("ul", { class: "plainly" }, troubled.map(line)) : null, troubled.length && note ? h("p", { class: "quiet" }, w("checks_outline")) : null,
    h("details", {}, h("summary", {}, w("checks_all")), h("ul", { class: "grid" }, all.map(line)))];
}

// --- keys

async function keys(me, names) {
  const said = h("p", { class: "warning", role: "alert" });
  const made = h("div", { "aria-live": "polite" });
  const place = h("div", {});
  const attempt = async (call) => {
    said.textContent = "";
    try { await call(); } catch (problem) { said.textContent = refusal(problem); }
  };
  const show = (found) => fill(made, h("div", { class: "notice" }, h("p", {}, w("key_once")), once(w("key"), found.credential)));
  const draw = async () => {
    const found = await get("/v1/keys");
    for (const key of found) names.set(key.id, key.name);
    fill(place, found.length ? table(w("keys"), [w("name"), w("role"), w("state"), w("last_used"), h("span", { class: "unseen" }, w("what"))], found.map(row), { cards: true }) : h("p", { class: "quiet" }, w("no_keys")));
  };
  const row = (key) => {
    const past = key.expires_at && new Date(key.expires_at) < new Date();
    const state = key.revoked_at ? "revoked" : past ? "expired" : "valid";
    const path = `/v1/keys/${encodeURIComponent(key.id)}`;
    return h("tr", {},
      h("th", { scope: "row" }, h("bdi", {}, short(key.name, 60))), cell(w("role"), roleWord(key.role)),
      cell(w("state"), h("span", { class: `chip ${state === "valid" ? "done" : "cancelled"}` }, w(state)), key.expires_at && state === "valid" ? h("span", { class: "where" }, ` ${w("until", moment(key.expires_at, { day: true }))}`) : null),
      cell(w("last_used"), key.last_used_at ? moment(key.last_used_at) : w("never_used")),
      h("td", { class: "buttons" }, state === "valid" && [
        h("button", { type: "button", class: "plain", "aria-label": `${w("rotate")}: ${key.name}`, onclick: () => attempt(async () => { show(await post(`${path}/rotate`, {})); await draw(); }) }, w("rotate")),
        h("button", { type: "button", class: "plain", "aria-label": `${w("revoke")}: ${key.name}`, onclick: () => attempt(async () => {
          if (await sure(w("sure_revoke", short(key.name, 60)), w("yes_revoke"), w("no"))) { await remove(path); await draw(); }
        }) }, w("revoke")),
      ]));
  };
  const name = h("input", { id: "key-name", maxlength: 100, required: true });
  const role = h("select", { id: "key-role" }, ROLES.map((one) => h("option", { value: one, selected: one === "researcher" }, roleWord(one))));
  const days = h("select", { id: "key-days" }, h("option", { value: "" }, w("never")), [7, 30, 90, 365].map((count) => h("option", { value: count, selected: count === 90 }, w("in_days", count))));
  const make = (event) => {
    event.preventDefault();
    if (!name.value.trim()) { said.textContent = w("key_name_missing"); name.focus(); return; }
    attempt(async () => {
      show(await post("/v1/keys", { name: name.value.trim(), role: role.value, ...(days.value ? { expires_in_days: Number(days.value) } : {}) }));
      name.value = "";
      await draw();
    });
  };
  await draw();
  const field = (id, label, control, grow = "") => h("div", { class: `field ${grow}` }, h("label", { for: id }, label), control);
  return section(w("keys"), place,
    h("form", { class: "row wrap", onsubmit: make, novalidate: true }, field("key-name", w("key_name"), name, "grow"), field("key-role", w("role"), role), field("key-days", w("expires"), days), h("button", { type: "submit", class: "low" }, w("make_key"))),
    said, made);
}

// --- usage and audit

async function usage() {
  const days = await get("/v1/usage");
  if (!days.length) return section(w("usage_title"), h("p", { class: "quiet" }, w("no_usage")));
  const most = Math.max(1, ...days.map((day) => day.tokens));
  return section(w("usage_title"), table(w("usage_title"), [w("day"), { number: w("questions") }, { number: w("tokens") }, { number: w("cost") }], days.map((day) => h("tr", {},
    h("th", { scope: "row" }, moment(`${day.day}T12:00:00Z`, { day: true })), h("td", { class: "number" }, number(day.runs)),
    h("td", { class: "number" }, h("progress", { max: most, value: day.tokens, "aria-hidden": "true" }), " ", number(day.tokens)),
    h("td", { class: "number" }, dollars(day.usd))))));
}

/** What a deed was about: a run by its address, a key by its name, else as it is written. */
function objectOf(one, names) {
  if (!one.object) return null;
  const known = names.get(one.object);
  const told = h("bdi", { title: one.object }, short(known ?? one.object, 40));
  return h("span", { class: "where" }, one.action === "runs:start" && one.outcome === "done" ? h("a", { href: `#/run/${encodeURIComponent(one.object)}` }, told) : told);
}

async function audit(me, names) {
  const rows = h("tbody", {});
  const more = h("button", { type: "button", onclick: () => load() }, w("more"));
  let cursor = null;
  const load = async () => {
    const found = await get(`/v1/audit?limit=15${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    cursor = found.next;
    more.hidden = !cursor;
    add(rows, found.items.map((one) => h("tr", { role: "row" },
      cell(w("when"), moment(one.at)), cell(w("who"), h("bdi", { title: one.actor }, short(names.get(one.actor) ?? one.actor.replace(/^operator:/u, `${w("operator")} `), 40))),
      cell(w("what"), deed(one.action), " ", objectOf(one, names)),
      cell(w("outcome"), one.outcome === "done" ? w("o_done") : h("span", { class: "chip failed" }, has(`o_${one.outcome}`) ? w(`o_${one.outcome}`) : one.outcome)))));
  };
  await load();
  const made = table(w("audit"), [w("when"), w("who"), w("what"), w("outcome")], [], { cards: true });
  rows.setAttribute("role", "rowgroup");
  made.querySelector("tbody").replaceWith(rows);
  return section(w("audit"), made, h("p", {}, more));
}
