"""When a page is worth a browser, what one may cost, and what is done to it there.

The programs below run in an isolated world: they see the page's tree, and none of the names that
the page's own scripts may have put in the place of the browser's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from leadline.extract.types import Extracted
from leadline.fetch.http import Page

MiB: Final = 1 << 20
_FEW: Final = 200  # code points that are not spaces; a page with as many says something by itself
NOTHING: Final = 40
"""Letters: what holds fewer is still being built, for all that can be told."""

_SCRIPT: Final = re.compile(rb"<script\b", re.IGNORECASE)
_HTML: Final = ("text/html", "application/xhtml+xml")

ARGUMENTS: Final = (
    *("--headless", "--remote-debugging-pipe", "--no-startup-window", "--user-data-dir=/tmp/profile"),
    *("--no-first-run", "--no-default-browser-check", "--disable-field-trial-config", "--password-store=basic"),
    # Nothing of its own goes out, and nothing but HTTP through the proxy. Its network has no other
    # way; these spare it the attempts.
    *("--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-sync"),
    *("--disable-extensions", "--disable-domain-reliability", "--disable-breakpad", "--disable-quic"),
    *("--proxy-server=http://127.0.0.1:9", "--proxy-bypass-list=<-loopback>"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    # Surfaces that no text needs.
    *("--disable-gpu", "--disable-3d-apis", "--disable-file-system", "--disable-notifications"),
    *("--disable-speech-api", "--disable-remote-fonts", "--deny-permission-prompts", "--mute-audio"),
    *("--renderer-process-limit=4", "--disable-back-forward-cache", "--disable-renderer-backgrounding"),
    "--disable-features=Translate,MediaRouter,OptimizationHints,AutofillServerCommunication",
)
"""How Chromium is started. Its sandbox is on: no argument here, or elsewhere, takes it away."""

WANTED: Final = frozenset({"document", "stylesheet", "script", "xhr", "fetch", "eventsource", "other"})
"""What of a page is loaded: no pictures, fonts or films, since none of them is text."""

QUIET: Final = """new Promise((done) => {
  const tell = () => done(document.body ? document.body.innerText.replace(/\\s+/g, "").length : 0);
  let timer = setTimeout(tell, %d);
  const again = () => { clearTimeout(timer); timer = setTimeout(tell, %d); };
  new MutationObserver(again).observe(document, {childList: true, subtree: true, characterData: true});
})"""
"""Waits until the page's tree has not changed for so many milliseconds; returns how many letters it holds."""

SERIALISED: Final = """(() => {
  const most = %d;
  const seen = {opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: false};
  const prune = (root) => {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT);
    const hidden = [];
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (node.shadowRoot) prune(node.shadowRoot);
      if (node.checkVisibility && !node.checkVisibility(seen) && getComputedStyle(node).display !== "contents")
        hidden.push(node);
    }
    for (const node of hidden) node.remove();
  };
  const flatten = (root) => {
    for (const host of root.querySelectorAll("*")) {
      const shadow = host.shadowRoot;
      if (!shadow) continue;
      flatten(shadow);
      for (const slot of shadow.querySelectorAll("slot")) {
        const given = slot.assignedNodes({flatten: true});
        slot.replaceWith(...(given.length ? given : [...slot.childNodes]));
      }
      host.replaceChildren(...shadow.childNodes);
    }
  };
  try { if (document.body) prune(document.body); } catch (error) { return {failed: "prune"}; }
  try { flatten(document); } catch (error) { return {failed: "flatten"}; }
  const html = document.documentElement ? document.documentElement.outerHTML : "";
  return {html: html.slice(0, most), cut: html.length > most};
})()"""
"""The page's tree as HTML: what is not to be seen is dropped, open shadow trees take their hosts' place."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderLimits:
    """What one page may cost in the browser, and when the browser goes.

    `seconds` in all, of them `settle` until the page's tree has to be `quiet` for so long;
    `requests` and `bytes` through the proxy, over `connections` at one time; `chars` of the tree.
    `memory` bounds the browser and its driver, in bytes. A browser is replaced after `pages`, and
    ends after `idle` seconds without one.
    """

    seconds: float = 15.0
    settle: float = 6.0
    quiet: float = 0.5
    requests: int = 200
    bytes: int = 20 * MiB
    connections: int = 8
    chars: int = 5_000_000
    memory: int = 1024 * MiB
    pages: int = 50
    idle: float = 120.0


def script_built(page: Page, extracted: Extracted) -> bool:
    """Whether a page says almost nothing without its scripts, and a browser may be asked.

    A page to which the operator's own headers were sent is not: the browser does not send them.
    """
    if page.personal or page.media_type not in _HTML or letters(extracted.text) >= _FEW:
        return False
    return _SCRIPT.search(page.body) is not None


def letters(text: str) -> int:
    """Return how many code points of a text are no spaces."""
    return sum(map(len, text.split()))
