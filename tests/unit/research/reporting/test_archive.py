"""Exports: the same bytes each time; what was changed is named; what is hostile is refused."""

from __future__ import annotations

import io
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.support.reports import AT, Made, chinese, english

from leadline.domain import Report, RunState, StopReason, sha256
from leadline.errors import BlobMissing, CheckFailed, InputError, LeadlineError
from leadline.events import Record, RunFinished
from leadline.research.reporting import archive
from leadline.research.reporting.report import from_json, to_json
from leadline.research.verification.recheck import recheck

Files = dict[str, bytes]


def stored(made: Made) -> Report:
    """Return the report as a run has it in store."""
    return from_json(to_json(made.report))


def write(path: Path, made: Made) -> Path:
    report = stored(made)
    end = RunFinished(state=RunState.DONE, stop_reason=StopReason.ANSWERED, report=sha256(to_json(report)))
    raw = b"raw bytes"
    archive.write(
        path,
        report=report,
        records=[Record(seq=1, at=AT, branch="", event=end)],
        sources={source.id: source for source in report.sources},
        texts=made.texts,
        raws={sha256(raw): raw},
    )
    return path


def files_of(path: Path) -> Files:
    with zipfile.ZipFile(path) as zipped:
        return {info.filename: zipped.read(info) for info in zipped.infolist()}


def packed(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, body in files.items():
            zipped.writestr(name, body)
    return path


def fixed_up(files: Files) -> Files:
    """Return the files with a manifest, and a journal, that agree with them."""
    manifest = orjson.loads(files["manifest.json"])
    end = orjson.loads(files["journal.jsonl"])
    files = {**files, "journal.jsonl": orjson.dumps({**end, "report": sha256(files["report.json"])}) + b"\n"}
    manifest["files"] = {name: sha256(body) for name, body in files.items() if name != "manifest.json"}
    return {**files, "manifest.json": orjson.dumps(manifest)}


def problems(opened: archive.Opened) -> list[str]:
    """Return all that `leadline verify` would find."""
    return [*opened.problems, *(p.message for p in recheck(opened.report, opened.read))]


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return write(tmp_path / "export.zip", english())


@pytest.mark.parametrize("made", [english(), chinese()], ids=["en", "zh"])
def test_an_export_stands(tmp_path: Path, made: Made) -> None:
    opened = archive.open_archive(write(tmp_path / "a.zip", made))
    assert opened.report == stored(made)
    assert opened.texts == {sha256(text.encode()): text for text in made.texts.values()}
    assert problems(opened) == []
    with pytest.raises(BlobMissing):
        opened.read("0" * 64)


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    made = english()
    other = Made(made.report, dict(reversed(list(made.texts.items()))))
    assert write(tmp_path / "a.zip", made).read_bytes() == write(tmp_path / "b.zip", other).read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as zipped:
        infos = zipped.infolist()
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert {stat.S_IMODE(info.external_attr >> 16) for info in infos} == {0o644}
    assert [i.filename for i in infos[:6]] == [
        *("manifest.json", "report.json", "report.md", "report.html", "journal.jsonl", "sources.json")
    ]


def test_nothing_is_left_where_it_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write"):
        write(tmp_path / "missing" / "a.zip", english())
    (tmp_path / "folder.zip").mkdir()
    with pytest.raises(InputError, match="cannot write"):
        write(tmp_path / "folder.zip", english())
    assert [path.name for path in tmp_path.iterdir()] == ["folder.zip"]


# --- changed -----------------------------------------------------------------------------------


def a_text(files: Files) -> str:
    return next(name for name in sorted(files) if name.startswith("texts/") and b"1979" in files[name])


def change_text(files: Files) -> Files:
    name = a_text(files)
    return {**files, name: files[name].replace(b"1979", b"1982")}


def change_quote(files: Files) -> Files:
    return {**files, "report.json": files["report.json"].replace(b"automated in 1979.", b"automated in 1982.")}


def change_verdict(files: Files) -> Files:
    return {**files, "report.json": files["report.json"].replace(b'"contradicted"', b'"supported"')}


def change_claim(files: Files) -> Files:
    return {**files, "report.json": files["report.json"].replace(b"stands 34 metres", b"stands 43 metres")}


def drop_text(files: Files) -> Files:
    return {name: body for name, body in files.items() if name != a_text(files)}


def change_page(files: Files) -> Files:
    return {**files, "report.html": files["report.html"].replace(b"34 metres", b"43 metres")}


def change_markdown(files: Files) -> Files:
    return {**files, "report.md": files["report.md"].replace(b"34 metres", b"43 metres")}


def change_raw(files: Files) -> Files:
    return {name: b"other" if name.startswith("raw/") else body for name, body in files.items()}


CHANGES: list[Callable[[Files], Files]] = [
    *(change_text, change_quote, change_verdict, change_claim, drop_text, change_page, change_markdown, change_raw)
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_named(tmp_path: Path, export: Path, change: Callable[[Files], Files]) -> None:
    changed = change(before := files_of(export))
    assert changed != before
    found = archive.open_archive(packed(tmp_path / "changed.zip", changed)).problems
    assert any("bytes changed" in p or "missing" in p for p in found)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_found_although_every_hash_was_fixed_up(
    tmp_path: Path, export: Path, change: Callable[[Files], Files]
) -> None:
    changed = fixed_up(change(files_of(export)))
    opened = archive.open_archive(packed(tmp_path / "changed.zip", changed))
    assert not any("bytes changed" in p for p in opened.problems)
    assert problems(opened)


def test_files_that_do_not_belong_are_named(tmp_path: Path, export: Path) -> None:
    more = {
        "../../etc/cron.d/x": b"x",
        "/abs": b"x",
        "texts/evil.txt": b"x",
        "raw/" + "0" * 64: b"x",
        "a\x1b[31m": b"x",
    }
    found = archive.open_archive(packed(tmp_path / "more.zip", {**files_of(export), **more})).problems
    assert "../../etc/cron.d/x: no file of an export" in found
    assert any(p.startswith(f"raw/{'0' * 64}: not in the manifest") for p in found)
    assert any("do not have the hash that names them" in p for p in found)
    assert [p for p in found if "\x1b" in p] == []
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".zip"] == []


def test_two_files_of_one_name_are_named(tmp_path: Path, export: Path) -> None:
    path = packed(tmp_path / "twice.zip", files_of(export))
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as zipped:
        warnings.simplefilter("ignore")
        zipped.writestr("report.json", files_of(export)["report.json"])
    assert "report.json: stands 2 times" in archive.open_archive(path).problems


def test_another_report_than_the_journals_is_named(tmp_path: Path, export: Path) -> None:
    files = files_of(export)
    files["journal.jsonl"] = files["journal.jsonl"].replace(sha256(files["report.json"]).encode(), b"0" * 64)
    manifest = orjson.loads(files["manifest.json"])
    manifest["files"]["journal.jsonl"] = sha256(files["journal.jsonl"])
    files["manifest.json"] = orjson.dumps(manifest)
    found = archive.open_archive(packed(tmp_path / "a.zip", files)).problems
    assert found == ("report.json: it is not the report that the journal ends with",)


# --- hostile -----------------------------------------------------------------------------------


def refused(path: Path, reason: str) -> None:
    with pytest.raises(CheckFailed, match=reason):
        archive.open_archive(path)


def test_what_is_no_zip_is_refused(tmp_path: Path, export: Path) -> None:
    whole = export.read_bytes()
    path = tmp_path / "bad.zip"
    for body in (b"", b"PK", b"not a zip" * 100, whole[: len(whole) // 2], whole[:-30]):
        path.write_bytes(body)
        refused(path, "not a whole zip file")
    with pytest.raises(InputError, match="cannot read"):
        archive.open_archive(tmp_path / "missing.zip")
    with pytest.raises(InputError, match="cannot read"):
        archive.open_archive(tmp_path)


def test_any_damaged_byte_is_refused_or_named(tmp_path: Path, export: Path) -> None:
    whole = export.read_bytes()
    path = tmp_path / "bad.zip"
    silent = []
    for offset in range(0, len(whole), 97):
        path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0x55]) + whole[offset + 1 :])
        try:
            opened = archive.open_archive(path)
        except LeadlineError:
            continue
        # Bytes that carry nothing of the content: times, versions, attributes of the zip itself.
        if not opened.problems and files_of(path) != files_of(export):
            silent.append(offset)
    assert silent == []


