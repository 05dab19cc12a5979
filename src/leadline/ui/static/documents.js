// Sets of documents, where the service keeps them: made, filled, looked at while they are read, deleted.

import { get, post, remove, upload } from "./api.js";
import { announce, fill, h, short, sure } from "./dom.js";
import { bytes, joined, moment, reason, refusal, w } from "./words.js";

const LOOK = 1500;
const part = encodeURIComponent;
const pathOf = (name) => name.split("/").map(part).join("/");

/** Everything that a listing has, page by page. */
export async function all(path) {
  const found = [];
  let cursor = "";
  do {
    const page = await get(`${path}?limit=200${cursor && `&cursor=${part(cursor)}`}`);
    found.push(...page.items);
    cursor = page.next;
  } while (cursor);
  return found;
}

export async function documentsPage({ me }) {
  if (!me.offers.corpora) return { title: w("documents"), body: [h("h1", {}, w("documents")), h("p", { class: "quiet" }, w("not_offered"))] };
  const may = me.may.includes("corpora:write");
  const place = h("div", {});
  const said = h("p", { class: "warning", role: "alert" });
  const name = h("input", { id: "corpus-name", maxlength: 100, required: true });
  const draw = async () => {
    const corpora = await all("/v1/corpora");
    fill(place, corpora.length ? corpora.map((corpus) => corpusOf(corpus, me, may, draw)) : h("p", { class: "quiet" }, w("no_corpora")));
  };
  const make = async (event) => {
    event.preventDefault();
    said.textContent = "";
    if (!name.value.trim()) { name.focus(); return; }
    try {
      await post("/v1/corpora", { name: name.value.trim() });
      name.value = "";
      await draw();
    } catch (problem) { said.textContent = refusal(problem); }
  };
  await draw();
  return {
    title: w("documents"),
    body: [
      h("h1", {}, w("documents")), h("p", { class: "quiet" }, w("documents_lead")),
      may && h("form", { class: "row", onsubmit: make, novalidate: true }, h("div", { class: "field grow" }, h("label", { for: "corpus-name" }, w("corpus_name")), name), h("button", { type: "submit", class: "low" }, w("corpus_make"))),
      said, place,
    ],
  };
}

function corpusOf(corpus, me, may, redraw) {
  const path = `/v1/corpora/${part(corpus.id)}`;
  const said = h("div", { role: "status" });
  const standing = h("p", { class: "quiet standing" });
  const rows = h("tbody", { role: "rowgroup" });
  const none = h("p", { class: "quiet", hidden: true }, w("empty"));
  const more = h("button", { type: "button", class: "plain", hidden: true, onclick: () => next() }, w("documents_more"));
  const heads = [w("name"), w("document_state"), w("size"), w("added"), may && h("span", { class: "unseen" }, w("remove"))].filter(Boolean);
  // Rows are cards on a phone: roles say that they are still rows.
  const table = h("table", { class: "cards", role: "table" }, h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads.map((head) => h("th", { scope: "col", role: "columnheader" }, head)))), rows);
  let cursor = null;
  let waiting = null;
  let unread = 0;

  const cell = (head, ...content) => h("td", { role: "cell", "data-head": head }, h("div", {}, content));
  const row = (one) => h("tr", { role: "row", "data-state": one.state },
    cell(w("name"), h("bdi", {}, one.name)),
    cell(w("document_state"), w(`document_${one.state}`), one.reason && h("div", { class: "hint", dir: "auto" }, short(one.reason, 300))),
    cell(w("size"), bytes(one.size)), cell(w("added"), moment(one.added_at)),
    may && h("td", { role: "cell", class: "buttons" }, h("button", { type: "button", class: "plain", "aria-label": `${w("remove")}: ${one.name}`, onclick: () => drop(one) }, w("remove"))));
  const page = async () => {
    const found = await get(`${path}/documents?limit=200${cursor ? `&cursor=${part(cursor)}` : ""}`);
    cursor = found.next;
    more.hidden = !cursor;
    return found.items;
  };
  const next = async () => {
    try { for (const one of await page()) rows.append(row(one)); } catch (problem) { fail(problem); }
  };
  const fail = (problem) => fill(said, h("p", { class: "warning" }, refusal(problem)));
  const draw = async () => {
    clearTimeout(waiting);
    const now = await get(path);
    cursor = null;
    const documents = await page();
    none.hidden = documents.length > 0;
    table.hidden = !documents.length;
    fill(rows, documents.map(row));
    const left = now.queued + now.reading;
    const remarks = [w("documents_count", now.documents), left && w("documents_unread", left), now.failed && w("documents_failed", now.failed), bytes(now.bytes)];
    standing.textContent = now.documents ? joined(remarks.filter(Boolean)) : "";
    if (unread && !left) announce(w("documents_read"));
    unread = left;
    if (left) waiting = setTimeout(() => { if (table.isConnected) draw().catch(fail); }, LOOK);
  };
  const drop = async (one) => {
    if (!await sure(w("sure_document", short(one.name, 80)), w("yes_remove"), w("no"))) return;
    try { await remove(`${path}/documents/${pathOf(one.name)}`); await draw(); } catch (problem) { fail(problem); }
  };
  const send = async (files) => {
    fill(said);
    for (const file of files) {
      const label = w("uploading", short(file.name, 80));
      const bar = h("progress", { max: 1, value: 0, "aria-label": label });
      const line = h("p", { class: "quiet" }, label, " ", bar);
      said.append(line);
      try {
        await upload(`${path}/documents/${part(file.name)}`, file, (share) => { bar.value = share; });
        line.textContent = w("uploaded", short(file.name, 80));
      } catch (problem) {
        line.className = "warning";
        line.textContent = w("refused", short(file.name, 80), problem.message ? reason(problem) : refusal(problem));
      }
      announce(line.textContent);
    }
    await draw().catch(fail);
  };
  const input = h("input", { type: "file", id: `files-${corpus.id}`, multiple: true, class: "unseen", onchange: async (event) => { await send([...event.target.files]); event.target.value = ""; } });
  const zone = may && h("div", {
    class: "drop",
    ondragover: (event) => { event.preventDefault(); zone.classList.add("here"); },
    ondragleave: () => zone.classList.remove("here"),
    ondrop: (event) => { event.preventDefault(); zone.classList.remove("here"); send([...event.dataTransfer.files]); },
  }, input, h("label", { for: `files-${corpus.id}`, class: "button" }, w("add_files")), " ", h("span", { class: "quiet" }, w("drop_here")));
  draw().catch(fail);
  return h("section", { class: "corpus", "data-corpus": corpus.id },
    h("div", { class: "row wrap" }, h("h2", { class: "grow", dir: "auto" }, short(corpus.name, 100)),
      me.may.includes("runs:start") && h("a", { class: "button", href: `#/ask?corpus=${part(corpus.id)}` }, w("ask_these")),
      may && h("button", { type: "button", onclick: async () => {
        if (!await sure(w("sure_corpus", short(corpus.name, 80)), w("yes_delete"), w("no"))) return;
        try { await remove(path); await redraw(); } catch (problem) { fail(problem); }
      } }, w("delete_run"))),
    standing, zone, said, h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": short(corpus.name, 80) }, table), none, more);
}
