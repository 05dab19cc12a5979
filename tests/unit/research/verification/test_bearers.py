"""What takes support away: said of another, with another value, the other way round, or with a reserve."""

from __future__ import annotations

import pytest

from leadline.research.verification.bearers import check_bearers
from leadline.research.verification.cells import check_cells
from leadline.research.verification.pairing import check_counted, check_pairs
from leadline.research.verification.statements import Statement
from leadline.text.sentences import split

TOWN = "Lisbon has 545,000 inhabitants. Porto has 232,000 inhabitants."
DAM = "The dam is 45 m high and 310 m long."
GROWTH = "The city's population grew from 120,000 in 1950 to 310,000 in 1990, then declined to 280,000 by 2010."
SAMPLES = "Most of the samples contained lead, and some contained arsenic. All were collected in May."
PLANT = "Tarn Motors plans to close its plant in Lisk next year and may sell the site."
TABLE = (
    "| Country | Area (km2) | Population |\n|---|---|---|\n| Orvia | 41,000 | 8,200,000 |\n| Quell | 12,500 | 640,000 |"
)
BUYERS = "Helix Corp acquired Brandt Systems in 2016. Brandt had earlier bought the start-up Lumo."
METALS = "Gold melts at 1,064 °C and silver at 962 °C. Copper melts at 1,085 °C."
METALS_ZH = "金的熔点是1064℃，银的熔点是962℃，铜的熔点是1085℃。"
PLANT_ZH = "天恒汽车计划明年关闭在临海的工厂，并可能出售厂址。"
BUYERS_ZH = "2016年，海蓝公司以3亿美元收购了博特系统。"


def reasons(claim: str, text: str) -> list[str]:
    said = Statement(claim)
    evidence = [Statement(text[span.start : span.end], "s", span.start) for span in split(text)]
    found = [*check_bearers(said, evidence, context=frozenset()), *check_pairs(said, evidence)]
    found += [*check_counted(said, evidence), *check_cells(said, evidence)]
    assert not any(finding.conflict or finding.stands for finding in found)
    return [finding.reason for finding in found]


@pytest.mark.parametrize(
    ("claim", "text", "reason"),
    [
        ("Lisbon has 232,000 inhabitants.", TOWN, "of Porto, not Lisbon"),
        ("Gold melts at 1,085 °C.", METALS, "of Copper, not Gold"),
        ("Silver melts at 1,064 °C.", METALS, "of Gold, not Silver"),
        ("银的熔点是1064℃。", METALS_ZH, "金的熔点, not 银的熔点"),
        ("The dam is 310 m high.", DAM, "310 m is the value of something else"),
        ("The city's population was 310,000 in 1950.", GROWTH, "310,000 goes with 1990"),
        ("The city had 120,000 inhabitants in 1990.", GROWTH, "120,000 goes with 1950"),
        ("Brandt Systems acquired Helix Corp in 2016.", BUYERS, "of Helix Corp, not Brandt Systems|other way round"),
        ("Helix Corp was acquired by Brandt Systems in 2016.", BUYERS, "other way round"),
        ("2016年，博特系统以3亿美元收购了海蓝公司。", BUYERS_ZH, "other way round"),
        ("2016年，海蓝公司被博特系统收购。", BUYERS_ZH, "other way round"),
        ("Tarn Motors will sell the site.", PLANT, "with a reserve: may"),
        ("天恒汽车出售了厂址。", PLANT_ZH, "with a reserve: 可能"),
        ("天恒汽车关闭了在临海的工厂。", PLANT_ZH, "with a reserve: 计划"),
        ("All of the samples contained lead.", SAMPLES, "of fewer or more: Most"),
        ("All of the samples contained arsenic.", SAMPLES, "of fewer or more: some"),
        ("Orvia has a population of 640,000.", TABLE, "stands in the row Quell"),
        ("The area of Orvia is 8,200,000 km2.", TABLE, "stands in the column Population"),
    ],
)
def test_what_is_said_of_another_or_with_a_reserve_is_told(claim: str, text: str, reason: str) -> None:
    told = reasons(claim, text)
    assert any(one in reason_told for one in reason.split("|") for reason_told in told), told


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ("Porto has a population of 232,000.", TOWN),
        ("Silver melts at 962 °C.", METALS),
        ("银的熔点为962℃。", METALS_ZH),
        ("The dam is 310 metres long.", DAM),
        ("In 1990 the city's population was 310,000.", GROWTH),
        ("By 2010 the population had declined to 280,000.", GROWTH),
        ("Brandt Systems was acquired by Helix Corp in 2016.", BUYERS),
        ("2016年，博特系统被海蓝公司以3亿美元收购。", BUYERS_ZH),
        ("Tarn Motors intends to close its plant in Lisk next year.", PLANT),
        ("Tarn Motors may sell the site of the plant.", PLANT),
        ("天恒汽车打算明年关闭在临海的工厂。", PLANT_ZH),
        ("Some of the samples contained arsenic.", SAMPLES),
        ("Orvia has a population of 8,200,000.", TABLE),
        ("Karin Lund won the 5,000 metres.", "Karin Lund came third in the 10,000 metres. She won the 5,000 metres."),
        (
            "Martin Vane joined the Selby Press in 1902.",
            "Gregor Holt founded the Selby Press in 1890. Martin Vane joined in 1902.",
        ),
        ("After the war refugees rebuilt the village.", "The village was rebuilt by refugees after the war."),
        (
            "The treaty was signed in Lisbon.",
            "The treaty was signed in Lisbon on 13 December 2007 by twenty-seven states.",
        ),
        ("Norvale Steel employs 900 people.", "Norvale Steel was founded in 1901. The company employs 900 people."),
    ],
)
def test_what_is_only_worded_otherwise_stands(claim: str, text: str) -> None:
    assert reasons(claim, text) == []
