from __future__ import annotations

from pathlib import Path

import pytest

from leadline.errors import MissingExtra
from leadline.render.fonts import FOLDERS, Wardrobe, dress
from leadline.render.scripts import advice

DEJAVU = "/usr/share/fonts/truetype/dejavu"
pytestmark = pytest.mark.server("fonts")


def drawn(wardrobe: Wardrobe, text: str, *, bold: bool = False) -> list[bool]:
    """Return for each character whether a Chinese face draws it."""
    return [face.chinese for face in wardrobe.faces(text, bold=bold)]


@pytest.mark.parametrize(
    ("text", "wide"),
    [("don’t", [False]), ("“长期支持”", [True] * 2), ("所谓“LTS”版本", [True] * 2), ("增长“5.3%”。", [True] * 2)],
)
def test_shared_marks_are_as_wide_as_the_letters_beside_them(text: str, wide: list[bool]) -> None:
    chosen = drawn(dress(text, "", chinese=True), text)
    assert [chosen[at] for at, char in enumerate(text) if char in "‘’“”"] == wide


def test_an_english_page_takes_chinese_faces_for_chinese_alone() -> None:
    wardrobe = dress("A word, 中文", "", chinese=False)
    assert drawn(wardrobe, "A word, 中文") == [False] * 8 + [True] * 2


def test_bold_text_has_a_bold_face_and_else_the_regular_one(tmp_path: Path) -> None:
    assert dress("a", "b", chinese=False).faces("b", bold=True)[0].path.stem.endswith("Bold")
    (tmp_path / "DejaVuSans.ttf").symlink_to(f"{DEJAVU}/DejaVuSans.ttf")
    assert dress("a", "b", chinese=False, folders=[str(tmp_path)]).faces("b", bold=True)[0].path.stem == "DejaVuSans"


def test_every_character_has_a_face_that_covers_it() -> None:
    text = "Mixed 中文 кириллица αβγ → ≤ € שלום العربية"
    for bold in (False, True):
        faces = dress(text, text, chinese=False).faces(text, bold=bold)
        assert all(ord(char) in face.covers for char, face in zip(text, faces, strict=True))


def test_damaged_and_foreign_files_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "NotoSans-Regular.ttf").write_bytes(Path(DEJAVU, "DejaVuSans.ttf").read_bytes()[:5_000])
    (tmp_path / "NotoSansCJK-Regular.ttc").write_bytes(b"ttcf" + b"\xff" * 200)
    (tmp_path / "Arial.ttf").mkdir()
    faces = dress("a", "", chinese=True, folders=[str(tmp_path), DEJAVU]).regular
    assert {face.path.stem for face in faces} == {"DejaVuSans"}


def test_a_font_under_any_name_is_found(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "Strange Name.TTF").symlink_to(f"{DEJAVU}/DejaVuSans.ttf")
    assert dress("aж→", "", chinese=False, folders=[str(tmp_path)]).spelled == {}


def test_what_no_font_has_is_written_out_only_if_it_is_a_picture() -> None:
    assert dress("a🚀", "", chinese=False, folders=[DEJAVU]).spelled == {0x1F680: "[rocket]"}
    with pytest.raises(MissingExtra, match="中"):
        dress("a中", "", chinese=False, folders=[DEJAVU])


@pytest.mark.parametrize(
    ("missing", "package"),
    [
        ("中", "fonts-noto-cjk"),
        ("ひ", "fonts-noto-cjk"),
        ("한", "fonts-noto-cjk"),
        ("。", "fonts-noto-cjk"),
        ("，", "fonts-noto-cjk"),
        ("ж", "fonts-dejavu-core"),
        ("≤", "fonts-dejavu-core"),
        ("ß", "fonts-dejavu-core"),
        ("ก", "fonts-noto-core"),
        ("अ", "fonts-noto-core"),
        ("\U00020001", "fonts-hanazono"),
    ],
)
def test_each_script_has_a_package(missing: str, package: str) -> None:
    assert f"apt-get install {package}\n" in advice(missing)


def test_folders_of_all_systems_are_known() -> None:
    assert {"/usr/share/fonts", "/Library/Fonts", "C:/Windows/Fonts"} <= set(FOLDERS)
