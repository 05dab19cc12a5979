// A report: answer and sections with citations and verdicts, claims by verdict, sources, what to know about it.

import { announce, fill, h, later, short, visible } from "./dom.js";
import { Evidence } from "./evidence.js";
import { joined, moment, number, w } from "./words.js";

const KINDS = ["strong", "supported", "partial", "contradicted", "unsupported", "unchecked"];
const MOST_PAIRS = 6;
const HEADING = 160;
const OPENING = 280;

/** Draws a report; returns its parts and what to do when it is left. */
export function report(run, view) {
  const evidence = new Evidence(run, view);
  const claims = new Map(view.claims.map((claim) => [claim.id, claim]));

  // What needs no remark has a mark; its words are said to those who do not see it, and stand in the evidence.
  const verdict = (claim) => [
    claim.kind === "strong" ? "\u00a0" : " ", h("span", { class: `verdict ${claim.kind}`, title: claim.kind === "strong" ? claim.label : null }, claim.kind === "strong" ? h("span", { class: "unseen" }, claim.label) : claim.label),
    claim.reasons.length ? h("span", { class: "why" }, joined(claim.reasons)) : null,
  ];
  // A tick stays on the line of the number that it follows.
  const stands = (claim) => (claim.kind === "strong" ? [evidence.links(claim.cites.slice(0, -1)), h("span", { class: "kept" }, evidence.links(claim.cites.slice(-1)), verdict(claim))] : [evidence.links(claim.cites), verdict(claim)]);
  const piece = (one) => {
    const claim = claims.get(one.claim);
    if (!claim) return h("bdi", {}, one.text);
    return h("span", { class: `claim ${claim.kind}` }, h("bdi", {}, one.text), stands(claim));
  };
  const prose = (pieces) => h("p", { dir: "auto" }, pieces.map((one) => [piece(one), " "]));
  const quoted = (pieces) => h("ul", { class: "quoted" }, pieces.map((one) => h("li", { dir: "auto" }, piece(one))));
  const lines = (title, items, draw) => items.length ? h("section", {}, h("h2", {}, title), h("ul", {}, items.map(draw))) : null;

  const text = h("div", { class: "text-of-report" },
    view.answer.length ? h("section", { class: "answer", "aria-label": w("answer") }, prose(view.answer)) : null,
    changed(view, evidence),
    view.parts.map((part) => h("section", {}, part.title && h("h2", { dir: "auto" }, part.title), part.quoted ? quoted(part.pieces) : prose(part.pieces))),
    view.contradictions.length ? h("section", {}, h("h2", {}, w("contradictions")), folded(view.contradictions, (pair) => h("div", { class: "pair" }, h("h3", { dir: "auto" }, pair.about), pair.cites.map((n) => side(n))))) : null,
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
    fill(list, found.map((claim) => h("li", { dir: "auto" }, h("span", { class: `claim ${claim.kind}` }, h("bdi", {}, claim.text), stands(claim)))));
  });

  if (evidence.wide.matches && evidence.cites.has(1)) evidence.open(1, null, { quiet: true });
  const body = h("article", { class: "report", "aria-label": w("report") }, filter, text, list, sources(view, evidence), about(view));
  return { body, beside: evidence.aside, leave: () => evidence.leave() };
}

/** A question as the heading of its page; of a very long one the beginning, with the whole one step away. */
export function asked(question) {
  const whole = visible(question).trim();
  const length = [...whole].length;
  return [
    h("h1", { dir: "auto", class: length > HEADING ? "long" : null }, length > OPENING ? short(whole, OPENING) : whole),
    length > OPENING && h("details", { class: "where" }, h("summary", {}, w("whole_question", number(length))), h("p", { dir: "auto", class: "as-asked" }, whole)),
  ];
}

/** The first of many; the rest is one step away. */
function folded(items, draw) {
  const rest = items.slice(MOST_PAIRS);
  return [items.slice(0, MOST_PAIRS).map(draw), rest.length ? h("details", {}, h("summary", {}, w("e_more", number(rest.length))), rest.map(draw)) : null];
}

