// Export menu: every form of a report, handed over as a file.

import { save } from "./api.js";
import { h } from "./dom.js";
import { refusal, w } from "./words.js";

const FORMS = [["html", "HTML", "html"], ["pdf", "PDF", "pdf"], ["docx", "Word (DOCX)", "docx"], ["md", "Markdown", "md"], ["json", "JSON", "json"], ["bibtex", "BibTeX", "bib"], ["ris", "RIS", "ris"], ["csl", "CSL-JSON", "csl.json"]];

/** A disclosure with a button a form; it closes with Escape and when the focus leaves it. */
export function exportMenu(run, id) {
  const said = h("p", { class: "warning", role: "alert" });
  const take = (load, suffix) => async (event) => {
    said.textContent = "";
    event.target.setAttribute("aria-busy", "true");
    try {
      save(await load(), `${id}.${suffix}`);
      menu.open = false;
      summary.focus();
    } catch (problem) { said.textContent = refusal(problem); }
    event.target.removeAttribute("aria-busy");
  };
  const item = (label, load, suffix) => h("li", {}, h("button", { type: "button", "data-form": suffix, onclick: take(load, suffix) }, label));
  const summary = h("summary", { class: "button" }, w("export"));
  const menu = h("details", { class: "menu" }, summary,
    h("div", { class: "sheet" }, h("ul", {},
      FORMS.map(([form, label, suffix]) => item(label, () => run.form(form), suffix)),
      run.archive && item(w("export_zip"), run.archive, "zip")), said));
  menu.addEventListener("keydown", (event) => { if (event.key === "Escape" && menu.open) { menu.open = false; summary.focus(); event.stopPropagation(); } });
  menu.addEventListener("focusout", (event) => { if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false; });
  document.addEventListener("pointerdown", (event) => { if (!menu.contains(event.target)) menu.open = false; });
  return menu;
}
