"""Checks of a page as people meet it: names, landmarks, headings, sizes, contrast; each returns what is wrong."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Final

from playwright.sync_api import Page

ACCESSIBLE = r"""() => {
  const wrong = [];
  const seen = (e) => e.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
  const text = (e) => (e ? e.textContent.trim() : "");
  const byIds = (ids) => (ids || "").split(/\s+/).filter(Boolean).map((id) => text(document.getElementById(id))).join(" ").trim();
  const name = (e) => byIds(e.getAttribute("aria-labelledby")) || (e.getAttribute("aria-label") || "").trim()
    || [...(e.labels || [])].map(text).join(" ").trim() || text(e) || [...e.querySelectorAll("img[alt]")].map((i) => i.alt).join(" ").trim();
  const told = (e) => `${e.tagName.toLowerCase()}.${e.className}#${e.id} ${e.outerHTML.slice(0, 90)}`;
  for (const e of document.querySelectorAll("a[href], button, input, select, textarea, summary, [role=region], [role=group], progress, dialog[open], nav, aside")) {
    if (!seen(e) && !e.matches("input.unseen")) continue;
    if (e.getAttribute("aria-hidden") === "true") continue;
    if (!name(e)) wrong.push(`no name: ${told(e)}`);
  }
  for (const e of document.querySelectorAll("input, select, textarea")) {
    if (seen(e) && !e.getAttribute("aria-label") && !e.labels.length) wrong.push(`no label: ${told(e)}`);
  }
  for (const e of document.querySelectorAll("button, .button, summary, select, input:not([type=checkbox]), nav a")) {
    const box = e.getBoundingClientRect();
    if (seen(e) && !e.matches(".unseen, .skip") && (box.width < 24 || box.height < 23.9)) wrong.push(`too small (${box.width} x ${box.height}): ${told(e)}`);
  }
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push(`twice: #${id}`);
  for (const e of document.querySelectorAll("[aria-describedby], [aria-labelledby]")) {
    for (const key of ["aria-describedby", "aria-labelledby"]) for (const id of (e.getAttribute(key) || "").split(/\s+/).filter(Boolean)) {
      if (!document.getElementById(id)) wrong.push(`${key} leads nowhere: ${id}`);
    }
  }
  if (document.querySelectorAll("main").length !== 1) wrong.push("not one main");
  if (!document.querySelector("body > header")) wrong.push("no banner");
  if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
  let level = 0;
  for (const e of [...document.querySelectorAll("h1, h2, h3, h4")].filter(seen)) {
    const next = Number(e.tagName[1]);
    if (next > level + 1) wrong.push(`heading jumps from ${level} to ${next}: ${text(e)}`);
    level = next;
  }
  if (!/^(en|zh-CN)$/.test(document.documentElement.lang)) wrong.push("no language");
  if (!document.title.includes("Leadline")) wrong.push("no title");
  for (const e of document.querySelectorAll("[tabindex]")) if (e.tabIndex > 0) wrong.push(`a tab order of its own: ${told(e)}`);
  for (const e of document.querySelectorAll("img:not([alt])")) wrong.push(`no alternative: ${told(e)}`);
  for (const e of document.querySelectorAll("ul > *, ol > *")) if (e.tagName !== "LI") wrong.push(`no item: ${told(e)}`);
  for (const e of document.querySelectorAll("table")) if (!e.querySelector("th[scope]")) wrong.push("a table without headers");
  for (const e of document.querySelectorAll("[aria-hidden=true] a, [aria-hidden=true] button")) wrong.push(`hidden, yet reached: ${told(e)}`);
  return wrong;
}"""
"""Names (WCAG 2.2, 4.1.2), labels (3.3.2), target sizes (2.5.8), ids, landmarks, headings (1.3.1), language (3.1.1)."""

CONTRAST = r"""() => {
  const light = (c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const lum = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
  const rgb = (s) => s.match(/[0-9.]+/g).map(Number);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const found = [...document.querySelectorAll("body *")]
    .filter((e) => e.checkVisibility() && !e.closest(":disabled, .unseen, .skip, noscript, option"))
    .filter((e) => e.matches("input, textarea, select") || [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
  if (found.length < 8) return [`only ${found.length} texts`];
  return found.map((e) => [ratio(lum(rgb(getComputedStyle(e).color)), lum(ground(e))), e])
    .filter(([r]) => r < 4.5).map(([r, e]) => `${r.toFixed(2)}: ${e.outerHTML.slice(0, 120)}`);
}"""
"""Text against its ground (WCAG 2.2, 1.4.3): 4.5 to 1."""

FOCUS = r"""() => {
  const light = (c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const lum = (s) => { const [r, g, b] = s.match(/[0-9.]+/g).map(Number); return 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b); };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      const alpha = c.match(/[0-9.]+/g).map(Number)[3];
      if (alpha === undefined || alpha > 0) return c;
    }
    return "rgb(255, 255, 255)";
  };
  const ratio = (a, b) => { const [x, y] = [lum(a), lum(b)]; return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05); };
  const before = document.activeElement;
  const wrong = [];
  for (const e of document.querySelectorAll("a[href], button:not(:disabled), input, select, textarea, summary, [tabindex='0']")) {
    if (!e.checkVisibility() || e.matches(".unseen, .skip, [hidden]")) continue;
    e.focus({ preventScroll: true, focusVisible: true });
    if (document.activeElement !== e) continue;
    const { outlineStyle, outlineWidth, outlineColor, borderTopColor } = getComputedStyle(e);
    if (outlineStyle === "none" || parseFloat(outlineWidth) < 2) wrong.push(`no ring: ${e.outerHTML.slice(0, 90)}`);
    else if (ratio(outlineColor, ground(e.parentElement)) < 3) wrong.push(`ring too faint: ${e.outerHTML.slice(0, 90)}`);
    if (e.matches("input:not([type=checkbox]), select, textarea") && ratio(borderTopColor, ground(e.parentElement)) < 3) wrong.push(`edge too faint: ${e.outerHTML.slice(0, 90)}`);
  }
  before?.focus?.({ preventScroll: true });
  return wrong;
}"""
"""The ring around what has the focus, and the edges of fields (WCAG 2.2, 2.4.7 and 1.4.11): 3 to 1."""

_NAMED: Final = frozenset(
    {"button", "link", "textbox", "searchbox", "combobox", "checkbox", "spinbutton", "dialog", "region", "navigation"}
    | {"complementary", "log", "progressbar", "article", "table", "DisclosureTriangle", "heading", "Date"}
)
"""Roles whose names people are told."""

_ONCE: Final = ("main", "banner")
_HAN: Final = re.compile(r"[\u4e00-\u9fff]")
_OWN: Final = frozenset({"button", "checkbox", "combobox", "searchbox", "DisclosureTriangle"})
"""Roles whose names the page itself gives, and gives in its language."""


def tree_faults(page: Page, lang: str) -> list[str]:
    """Return what is wrong with the page in Chromium's accessibility tree, which is what screen readers are given."""
    session = page.context.new_cdp_session(page)
    nodes: list[dict[str, Any]] = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    told = [(_value(node, "role"), _value(node, "name").strip(), node) for node in nodes if not node.get("ignored")]
    wrong = [f"no name: {role}" for role, name, _ in told if role in _NAMED and not name]
    counts = Counter(role for role, _, _ in told)
    wrong += [f"{counts[role]} times {role}" for role in _ONCE if counts[role] != 1]
    levels = [_property(node, "level") for role, _, node in told if role == "heading"]
    if levels.count(1) != 1:
        wrong.append(f"headings of the first level: {levels.count(1)}")
    live = {_property(node, "live") for role, _, node in told if role == "status"}
    if live != {"polite"}:
        wrong.append(f"status regions are {live}")
    if not lang.startswith("zh"):
        wrong += [f"Chinese in English: {name}" for role, name, _ in told if role in _OWN and _foreign(name)]
    else:
        wrong += [f"English in Chinese: {name}" for role, name, _ in told if role in _OWN and _english(name)]
    return wrong


def _foreign(name: str) -> bool:
    return bool(_HAN.search(name)) and name not in {"切换到中文", "中文"}


def _english(name: str) -> bool:
    if name.startswith(("Show date picker", "Show time picker")):  # the browser's own word, in its own language
        return False
    plain = re.sub(r"\d+|HTML|PDF|Word|DOCX|Markdown|JSON|BibTeX|RIS|CSL|Ctrl|Enter|Ada Admin|zip", "", name)
    return bool(re.search(r"[A-Za-z]{3,}", plain)) and not _HAN.search(name) and name != "Switch to English"


def _value(node: dict[str, Any], key: str) -> str:
    return str(node.get(key, {}).get("value", ""))


def _property(node: dict[str, Any], name: str) -> object:
    return next((one["value"].get("value") for one in node.get("properties", ()) if one["name"] == name), None)
