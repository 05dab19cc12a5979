// The tenant's own keys at providers: which there are, set, removed. What was set is never shown again.

import { get, put, remove } from "./api.js";
import { fill, h, sure } from "./dom.js";
import { field, option } from "./fields.js";
import { cell, section, table } from "./tables.js";
import { moment, refusal, w } from "./words.js";

const address = (name) => `/v1/secrets/${encodeURIComponent(name)}`;

export async function providerKeys(me) {
  const said = h("p", { class: "warning", role: "alert" });
  const done = h("p", { class: "quiet", role: "status" });
  const place = h("div", {});
  const attempt = async (call) => {
    fill(said);
    fill(done);
    try { await call(); } catch (problem) { said.textContent = refusal(problem); }
  };
  const draw = async () => {
    const found = await get("/v1/secrets");
    fill(place, found.length ? table(w("own_keys"), [w("provider"), w("state"), w("set_at"), h("span", { class: "unseen" }, w("what"))], found.map(row), { cards: true }) : h("p", { class: "quiet" }, w("no_own_keys")));
  };
  const row = (one) => h("tr", {},
    h("th", { scope: "row" }, h("bdi", {}, one.name)),
    cell(w("state"), h("span", { class: `chip ${one.used ? "done" : "off"}` }, w(one.used ? "in_use" : "rests"))),
    cell(w("set_at"), moment(one.updated_at)),
    h("td", { class: "buttons" }, h("button", { type: "button", class: "plain", "aria-label": `${w("remove")}: ${one.name}`, onclick: () => attempt(async () => {
      if (await sure(w("sure_own_key", one.name), w("yes_own_key"), w("no"))) { await remove(address(one.name)); await draw(); }
    }) }, w("remove"))));
  const name = h("select", { id: "own-key-name" }, me.secrets.map((one) => option(one, one)));
  const value = h("textarea", { id: "own-key", rows: 1, maxlength: 2000, required: true, spellcheck: "false", autocomplete: "off", dir: "ltr" });
  const set = (event) => {
    event.preventDefault();
    if (!value.value.trim()) { said.textContent = w("own_key_missing"); value.focus(); return; }
    attempt(async () => {
      await put(address(name.value), { value: value.value });
      value.value = "";
      done.textContent = w("own_key_kept", name.value);
      await draw();
    });
  };
  await draw();
  return section(w("own_keys"), h("p", { class: "quiet" }, w("own_keys_lead")), place,
    h("form", { class: "row wrap", onsubmit: set, novalidate: true }, field("own-key-name", w("provider"), name), field("own-key", w("own_key"), value, { look: "grow" }), h("button", { type: "submit", class: "low" }, w("set_own_key"))),
    said, done);
}
