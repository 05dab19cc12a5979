"""The small web behind the Web UI's world: a few pages, and a survey of sixty with long names and addresses."""

from __future__ import annotations

from typing import Final

from leadline.testing import WebPage

STATIONS: Final = 60
NAMES: Final = ("Ailsa Craig", "Barra Head", "Cape Wrath", "Dubh Artach", "Eilean Glas", "Fair Isle", "Girdle Ness")
_FOLDER: Final = "/archive/northern-lights/reports-of-the-commissioners/1898/district-and-station-returns"


def page(title: str, *paragraphs: str, lang: str = "en") -> WebPage:
    """Return a page; titles and paragraphs are markup."""
    body = "".join(f"<p>{text}</p>" for text in paragraphs)
    return WebPage(
        body=(
            f"<html lang='{lang}'><head><meta charset='utf-8'><title>{title}</title></head>"
            f"<body><main><h1>{title}</h1>{body}</main></body></html>"
        ).encode()
    )


def survey() -> dict[str, WebPage]:
    """Return the pages of a survey by their paths."""
    return {station(number): _station(number) for number in range(1, STATIONS + 1)}


def station(number: int) -> str:
    """Return the path of a station's page; one is long enough to break a page that lets it."""
    more = "-with-the-annexes-and-the-tables-of-visibility-and-consumption-of-oil" * (5 if number == 7 else 1)
    return f"{_FOLDER}/station-{number:02}{more}"


def _station(number: int) -> WebPage:
    name = f"{NAMES[number % len(NAMES)]}, station {number}"
    title = f"Return of the lightkeepers of {name}"
    if number in {3, 7}:
        title += (
            ", together with the remarks of the inspecting engineer upon the state of the apparatus, the buildings, "
        )
        title += "the landing place and the stores, and a comparison with the returns of the preceding years"
    return page(
        title,
        f"The light of {name} was first shown in {1790 + number}. It is seen at {12 + number % 9} miles in clear weather.",
        f"The station of {name} burnt {300 + 11 * number} gallons of oil in the year of the survey.",
    )
