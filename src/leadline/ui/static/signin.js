// Signing in by key. The key leaves this page once, over TLS or within this machine, and stays where no script reads it.

import { session, signIn } from "./api.js";
import { h } from "./dom.js";
import { refusal, w } from "./words.js";

export function signInPage({ me, signedIn }) {
  const said = h("p", { class: "warning", role: "alert", id: "key-fault" });
  const field = h("input", {
    id: "key", type: "password", autocomplete: "current-password", spellcheck: "false", required: true,
    "aria-describedby": "key-hint key-fault", "data-first": true, disabled: !window.isSecureContext,
  });
  const button = h("button", { type: "submit", class: "main", disabled: !window.isSecureContext }, w("sign_in"));
  const enter = async (event) => {
    event.preventDefault();
    said.textContent = "";
    button.disabled = true;
    try {
      await signIn(field.value.trim());
      const found = await session();
      if (found.signed_in) { signedIn(found); return; }
      said.textContent = w("not_kept");
    } catch (problem) {
      said.textContent = problem.status === 401 || problem.status === 422 ? w("bad_key") : refusal(problem);
    }
    field.setAttribute("aria-invalid", "true");
    button.disabled = false;
    field.focus();
  };
  if (me.ended) said.textContent = w("key_ended");
  if (!window.isSecureContext) said.textContent = w("not_secure");
  return {
    title: w("sign_in"),
    body: h("div", { class: "door" },
      h("img", { class: "sign", src: "/ui/files/icon.svg", alt: "", width: 52, height: 52 }),
      h("h1", {}, w("sign_in")),
      h("p", { class: "quiet lead" }, w("sign_in_lead")),
      h("form", { onsubmit: enter, novalidate: true },
        h("input", { type: "text", autocomplete: "username", value: "leadline", hidden: true, tabindex: -1, "aria-hidden": "true" }),
        h("label", { for: "key" }, w("key")), field,
        h("p", { class: "hint", id: "key-hint" }, w("key_hint"), " ", h("code", {}, "leadline keys create"), ". ", w("key_kept")), said, button)),
  };
}
