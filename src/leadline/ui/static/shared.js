// A report behind a read-only link.

import { sharedRun } from "./api.js";
import { h } from "./dom.js";
import { exportMenu } from "./export.js";
import { asked, report } from "./report.js";
import { language, w } from "./words.js";

export async function sharedPage({ parts }) {
  const run = sharedRun(parts[0] ?? "");
  let view;
  try {
    view = await run.view(language());
  } catch (problem) {
    if (![400, 404, 422].includes(problem.status)) throw problem;
    return { title: w("share"), body: [h("h1", {}, "Leadline"), h("p", { class: "warning", role: "alert" }, w("shared_gone"))] };
  }
  const drawn = report(run, view);
  return {
    title: view.question.slice(0, 80),
    wide: true,
    leave: drawn.leave,
    body: h("div", { class: "columns" },
      h("div", {}, h("p", { class: "notice" }, w("shared_lead")), asked(view.question), h("div", { class: "row wrap actions" }, exportMenu(run, "report")), drawn.body),
      drawn.beside),
  };
}
