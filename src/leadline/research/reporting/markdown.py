"""A report as Markdown: readable in a terminal, safe in any renderer.

No markup, image or link of a source passes through: what comes from sources or models is escaped,
and the only links are the addresses of cited sources and, by the hash of its bytes, what programs of
the run made: that lies in a folder beside the report (`telling.artefacts`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from leadline.domain import Report, Source
from leadline.research.reporting.sheet import LISTED, Sheet
from leadline.telling.addresses import address, linkable, name, readable
from leadline.telling.artefacts import NO_BODIES, Group, listing, path_of, program_path, title
from leadline.text.clean import squeeze, visible

# Endings after which renderers take a bare name for a host: countries' (ISO 3166, as the root zone has them) and
# the common ones.
_ENDINGS: Final = (
    r"(?:a[cdefgilmnoqrstuwxz]|b[abdefghijmnorstvwyz]|c[acdfghiklmnoruvwxyz]|d[ejkmoz]|e[cegrstu]|f[ijkmor]"
    r"|g[abdefghilmnpqrstuwy]|h[kmnrtu]|i[delmnoqrst]|j[emop]|k[eghimnprwyz]|l[abcikrstuvy]|m[acdeghklmnopqrstuvwxyz]"
    r"|n[acefgilopruz]|om|p[aefghklmnrstwy]|qa|r[eosuw]|s[abcdeghijklmnorstuvxyz]|t[cdfghjklmnortvwz]|u[agksyz]"
    r"|v[aceginu]|w[fs]|y[et]|z[amw]"
    r"|biz|com|edu|gov|net|org|pro|web|xxx|aero|asia|coop|info|museum|name|shop|рф)\b"
)
# Only what some renderer would act on: text full of backslashes cannot be read in a terminal.
_ACTIVE: Final = re.compile(
    # What a source has as code, `wal_level`, stays code where nothing in it could be more than text anywhere.
    r"(?P<code>(?<!`)`[^\s`\\<&{}$](?:[^`\\<&{}$]*[^\s`\\<&{}$])?`(?!`))"
    # An address that stands alone, and a name between underscores, `__init__`: as code they read as they are.
    r"""|(?P<bare>(?<![^\s(\["'“‘（《<，、：；。])(?:(?:https?|ftp)://(?:[\w/#?&=%+@:;,.~!-]*[\w/#=%+-])"""
    r"""|__\w+(?=[.,;:!?)\]"'”’，。；：！？、）》…]*(?:\s|$))))"""
    # A file or host that stands alone among words, `notes.md`: as code it is no link and reads as it is.
    r"""|(?P<named>(?<![^\s(\["'“‘（《，、：；。])(?=[\w./-]*[^\W_]\.""" + _ENDINGS + r")"
    r"""/?[^\W_][\w-]*(?:[./][\w-]+)+(?=[.,;:!?)\]"'”’，。；：！？、）》…]*(?:\s|$)))"""
    r"|[`*~]"
    # Words in brackets are no link: where `[` is escaped, no text can define what they would lead to.
    r"|\[(?!\w[^\[\]\\^`*_~<>&@!$#{}/:|]+\]\s\w)"
    r"|\\(?=[!-/:-@\[-`{-~]|$)"
    r"|<(?=[a-z/!?]|$)"
    r"|&(?=#|[a-z]\w*;)"
    r"|_+"
    r"|\$(?!\d)"
    r"|\{(?=[{%:#.])|(?<=\{)[{%]"
    r"|!(?=\[)"
    r"|(?<=\s)#(?=#*$)"  # the end of a heading
    # what renderers turn into links by themselves
    r"|/(?=/)|(?<=\bmailto):|(?<=\bxmpp):|(?<=\bwww)\.|(?<=\S)@(?=\S)"
    r"|(?<=[^\W_])\.(?=" + _ENDINGS + r")",
    re.IGNORECASE,
)
_OPENING: Final = re.compile(r"\A([#>+=:!|-]|\d+(?=[.)](?:\s|$)))")


def to_markdown(report: Report, bodies: Mapping[str, bytes] = NO_BODIES) -> str:
    """Return the report as Markdown with numbered citations; `bodies` are by their hash programs' texts to list."""
    return _Markdown(report).whole(bodies)


def changes_to_markdown(report: Report) -> str:
    """Return what changed since an earlier report, alone; empty where the report is compared with none."""
    return _Markdown(report).changes()


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, on one line, without characters that hide or turn it."""
    plain = visible(squeeze(text)).strip()
    return _OPENING.sub(_opening, _ACTIVE.sub(_inert, plain))


def _inert(found: re.Match[str]) -> str:
    """Return what was found, escaped; underscores within a word are no emphasis, names and addresses code."""
    if found["code"]:
        return found[0]
    if found["named"] or found["bare"]:
        return f"`{found[0]}`"
    whole, start, end = found.string, found.start(), found.end()
    before, behind = whole[max(0, start - 1) : start], whole[end : end + 1]
    if found[0].startswith("_") and before.isalnum() and behind.isalnum():
        return found[0]
    return "".join(f"\\{char}" for char in found[0])


def code(text: str) -> str:
    """Return text as a code span: to copy as it stands, and inert."""
    plain = visible(squeeze(text)).strip()
    fence = "`" * (max(map(len, re.findall("`+", plain)), default=0) + 1)
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain}{pad}{fence}" if plain else ""


def _opening(found: re.Match[str]) -> str:
    return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"


class _Markdown(Sheet):
    def shown(self, text: str) -> str:
        return escape(text)

    def title(self, text: str) -> str:
        return f"# {escape(text)}"

    def head(self, text: str) -> str:
        return f"## {escape(text)}"

    def strong(self, text: str) -> str:
        return f"**{text}**"

    def remark(self, text: str) -> str:
        return f"*({text})*"

    def gone(self, text: str) -> str:
        return f"~~{text}~~"

    def address(self, source: Source) -> str:
        uri = address(source)
        return f"<{uri}>" if linkable(uri) else code(readable(uri))

    def named(self, source: Source, about: Sequence[str]) -> str:
        known = "".join(f", {one}" for one in about)
        return f"**{escape(name(source))}**{known}  \n{self.address(source)}"

    def group(self, group: Group, program: bytes | None) -> Iterator[str]:
        for one in group.shown:
            told = escape(title(one, self.language))
            yield f"{'' if one.number is None else '!'}[{told}]({path_of(one.made)})"
            if one.number is not None:
                yield f"*{told}*"
        yield f"[{self.word('program')}]({program_path(group.program)})"
        lines, more = listing(program, most=LISTED)
        if lines:
            fence = "`" * max(3, 1 + max(len(run) for run in re.findall("`*", "\n".join(lines))))
            yield "\n".join((f"{fence}python", *lines, fence))
        if more:
            yield escape(self.word("more_lines").format(f"{more:,}"))
