// A report: answer and sections with citations and verdicts, claims by verdict, sources, what to know about it.

import { announce, fill, h, later } from "./dom.js";
import { Evidence } from "./evidence.js";
import { moment, w } from "./words.js";

const KINDS = ["strong", "supported", "partial", "contradicted", "unsupported", "unchecked"];

/** Draws a report; returns its parts and what to do when it is left. */
export function report(run, view) {
  const evidence = new Evidence(run, view);
  const claims = new Map(view.claims.map((claim) => [claim.id, claim]));

  const verdict = (claim) => [
    " ", h("span", { class: `verdict ${claim.kind}` }, claim.label),
    claim.reasons.length ? h("span", { class: "why" }, claim.reasons.join("; ")) : null,
  ];
  const piece = (one) => {
    const claim = claims.get(one.claim);
    if (!claim) return h("bdi", {}, one.text);
    return h("span", { class: `claim ${claim.kind}` }, h("bdi", {}, one.text), evidence.links(claim.cites), verdict(claim));
  };
  const prose = (pieces) => h("p", { dir: "auto" }, pieces.map((one) => [piece(one), " "]));
  const quoted = (pieces) => h("ul", { class: "quoted" }, pieces.map((one) => h("li", { dir: "auto" }, piece(one))));
  const lines = (title, items, draw) => items.length ? h("section", {}, h("h2", {}, title), h("ul", {}, items.map(draw))) : null;

  const text = h("div", { class: "text-of-report" },
    view.answer.length ? h("section", { class: "answer", "aria-label": w("answer") }, prose(view.answer)) : null,
    view.parts.map((part) => h("section", {}, part.title && h("h2", { dir: "auto" }, part.title), part.quoted ? quoted(part.pieces) : prose(part.pieces))),
    view.contradictions.length ? h("section", {}, h("h2", {}, w("contradictions")), view.contradictions.map((pair) => h("div", { class: "pair" }, h("h3", { dir: "auto" }, pair.about), pair.cites.map((n) => side(n))))) : null,
    lines(w("unexamined"), view.unexamined, (line) => h("li", { dir: "auto" }, line)),
    view.artefacts.length ? h("section", {}, h("h2", {}, w("artefacts")), h("ul", {}, view.artefacts.map((line) => h("li", { dir: "auto" }, line))), h("p", { class: "quiet" }, w("artefacts_hint"))) : null);
  const list = h("ul", { class: "claims", hidden: true });

  function side(n) {
    const cited = evidence.cites.get(n);
    return h("p", {}, h("q", { dir: "auto" }, cited.quote), evidence.links([n]), " ", h("span", { class: "where" }, h("bdi", {}, evidence.sources.get(cited.source_id).name)));
  }

  const filter = filterOf(view, (found, filtered) => {
    text.hidden = filtered;
    list.hidden = !filtered;
    fill(list, found.map((claim) => h("li", { dir: "auto" }, h("span", { class: `claim ${claim.kind}` }, h("bdi", {}, claim.text), evidence.links(claim.cites), verdict(claim)))));
  });

  const body = h("article", { class: "report", "aria-label": w("run") }, filter, text, list, sources(view, evidence), about(view));
  return { body, beside: evidence.aside, leave: () => evidence.leave() };
}

/** Buttons that show claims of one kind, and a field that finds words in them. */
function filterOf(view, draw) {
  if (!view.claims.length) return null;
  const find = h("input", { type: "search", id: "find-claim", "aria-label": w("find_claim"), placeholder: w("find_claim") });
  const said = h("span", { class: "quiet", id: "claims-shown" });
  let kind = "all";
  const apply = () => {
    const needle = find.value.trim().toLowerCase();
    const found = view.claims.filter((claim) => (kind === "all" || claim.kind === kind) && claim.text.toLowerCase().includes(needle));
    const filtered = kind !== "all" || Boolean(needle);
    draw(found, filtered);
    said.textContent = filtered ? w("claims_shown", found.length, view.claims.length) : "";
    if (filtered) announce(said.textContent);
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.kind === kind));
  };
  const button = (name, count) => h("button", { type: "button", class: `kind ${name}`, "data-kind": name, "aria-pressed": String(name === kind), onclick: () => { kind = name; apply(); } }, w(`k_${name}`), count === null ? null : h("span", { class: "count" }, ` ${count}`));
  const buttons = [button("all", null), ...KINDS.filter((name) => view.counts[name]).map((name) => button(name, view.counts[name]))];
  find.addEventListener("input", later(120, apply));
  return h("div", { class: "filter", role: "group", "aria-label": w("filter") }, buttons, find, said);
}

function sources(view, evidence) {
  if (!view.sources.length) return null;
  const one = (source) => {
    const title = h("bdi", {}, source.name);
    const told = [...source.authors, source.published, source.truncated ? w("truncated") : ""].filter(Boolean).join(" · ");
    return h("li", {},
      source.link ? h("a", { href: source.link, target: "_blank", rel: "noopener noreferrer nofollow" }, title) : h("strong", {}, title),
      told && h("span", { class: "where" }, h("bdi", {}, told)),
      h("span", { class: "where" }, h("bdi", {}, source.where), source.also.length ? [` · ${w("same_text")} `, h("bdi", {}, source.also.join(", "))] : null),
      source.cites.length ? h("span", { class: "cites" }, evidence.links(source.cites)) : null);
  };
  return h("section", {}, h("h2", {}, w("sources")), h("ul", { class: "sources" }, view.sources.map(one)));
}

function about(view) {
  const rows = Object.entries(view.legend).filter(([, told]) => told);
  return h("section", { class: "notes", "aria-label": w("about") },
    view.notes.map((line) => h("p", { dir: "auto" }, line)),
    h("p", {}, view.facts), h("p", {}, moment(view.created_at), view.models.length ? [" · ", h("bdi", {}, view.models.join(", "))] : null),
    rows.length ? h("details", {}, h("summary", {}, w("legend")), h("dl", {}, rows.map(([term, told]) => [h("dt", {}, term), h("dd", {}, told)]))) : null);
}
