"""Hooks of MkDocs: pages in the order of a table, and links that leave docs/ as plain names.

A page that stands in no section below comes under the last one, so a new page is never lost.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

ORDER = {
    "Begin": ("index.md", "guide/*.md"),
    "Research": ("strategies.md", "models.md", "tongyi.md", "tools.md", "quality.md", "evaluation.md", "benchmarks.md"),
    "Service": ("service.md", "api.md", "openai.md", "client.md", "web-ui.md", "webhooks.md", "mcp.md", "tenancy.md"),
    "Platform": ("platform.md", "storage.md", "eventlog.md", "limits.md", "gateway.md", "security.md"),
    "Operations": (
        *("operations*.md", "metrics.md", "logging.md", "alerts.md", "doctor.md", "preflight.md", "deploy*.md"),
        *("backup.md", "upgrade.md", "release.md", "runbooks/*.md"),
    ),
    "Reference": ("reference/*.md",),
    "Decisions": ("decisions/*.md",),
    "More": ("*.md",),
}
OUTSIDE = re.compile(r"\[(?P<text>[^\]]+)\]\((?P<target>(?:\.\./)+[^)\s]+)\)")


def on_files(files: Any, config: Any) -> Any:  # noqa: ANN401 types of MkDocs, which scripts do not need
    """Make the navigation from the pages that there are."""
    waiting = sorted(file.src_uri for file in files.documentation_pages() if not file.inclusion.is_excluded())
    nav = []
    for title, patterns in ORDER.items():
        found = [page for pattern in patterns for page in waiting if fnmatchcase(page, pattern)]
        found = list(dict.fromkeys(found))
        waiting = [page for page in waiting if page not in found]
        if found:
            nav.append({title: found})
    config["nav"] = nav
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:  # noqa: ANN401 as above
    """Show what lies outside of the site by its name in the repository."""
    here = PurePosixPath(page.file.src_uri).parent

    def plain(match: re.Match[str]) -> str:
        up = match["target"].count("../")
        if up <= len(here.parts):
            return match[0]
        return f"{match['text']} (`{match['target'].lstrip('./')}`)"

    return OUTSIDE.sub(plain, markdown)
