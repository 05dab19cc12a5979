// Makes elements. Whatever is text goes in as text: there is no way from a string to markup.

const HREF = /^(?:https?:\/\/|#|\/(?!\/))/i;
const SVG = "http://www.w3.org/2000/svg";

/** Makes an element: `h("a", { href: "#/runs", onclick: f }, "Runs")`. Nothing comes of null, undefined and false. */
export function h(name, fields = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(fields)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "href" && !HREF.test(value)) throw new Error("not an address of the web");
    else if (key === "value" || key === "checked" || key === "disabled" || key === "hidden") made[key] = value;
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  add(made, children);
  return made;
}

/** Adds children: nodes, texts, lists of both. */
export function add(parent, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : String(child));
  }
}

/** Puts children in the place of what an element holds. */
export function fill(parent, ...children) {
  parent.replaceChildren();
  add(parent, children);
}

/** A small picture that says nothing of its own; `paths` are drawn on a field of 24 by 24. */
export function icon(...paths) {
  const made = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" })) made.setAttribute(key, value);
  for (const path of paths) {
    const line = document.createElementNS(SVG, "path");
    line.setAttribute("d", path);
    made.append(line);
  }
  return made;
}

const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|\p{Cs}/gu;

/** Text without what hides or turns it; breaks are line feeds. */
export function visible(text) {
  return text.replace(/\r\n?|[\u0085\u2028\u2029\u000b\u000c]/gu, "\n").replace(INVISIBLE, "");
}

/** Text on one line, at most so many characters. */
export function short(text, most = 200) {
  const flat = visible(String(text ?? "")).replace(/\s+/gu, " ").trim();
  const parts = [...flat];
  return parts.length <= most ? flat : `${parts.slice(0, most - 1).join("").trimEnd()}…`;
}

let told = null;

/** Tells a screen reader something, once it is quiet. */
export function announce(text) {
  const place = document.getElementById("told");
  clearTimeout(told);
  told = setTimeout(() => { place.textContent = text; }, 150);
}

/** Asks yes or no in a dialog; resolves to whether it was yes. */
export function sure(question, yes, no) {
  return new Promise((resolve) => {
    const answer = (value) => () => { dialog.returnValue = value; dialog.close(value); };
    const dialog = h("dialog", { class: "sure", "aria-labelledby": "sure-what" },
      h("p", { id: "sure-what" }, question),
      h("div", { class: "row end" },
        h("button", { type: "button", onclick: answer("no") }, no),
        h("button", { type: "button", class: "danger", onclick: answer("yes") }, yes)));
    dialog.addEventListener("close", () => { dialog.remove(); resolve(dialog.returnValue === "yes"); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Calls a function once it was left alone for a while. */
export function later(wait, call) {
  let timer = null;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...given), wait);
  };
}