/** What is new, other and gone since the report that this run went on with. */
function changed(view, evidence) {
  const { changes } = view;
  if (!changes) return null;
  const item = (kind) => (one) => {
    const source = evidence.sources.get(one.source);
    const text = h("bdi", {}, one.text);
    const told = source?.link ? h("a", { href: source.link, target: "_blank", rel: "noopener noreferrer nofollow" }, text) : kind.startsWith("gone_") ? h("del", {}, text) : text;
    return h("li", { dir: "auto" }, told, evidence.links(one.cites), one.note && h("span", { class: "why" }, one.note));
  };
  return h("section", { class: "changes" }, h("h2", {}, w("changes", moment(changes.earlier_at))),
    !evidence.run.shared && h("p", { class: "where" }, h("a", { href: `#/run/${encodeURIComponent(changes.earlier)}` }, w("changes_then"))),
    changes.kinds.length ? changes.kinds.map((kind) => [h("h3", {}, `${kind.title} `, h("span", { class: "count" }, number(kind.items.length + kind.more))), h("ul", { class: kind.kind }, kind.items.map(item(kind.kind)), kind.more ? h("li", { class: "quiet" }, w("e_more", kind.more)) : null)]) : h("p", { class: "quiet" }, w("changes_none")));
}

/** Buttons that show claims of one kind, and a field that finds words in them. */
function filterOf(view, draw) {
  if (!view.claims.length) return null;
  const find = h("input", { type: "search", id: "find-claim", "aria-label": w("find_claim"), placeholder: w("find_claim") });
  const said = h("p", { class: "quiet", id: "claims-shown" });
  let kind = "all";
  const apply = () => {
    const needle = find.value.trim().toLowerCase();
    const found = view.claims.filter((claim) => (kind === "all" || claim.kind === kind) && claim.text.toLowerCase().includes(needle));
    const filtered = kind !== "all" || Boolean(needle);
    draw(found, filtered);
    said.textContent = filtered ? found.length ? w("claims_shown", found.length, view.claims.length) : w("claims_none") : "";
    if (filtered) announce(said.textContent);
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.kind === kind));
  };
  const button = (name, count) => h("button", { type: "button", class: `kind ${name}`, "data-kind": name, "aria-pressed": String(name === kind), onclick: () => { kind = name; apply(); } }, w(`k_${name}`), count === null ? null : h("span", { class: "count" }, ` ${count}`));
  const buttons = [button("all", null), ...KINDS.filter((name) => view.counts[name]).map((name) => button(name, view.counts[name]))];
  find.addEventListener("input", later(120, apply));
  return h("div", { class: "filter", role: "group", "aria-label": w("filter") }, h("div", { class: "kinds" }, buttons), find, said);
}

function sources(view, evidence) {
  if (!view.sources.length) return null;
  const one = (source) => {
    const title = h("bdi", {}, source.name);
    const told = [...source.authors, source.published, source.truncated ? w("truncated") : ""].filter(Boolean).join(" · ");
    return h("li", {},
      source.link ? h("a", { href: source.link, target: "_blank", rel: "noopener noreferrer nofollow" }, title) : h("strong", {}, title),
      told && h("span", { class: "where" }, h("bdi", {}, told)),
      h("span", { class: "where lines", title: source.where }, h("bdi", {}, source.where), source.also.length ? [` · ${w("same_text")} `, h("bdi", {}, source.also.join(", "))] : null),
      source.cites.length ? h("span", { class: "cites" }, evidence.links(source.cites)) : null);
  };
  return h("section", {}, h("h2", {}, w("sources")), h("ul", { class: "sources" }, view.sources.map(one)));
}

function about(view) {
  const rows = Object.entries(view.legend).filter(([, told]) => told);
  return h("section", { class: "notes", "aria-label": w("about") },
    view.notes.map((line) => h("p", { dir: "auto" }, line)),
    h("p", {}, view.facts), h("p", {}, w("written", moment(view.created_at)), view.models.length ? [" · ", w("by_model"), " ", h("bdi", {}, view.models.join(", "))] : null),
    rows.length ? h("details", { class: "legend" }, h("summary", {}, w("legend")), h("dl", {}, rows.map(([term, told]) => [h("dt", {}, term), h("dd", {}, told)]))) : null);
}
