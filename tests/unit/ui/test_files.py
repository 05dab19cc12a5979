"""The page's files: nothing inline, nothing from elsewhere, the same words in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from leadline.ports.admission import InboundLimit
from leadline.service.problems import STATUSES
from leadline.ui.files import INDEX, POLICY, static_files

FILES = static_files()
SCRIPTS = {name: file.body.decode() for name, file in FILES.items() if name.endswith(".js")}
STYLES = {name: file.body.decode() for name, file in FILES.items() if name.endswith(".css")}
TABLES = {name: text for name, text in SCRIPTS.items() if name.startswith("words_")}
FOLDER = Path(__file__).parents[3] / "src" / "leadline" / "ui" / "static"
WORD = re.compile(r'^  (\w+): \["((?:[^"\\]|\\.)+)", "((?:[^"\\]|\\.)+)"\],$', re.MULTILINE)
MOST_LINES = 400


def test_every_file_is_served_with_a_type_and_a_validator_of_its_own() -> None:
    assert set(FILES) == {path.name for path in FOLDER.iterdir()}
    assert len({file.etag for file in FILES.values()}) == len(FILES)
    assert all(re.fullmatch(r'"[\w-]{24}"', file.etag) for file in FILES.values())
    assert FILES[INDEX].media_type == "text/html; charset=utf-8"


def test_the_page_has_nothing_inline_and_nothing_from_elsewhere() -> None:
    page = FILES[INDEX].body.decode()
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert loaded
    assert all(address.startswith("/ui/files/") and address.rpartition("/")[2] in FILES for address in loaded)
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
    for text in STYLES.values():
        assert not re.search(r"@import|url\(", text)


def test_no_script_makes_markup_or_code_of_text() -> None:
    banned = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|srcdoc|createContextualFragment"
    )
    for name, text in SCRIPTS.items():
        assert not banned.search(text), name


def test_scripts_import_only_what_is_there() -> None:
    for name, text in SCRIPTS.items():
        for path, names in (
            (m[2], m[1]) for m in re.finditer(r"^import \{([^}]+)\} from \"([^\"]+)\";", text, re.MULTILINE)
        ):
            other = SCRIPTS[path.removeprefix("./")]
            for imported in (one.strip() for one in names.split(",")):
                assert re.search(rf"^export (?:async )?(?:function|const|class) {imported}\b", other, re.MULTILINE), (
                    name,
                    imported,
                )
                assert len(re.findall(rf"\b{imported}\b", text)) > 1, f"{name} does not use {imported}"


@pytest.mark.parametrize("name", sorted({*SCRIPTS, *STYLES}))
def test_files_are_short(name: str) -> None:
    assert FILES[name].body.count(b"\n") <= MOST_LINES


def test_words_are_there_in_both_languages_with_the_same_gaps() -> None:
    found = [word for text in TABLES.values() for word in WORD.findall(text)]
    words = {key: (english, chinese) for key, english, chinese in found}
    assert len(words) > 200
    assert len(words) == len(found), "a word stands in two tables"
    assert len(found) == sum(len(re.findall(r"^  \w+: \[", text, re.MULTILINE)) for text in TABLES.values())
    for key, (english, chinese) in words.items():
        assert sorted(re.findall(r"\{\d\}", english)) == sorted(re.findall(r"\{\d\}", chinese)), key
        if key not in {"of", "language", "language_hint", "schedule_at"}:
            assert re.search(r"[\u4e00-\u9fff]", chinese), key
            assert not re.search(r"[\u4e00-\u9fff]", english), key


def test_every_word_that_is_used_is_there_and_none_is_left_over() -> None:
    words = {key for text in TABLES.values() for key, _, _ in WORD.findall(text)}
    text = "\n".join(SCRIPTS.values())
    used = set(re.findall(r"\bw\(\"(\w+)\"", text))
    assert used <= words, used - words
    made = ("e_", "r_", "k_", "o_", "s_", "theme_", "document_", "every_")
    named = set(re.findall(r"\"(\w+)\"", "\n".join(text for name, text in SCRIPTS.items() if name not in TABLES)))
    hints = {key for key in words if key.endswith("_hint") and key.removesuffix("_hint") in words}
    strategies = {"auto", "extractive", "react", "resum", "iterresearch", "plan", "heavy"}
    left = words - used - named - hints - strategies - {key for key in words if key.startswith(made)}
    assert not left


def test_the_policy_lets_nothing_in() -> None:
    parts = dict(part.split(" ", 1) for part in POLICY.split("; "))
    assert parts["default-src"] == "'none'"
    assert parts["script-src"] == parts["style-src"] == parts["connect-src"] == "'self'"
    assert parts["require-trusted-types-for"] == "'script'"
    assert parts["trusted-types"] == "'none'"
    assert "unsafe" not in POLICY


def test_every_refusal_that_the_service_sends_is_told_in_chinese() -> None:
    known = set(re.findall(r"^  (\w+): \"[^\"]*[\u4e00-\u9fff]", SCRIPTS["refusals.js"], re.MULTILINE))
    assert {str(limit) for limit in InboundLimit} <= known
    assert {kind.code for kind in STATUSES} <= known
