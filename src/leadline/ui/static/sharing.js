// Read-only links of a run: made, listed, closed.

import { get, post, remove } from "./api.js";
import { announce, fill, h } from "./dom.js";
import { moment, refusal, w } from "./words.js";

/** A field with something that is shown once, and a button that copies it. */
export function once(label, value) {
  const field = h("input", { type: "text", readonly: true, value, "aria-label": label, class: "once", onfocus: (event) => event.target.select() });
  const copy = h("button", { type: "button", onclick: async () => {
    try { await navigator.clipboard.writeText(value); copy.textContent = w("copied"); announce(w("copied")); } catch { field.select(); }
  } }, w("copy"));
  return h("div", { class: "row" }, field, copy);
}

/** Opens the dialog of a run's links. */
export async function shareDialog(run) {
  const path = `/ui/runs/${encodeURIComponent(run.id)}/shares`;
  const said = h("p", { class: "warning", role: "alert" });
  const made = h("div", { "aria-live": "polite" });
  const list = h("ul", { class: "plainly" });
  const days = h("select", { id: "share-days" }, [1, 7, 30, 365].map((count) => h("option", { value: count, selected: count === 30 }, w("days", count))));
  const attempt = (call) => async () => {
    said.textContent = "";
    try { await call(); } catch (problem) { said.textContent = refusal(problem); }
  };
  const draw = async () => {
    const found = await get(path);
    fill(list, found.map((share) => h("li", { class: "row" },
      h("span", { class: "grow" }, w("share_until", moment(share.created_at), share.expires_at ? moment(share.expires_at) : w("never"))),
      share.revoked_at ? h("span", { class: "chip cancelled" }, w("share_closed")) : h("button", { type: "button", onclick: attempt(async () => { await remove(`/ui/shares/${encodeURIComponent(share.id)}`); await draw(); dialog.focus(); }) }, w("share_close")))));
  };
  const make = attempt(async () => {
    const share = await post(path, { days: Number(days.value) });
    fill(made, h("p", {}, w("share_once")), once(w("share_title"), `${location.origin}/#/shared/${share.token}`));
    await draw();
  });
  const dialog = h("dialog", { class: "sure", "aria-labelledby": "share-title", tabindex: -1 },
    h("div", { class: "row top" }, h("h2", { id: "share-title", class: "grow" }, w("share_title")), h("button", { type: "button", class: "close", onclick: () => dialog.close() }, w("close"))),
    h("p", { class: "quiet" }, w("share_hint")),
    h("div", { class: "row" }, h("div", { class: "field grow" }, h("label", { for: "share-days" }, w("share_days")), days), h("button", { type: "button", class: "main low", onclick: make }, w("share_make"))),
    said, made, list);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  await attempt(draw)();
}