def test_bombs_are_refused(tmp_path: Path, export: Path) -> None:
    files = files_of(export)
    path = packed(tmp_path / "bomb.zip", {**files, f"raw/{'0' * 64}": bytes(100 << 20)})
    refused(path, "zip bomb")


def test_declared_sizes_are_not_believed(tmp_path: Path, export: Path) -> None:
    """A member that says it is small and unpacks to much is damaged, not read on."""
    body = bytes(100 << 20)
    path = packed(tmp_path / "liar.zip", {**files_of(export), f"raw/{sha256(body)}": body})
    lied = path.read_bytes().replace(struct.pack("<I", len(body)), struct.pack("<I", 10))
    path.write_bytes(lied)
    refused(path, "is damaged")


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_FILES", 50)
    refused(packed(tmp_path / "many.zip", {f"f{i}": b"" for i in range(51)}), "at most 50")


def test_encrypted_members_are_refused(tmp_path: Path, export: Path) -> None:
    whole = bytearray(export.read_bytes())
    for signature, flag in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = whole.index(signature)
        whole[place + flag] |= 1
    path = tmp_path / "encrypted.zip"
    path.write_bytes(whole)
    refused(path, "encrypted")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_packings_are_refused(tmp_path: Path, export: Path, method: int) -> None:
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w", method) as zipped:
        for name, body in files_of(export).items():
            zipped.writestr(name, body)
    refused(path, "a method that exports do not use")


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"{}",
        b'{"schema":"leadline.export/1","files":[],"software":"1"}',
        b'{"schema":"other","files":{},"software":"1"}',
        b'{"schema":"leadline.export/1","files":{"report.json":5},"software":"1"}',
    ],
)
def test_a_bad_manifest_is_refused(tmp_path: Path, export: Path, manifest: bytes) -> None:
    refused(packed(tmp_path / "a.zip", {**files_of(export), "manifest.json": manifest}), "is no export")


@pytest.mark.parametrize("name", ["manifest.json", "report.json"])
def test_an_export_without_its_heart_is_refused(tmp_path: Path, export: Path, name: str) -> None:
    files = files_of(export)
    del files[name]
    refused(packed(tmp_path / "a.zip", files), f"no {name}")


def test_a_report_that_names_what_it_does_not_have_is_no_crash(tmp_path: Path, export: Path) -> None:
    files = files_of(export)
    report: dict[str, Any] = orjson.loads(files["report.json"])
    report["sources"] = []
    report["answer_claims"] = ["c000000000000"]
    opened = archive.open_archive(packed(tmp_path / "a.zip", fixed_up({**files, "report.json": orjson.dumps(report)})))
    assert any("unknown claim" in p for p in problems(opened))


def test_a_zip_of_all_sorts_is_refused(tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as zipped:
        zipped.writestr("word/document.xml", "<w/>")
    path = tmp_path / "a.docx"
    path.write_bytes(made.getvalue())
    refused(path, "has no manifest.json")
