// The list of runs: newest first, searched by words, page by page; it looks again while something is under way.

import { get } from "./api.js";
import { add, announce, fill, h, later, short } from "./dom.js";
import { dollars, duration, moment, number, w } from "./words.js";

const STATES = ["queued", "running", "waiting", "done", "failed", "cancelled"];
const AGAIN = 4000;

/** The word of a run's state. */
export const stateWord = (state) => w(state === "failed" ? "failed_state" : state);

/** A run's state as it is shown everywhere: a word, and a look that says the same. */
export const chip = (state) => h("span", { class: `chip ${state}` }, stateWord(state));

function row(run) {
  const used = run.usage;
  const told = [moment(run.created_at), w(run.strategy), used.seconds ? duration(used.seconds) : "", used.model_calls ? w("tokens_n", number(used.prompt_tokens + used.completion_tokens)) : "", used.cost_usd ? dollars(used.cost_usd) : "", run.continues ? w("continued") : ""];
  return h("li", {}, h("a", { href: `#/run/${encodeURIComponent(run.id)}` },
    h("span", { class: "what", dir: "auto" }, short(run.question, 240)),
    h("span", { class: "where" }, chip(run.state), " ", told.filter(Boolean).join(" · "))));
}

export async function runsPage({ me }) {
  let cursor = null;
  let pages = 1;
  let asked = null;
  let timer = null;
  const list = h("ul", { class: "runs" });
  const none = h("div", { class: "empty", hidden: true });
  const search = h("input", { type: "search", id: "search", maxlength: 200 });
  const state = h("select", { id: "state" }, h("option", { value: "" }, w("all")), STATES.map((name) => h("option", { value: name }, stateWord(name))));
  const more = h("button", { type: "button", hidden: true }, w("more"));

  const load = async ({ after = null, quiet = false } = {}) => {
    asked?.abort();
    asked = new AbortController();
    const given = new URLSearchParams({ limit: "30" });
    if (search.value.trim()) given.set("search", search.value.trim());
    if (state.value) given.set("state", state.value);
    if (after) given.set("cursor", after);
    let found;
    try {
      found = await get(`/v1/research?${given}`, { signal: asked.signal });
    } catch (problem) {
      if (problem.name === "AbortError") return;
      throw problem;
    }
    pages = after ? pages + 1 : 1;
    const focused = document.activeElement?.closest?.(".runs a")?.getAttribute("href");
    if (!after) fill(list);
    add(list, found.items.map(row));
    if (focused) [...list.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus({ preventScroll: true });
    cursor = found.next;
    more.hidden = !cursor;
    const empty = !list.children.length;
    const narrowed = Boolean(search.value || state.value);
    none.hidden = !empty;
    if (empty) fill(none, h("p", {}, narrowed ? w("none_found") : w("no_runs")), narrowed ? h("button", { type: "button", onclick: all }, w("show_all")) : me.may.includes("runs:start") && h("a", { class: "button main", href: "#/ask" }, w("ask_first")));
    if (!quiet) announce(empty ? w(narrowed ? "none_found" : "no_runs") : w("listed", list.children.length));
    clearTimeout(timer);
    if (pages === 1 && found.items.some((run) => run.state === "queued" || run.state === "running")) timer = setTimeout(() => load({ quiet: true }).catch(() => {}), AGAIN);
  };
  function all() {
    search.value = "";
    state.value = "";
    search.focus();
    load();
  }
  search.addEventListener("input", later(250, () => load()));
  state.addEventListener("change", () => load());
  more.addEventListener("click", async () => {
    const at = list.children.length;
    await load({ after: cursor });
    list.children[at]?.querySelector("a").focus();
  });
  await load({ quiet: true });
  return {
    title: w("runs"),
    leave: () => { clearTimeout(timer); asked?.abort(); },
    body: [
      h("h1", {}, w("runs_title")),
      h("form", { class: "row wrap", role: "search", onsubmit: (event) => event.preventDefault() },
        h("div", { class: "field grow" }, h("label", { for: "search" }, w("search")), search),
        h("div", { class: "field" }, h("label", { for: "state" }, w("state")), state)),
      none, list, more,
    ],
  };
}
