// The evidence beside the report: a source's stored text with one quotation marked. Offsets count code points.

import { add, fill, h, visible } from "./dom.js";
import { save } from "./api.js";
import { bytes, joined, moment, number, refusal, w } from "./words.js";

const AROUND = 5000;
const LANGUAGE = /^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$/;

/** Index of UTF-16 units of a code point's place in a text. */
function unit(text, point) {
  let at = 0;
  for (let seen = 0; seen < point && at < text.length; seen += 1) at += text.codePointAt(at) > 0xffff ? 2 : 1;
  return at;
}

/** The pieces of a stored text around a quotation; `stands` is false where the text does not hold it. */
export function around(text, { start, end, quote }, most = AROUND) {
  const begin = unit(text, start);
  const stop = begin + unit(text.slice(begin), end - start);
  const marked = text.slice(begin, stop);
  // A piece must not begin or end within a surrogate pair.
  const edge = (at) => (at > 0 && at < text.length && (text.charCodeAt(at) & 0xfc00) === 0xdc00 ? at - 1 : at);
  const low = edge(Math.max(0, begin - most));
  const high = edge(Math.min(text.length, stop + most));
  return {
    before: visible(text.slice(low, begin)), marked: visible(marked), after: visible(text.slice(stop, high)),
    cutBefore: low > 0, cutAfter: high < text.length,
    stands: start < end && visible(marked) === visible(quote),
  };
}

/** The panel. On a wide page it stands beside the report, else it is a dialog over it. */
export class Evidence {
  constructor(run, view) {
    this.run = run;
    this.view = view;
    this.claims = view.claims;
    this.cites = new Map(view.citations.map((one) => [one.number, one]));
    this.sources = new Map(view.sources.map((one) => [one.id, one]));
    this.texts = new Map();
    this.opener = null;
    this.turn = 0;
    this.wide = window.matchMedia("(min-width: 75rem)");
    this.panel = h("div", { class: "panel" }, this.hint());
    this.aside = h("aside", { class: "beside", "aria-label": w("evidence") });
    this.dialog = h("dialog", { class: "over", "aria-labelledby": "evidence-name" });
    this.dialog.addEventListener("close", () => this.closed());
    this.settle = () => { if (!this.dialog.open) this.aside.append(this.panel); };
    this.settle();
    this.keys = (event) => { if (event.key === "Escape" && this.opener && !document.querySelector("dialog[open]")) this.close(); };
    document.addEventListener("keydown", this.keys);
  }

  leave() {
    document.removeEventListener("keydown", this.keys);
    this.dialog.remove();
  }

  hint() { return [h("h2", {}, w("evidence")), h("p", { class: "quiet" }, w("evidence_hint")), h("p", { class: "quiet keys" }, w("evidence_keys"))]; }

  /** Links to citations, in the order of their numbers. */
  links(numbers) {
    return numbers.map((n) => {
      const cited = this.cites.get(n);
      const source = this.sources.get(cited.source_id);
      const about = [source.name, cited.place].filter(Boolean).join(" · ");
      return h("button", {
        type: "button", class: "cite", "data-cite": n, title: about, "aria-label": `${w("citation")} ${n}: ${about}`,
        "aria-haspopup": this.wide.matches ? null : "dialog", "aria-expanded": "false", onclick: (event) => this.open(n, event.currentTarget),
      }, String(n));
    });
  }

  async text(id) {
    if (!this.texts.has(id)) {
      this.texts.set(id, this.run.source(id).then((found) => found.text));
      this.texts.get(id).catch(() => this.texts.delete(id));
    }
    return this.texts.get(id);
  }

  /** Opens a citation; `quiet` where nobody asked for it: then the focus stays where it is. */
  async open(n, opener, { quiet = false } = {}) {
    const mine = ++this.turn;
    const cited = this.cites.get(n);
    const source = this.sources.get(cited.source_id);
    this.opener?.setAttribute("aria-expanded", "false");
    this.opener = opener ?? this.opener;
    this.opener?.setAttribute("aria-expanded", "true");
    const body = h("pre", { class: "text", tabindex: 0, role: "group", "aria-label": source.name, dir: "auto", lang: LANGUAGE.test(source.language) ? source.language : null }, w("loading"));
    fill(this.panel, this.head(n, cited, source), this.claimed(n), body);
    if (this.wide.matches) this.aside.append(this.panel);
    else if (!this.dialog.open) {
      this.dialog.append(this.panel);
      document.body.append(this.dialog);
      this.dialog.showModal();
    }
    let text = null;
    try { text = await this.text(source.id); } catch (problem) { body.before(h("p", { class: "warning" }, problem.status === 404 ? w("evidence_gone") : refusal(problem))); }
    if (mine === this.turn) this.draw(body, cited, text, { most: AROUND, quiet });
  }

