// Boot, bar, routes. Addresses: #/ask, #/runs, #/run/ID, #/documents, #/schedules, #/admin, #/shared/TOKEN.

import { session, signOut, whenSignedOut } from "./api.js";
import { adminPage } from "./admin.js";
import { askPage } from "./ask.js";
import { documentsPage } from "./documents.js";
import { add, announce, fill, h, icon } from "./dom.js";
import { runPage } from "./run.js";
import { runsPage } from "./runs.js";
import { schedulesPage } from "./schedules.js";
import { sharedPage } from "./shared.js";
import { signInPage } from "./signin.js";
import { language, refusal, w } from "./words.js";

const main = document.getElementById("main");
const top = document.getElementById("top");
const PAGES = { ask: askPage, runs: runsPage, run: runPage, documents: documentsPage, schedules: schedulesPage, admin: adminPage, shared: sharedPage };
const ADMIN = ["keys:manage", "diagnostics:read", "usage:read", "audit:read"];
const THEMES = ["auto", "light", "dark"];
const SLOW_MS = 700; // by then whoever clicked wonders whether anything happens

const me = { signed_in: false };
let leave = null;
let turn = 0;

function keep(name, value) {
  try { localStorage.setItem(`leadline.${name}`, value); } catch { /* a browser that keeps nothing still works */ }
}

function theme() { return document.documentElement.dataset.theme || "auto"; }

function nextTheme() {
  const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
  if (next === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  keep("theme", next);
  drawBar("theme");
  announce(w(`theme_${next}`));
}

function otherLanguage() {
  const next = language() === "zh" ? "en" : "zh";
  document.documentElement.lang = next === "zh" ? "zh-CN" : "en";
  keep("language", next);
  drawBar("language");
  show({ focus: false });
}

async function leaveService() {
  await signOut().catch(() => {});
  await begin();
}

const MOON = "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.500z";
const SUN = "M12 7.500a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9zM12 2v2.500M12 19.500V22M2 12h2.500M19.500 12H22M5 5l1.700 1.700M17.300 17.300 19 19M19 5l-1.700 1.700M6.700 17.300 5 19";
const HALF = "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 3v18M12 7h7.500M12 11h9M12 15h8.500";

function drawBar(focused = null) {
  const [name] = place();
  const entry = (to, label) => h("a", { href: `#/${to}`, "aria-current": name === to || (to === "runs" && name === "run") ? "page" : null }, label);
  const links = me.signed_in && name !== "shared" ? [
    me.may.includes("runs:start") && entry("ask", w("ask")),
    entry("runs", w("runs")),
    me.offers.corpora && me.may.includes("corpora:read") && entry("documents", w("documents")),
    me.offers.schedules && me.may.includes("schedules:read") && entry("schedules", w("schedules")),
    ADMIN.some((action) => me.may.includes(action)) && entry("admin", me.may.includes("keys:manage") ? w("admin") : w("usage")),
  ] : [];
  const mark = theme() === "light" ? SUN : theme() === "dark" ? MOON : HALF;
  fill(top,
    h("a", { class: "skip", href: "#main", onclick: (event) => { event.preventDefault(); main.focus(); } }, w("skip")),
    h("div", { class: "bar" },
      h("a", { class: "brand", href: "#/" }, h("img", { src: "/ui/files/icon.svg", alt: "", width: 28, height: 28 }), h("span", {}, "Leadline")),
      links.some(Boolean) && h("nav", { "aria-label": w("nav") }, links),
      h("div", { class: "tools" },
        h("button", { type: "button", id: "language", class: "plain", lang: language() === "zh" ? "en" : "zh-CN", "aria-label": w("language_hint"), onclick: otherLanguage }, w("language")),
        h("button", { type: "button", id: "theme", class: "plain", "aria-label": w(`theme_${theme()}`), title: w(`theme_${theme()}`), onclick: nextTheme }, icon(mark)),
        me.signed_in && !me.open && name !== "shared" && h("button", { type: "button", class: "plain", title: w("signed_in_as", me.name || me.role), onclick: leaveService }, w("sign_out")))));
  top.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  if (focused) document.getElementById(focused)?.focus();
}

function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name = "", ...rest] = path.split("/");
  const parts = rest.map((part) => { try { return decodeURIComponent(part); } catch { return ""; } });
  return [name || (me.signed_in && !me.may.includes("runs:start") ? "runs" : "ask"), parts, new URLSearchParams(query)];
}

/** Draws the page of the address. A page that was left while it was made is thrown away. */
async function show({ focus = true } = {}) {
  const mine = ++turn;
  const [name, parts, query] = place();
  leave?.();
  leave = null;
  drawBar();
  const make = name === "shared" ? sharedPage : me.signed_in ? PAGES[name] : signInPage;
  const slow = setTimeout(() => { if (focus && mine === turn) fill(main, h("p", { class: "quiet", role: "status" }, w("loading"))); }, SLOW_MS);
  let made;
  try {
    made = make ? await make({ me, parts, query, again: () => show({ focus: false }), signedIn }) : nothing();
  } catch (error) {
    made = broken(error);
  }
  clearTimeout(slow);
  if (mine !== turn) { made.leave?.(); return; }
  leave = made.leave ?? null;
  document.title = `${made.title} · Leadline`;
  main.className = made.wide ? "wide" : "";
  fill(main, me.signed_in && me.open && name === "ask" && h("p", { class: "notice" }, w("open_here")), made.body);
  if (!focus) return;
  window.scrollTo(0, 0);
  (main.querySelector("[data-first]") ?? heading())?.focus({ preventScroll: true });
}

function heading() {
  const found = main.querySelector("h1");
  if (found) found.tabIndex = -1;
  return found;
}

function nothing() {
  return { title: w("no_page"), body: h("div", { class: "empty" }, h("h1", {}, w("no_page")), h("a", { class: "button", href: "#/" }, w("go_home"))) };
}

function broken(error) {
  if (error.status === undefined) console.error(error);
  const lost = error.status === 404;
  const told = lost ? w("lost") : error.status === undefined ? w("failed", error.message) : refusal(error);
  const again = h("button", { type: "button", onclick: () => show() }, w("retry"));
  return { title: lost ? w("no_page") : w("no_answer"), body: h("div", { class: "empty" }, h("h1", {}, lost ? w("no_page") : w("no_answer")), h("p", { class: lost ? null : "warning", role: "alert" }, told), h("div", { class: "row" }, again, lost && h("a", { class: "button", href: "#/" }, w("go_home")))) };
}

function signedIn(found) {
  for (const name of Object.keys(me)) delete me[name];
  Object.assign(me, found);
  show();
}

async function begin() {
  try {
    signedIn(await session());
  } catch (error) {
    drawBar();
    fill(main, broken(error).body);
    main.querySelector("button").onclick = begin;
  }
}

whenSignedOut(() => { if (me.signed_in) signedIn({ signed_in: false, ended: true }); });
window.addEventListener("hashchange", () => show());
window.addEventListener("unhandledrejection", (event) => {
  if (event.reason?.status === undefined) return;
  event.preventDefault();
  add(main, h("p", { class: "warning", role: "alert" }, refusal(event.reason)));
});
begin();
