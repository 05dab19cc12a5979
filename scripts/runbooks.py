"""Write the runbooks as the service serves them, at /runbooks/NAME: run it after changing docs/runbooks."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "runbooks"
MADE = ROOT / "src" / "leadline" / "ui" / "runbooks"

_FRAME = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="/ui/files/runbook.css">
</head>
<body>
<main>
{body}</main>
</body>
</html>
"""
_BESIDE = re.compile(r"\]\(([a-z0-9-]+)\.md(#[a-z0-9-]+)?\)")
_ELSEWHERE = re.compile(r"\[([^\]]+)\]\(\.\./([a-z0-9/-]+\.md)(#[a-z0-9-]+)?\)")


def page(text: str) -> str:
    """Return a runbook as a page: markup in it is text; a link to a page that is not served names that page."""
    linked = _BESIDE.sub(r"](\1\2)", _ELSEWHERE.sub(r"\1 (`docs/\2`)", text))
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(linked)
    title = text.partition("\n")[0].removeprefix("# ")
    return _FRAME.format(title=escape(title), body=body)


def files() -> dict[str, str]:
    """Return the generated files, by name."""
    return {f"{path.stem}.html": page(path.read_text("utf-8")) for path in sorted(PAGES.glob("*.md"))}


def main() -> None:
    made = files()
    MADE.mkdir(exist_ok=True)
    for path in MADE.glob("*.html"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (MADE / name).write_text(text, encoding="utf-8")
        print(name)


if __name__ == "__main__":
    main()