  draw(body, cited, text, { most, quiet }) {
    const mark = h("mark", { tabindex: -1 });
    if (text === null) {
      mark.textContent = visible(cited.quote);
      fill(body, mark);
    } else {
      const cut = () => h("span", { class: "cut" }, "[…]");
      const found = around(text, cited, most);
      mark.textContent = found.stands ? found.marked : visible(cited.quote);
      if (found.stands) fill(body, found.cutBefore && cut(), found.before, mark, found.after, found.cutAfter && cut());
      else { body.before(h("p", { class: "warning", role: "alert" }, w("evidence_moved"))); fill(body, mark); }
      if (found.stands && (found.cutBefore || found.cutAfter)) {
        const whole = h("button", { type: "button", class: "plain", onclick: () => { whole.remove(); this.draw(body, cited, text, { most: Infinity }); } }, w("whole_text", number([...text].length)));
        add(this.panel, whole);
      }
    }
    if (!quiet) mark.focus({ preventScroll: true });
    const tall = mark.getBoundingClientRect().height > body.clientHeight;
    const top = mark.offsetTop; // within the text, which is what scrolls
    body.scrollTop = tall ? top - 16 : top - (body.clientHeight - mark.offsetHeight) / 2;
  }

  head(n, cited, source) {
    const step = (by) => () => this.open(n + by, document.querySelector(`main [data-cite="${n + by}"]`) ?? this.opener);
    const title = h("span", { dir: "auto" }, source.name);
    return h("div", { class: "about" },
      h("div", { class: "row top" },
        h("h2", { id: "evidence-name" }, `${n} · `, source.link ? h("a", { href: source.link, target: "_blank", rel: "noopener noreferrer nofollow" }, title) : title),
        h("button", { type: "button", class: "close", onclick: () => this.close() }, w("close"))),
      cited.place && h("p", { class: "place", dir: "auto" }, cited.place),
      h("p", { class: "where" }, h("bdi", { class: "cut-off", title: source.where }, source.where)),
      h("p", { class: "where" }, source.fetched_at && `${w("fetched", moment(source.fetched_at))} · `, h("span", { title: source.sha256 }, `SHA-256 ${source.sha256.slice(0, 12)}…`)),
      h("div", { class: "row" },
        h("button", { type: "button", class: "plain", disabled: !this.cites.has(n - 1), onclick: step(-1) }, w("previous_quote")),
        h("button", { type: "button", class: "plain", disabled: !this.cites.has(n + 1), onclick: step(1) }, w("next_quote")),
        this.run.raw && h("button", { type: "button", class: "plain", onclick: () => this.keep(source) }, w("raw"))));
  }

  /** The claims that rest on a citation, each with its verdict: what the quotation is to be held against. */
  claimed(n) {
    // A sentence that stands in the report twice is shown once.
    const found = [...new Map(this.claims.filter((claim) => claim.cites.includes(n)).map((claim) => [`${claim.label} ${claim.text}`, claim])).values()];
    if (!found.length) return null;
    return h("ul", { class: "claimed", "aria-label": w("claims") }, found.map((claim) => h("li", { dir: "auto" },
      h("bdi", {}, claim.text), " ", h("span", { class: `verdict ${claim.kind} told` }, claim.label),
      claim.reasons.length ? h("span", { class: "why" }, joined(claim.reasons)) : null)));
  }

  async keep(source) {
    const blob = await this.run.raw(source.id);
    save(blob, `${source.sha256.slice(0, 16)}.bin`);
    return bytes(blob.size);
  }

  close() {
    if (this.dialog.open) this.dialog.close();
    else this.closed();
  }

  closed() {
    this.turn += 1;
    fill(this.panel, this.hint());
    this.aside.append(this.panel);
    this.opener?.setAttribute("aria-expanded", "false");
    this.opener?.focus();
    this.opener = null;
  }
}
