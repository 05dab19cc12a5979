// Sets of documents, where the service keeps them.

import { ask, get, post, remove } from "./api.js";
import { announce, fill, h, short, sure } from "./dom.js";
import { bytes, moment, refusal, w } from "./words.js";

const part = encodeURIComponent;
const listed = (found) => found.items ?? found;

export async function documentsPage({ me }) {
  if (!me.offers.corpora) return { title: w("documents"), body: [h("h1", {}, w("documents")), h("p", { class: "quiet" }, w("not_offered"))] };
  const may = me.may.includes("corpora:write");
  const place = h("div", {});
  const said = h("p", { class: "warning", role: "alert" });
  const name = h("input", { id: "corpus-name", maxlength: 100, required: true });
  const draw = async () => {
    const corpora = listed(await get("/v1/corpora?limit=200"));
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
  const rows = h("tbody", {});
  const none = h("p", { class: "quiet", hidden: true }, w("empty"));
  const table = h("table", {}, h("thead", {}, h("tr", {}, [w("name"), w("size"), w("added"), may ? w("remove") : ""].map((label, at) => label && h("th", { scope: "col" }, at === 3 ? h("span", { class: "unseen" }, label) : label)))), rows);
  const draw = async () => {
    const documents = listed(await get(`${path}/documents?limit=200`));
    none.hidden = documents.length > 0;
    table.hidden = !documents.length;
    fill(rows, documents.map((one) => h("tr", {},
      h("td", {}, h("bdi", {}, one.name)), h("td", { class: "number" }, bytes(one.size ?? 0)), h("td", {}, one.added_at ? moment(one.added_at) : ""),
      may && h("td", {}, h("button", { type: "button", class: "plain", "aria-label": `${w("remove")}: ${one.name}`, onclick: () => drop(one) }, w("remove"))))));
  };
  const drop = async (one) => {
    if (!await sure(w("sure_document", short(one.name, 80)), w("yes_remove"), w("no"))) return;
    try { await remove(`${path}/documents/${part(one.name)}`); await draw(); } catch (problem) { fill(said, h("p", { class: "warning" }, refusal(problem))); }
  };
  const send = async (files) => {
    fill(said);
    for (const file of files) {
      const line = h("p", { class: "quiet" }, w("uploading", short(file.name, 80)));
      said.append(line);
      try {
        await ask("PUT", `${path}/documents/${part(file.name)}`, { body: file });
        line.textContent = w("uploaded", short(file.name, 80));
      } catch (problem) {
        line.className = "warning";
        line.textContent = w("refused", short(file.name, 80), problem.message || refusal(problem));
      }
      announce(line.textContent);
    }
    await draw();
  };
  const input = h("input", { type: "file", id: `files-${corpus.id}`, multiple: true, class: "unseen", onchange: async (event) => { await send([...event.target.files]); event.target.value = ""; } });
  const zone = may && h("div", {
    class: "drop",
    ondragover: (event) => { event.preventDefault(); zone.classList.add("here"); },
    ondragleave: () => zone.classList.remove("here"),
    ondrop: (event) => { event.preventDefault(); zone.classList.remove("here"); send([...event.dataTransfer.files]); },
  }, input, h("label", { for: `files-${corpus.id}`, class: "button" }, w("add_files")), " ", h("span", { class: "quiet" }, w("drop_here")));
  draw().catch((problem) => fill(said, h("p", { class: "warning" }, refusal(problem))));
  return h("section", { class: "corpus" },
    h("div", { class: "row wrap" }, h("h2", { class: "grow", dir: "auto" }, short(corpus.name, 100)),
      me.may.includes("runs:start") && h("a", { class: "button", href: `#/ask?corpus=${part(corpus.id)}` }, w("ask_these")),
      may && h("button", { type: "button", onclick: async () => {
        if (await sure(w("sure_corpus", short(corpus.name, 80)), w("yes_delete"), w("no"))) { await remove(path); await redraw(); }
      } }, w("delete_run"))),
    zone, said, h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": short(corpus.name, 80) }, table), none);
}
