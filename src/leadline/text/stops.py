"""Words around a full stop, for `leadline.text.sentences`: data only."""

from __future__ import annotations

import re
from typing import Final


def _listed(block: str) -> list[str]:
    return block.split()


# No sentence ends with these, whatever follows.
NEVER_ENDS: Final = frozenset(
    _listed("""
    mr mrs ms mx messrs dr prof ste gen maj capt cpt cmdr lt sgt cpl pvt adm rev hon sen gov pres
    supt amb mme mlle msgr e.g i.e cf viz vs fig figs eq eqs nos vols pp incl excl esp
    """)
)

# These end a sentence only when a word follows that opens sentences.
SELDOM_ENDS: Final = frozenset(
    _listed("""
    inc ltd co corp llc plc bros jr sr esq etc al dept univ assn dist est min max avg approx ca st
    mt ft col fr rep sec treas no vol pg ch chap sect art op ed eds trans nr tel ext v c fl r b d m
    jan feb apr jun jul aug sep sept oct nov dec tue tues wed thu thur thurs ave blvd rd hwy ct
    calif penn conn fla ariz colo kan ky mich minn mont neb nev okla tenn tex wis que ont
    int'l nat'l gov't ref refs ibid
    """)
)

STARTERS: Final = frozenset(
    _listed("""
    The A An This That These Those It Its He She They We You I His Her Their Our My There Here In On
    At By For From With Without After Before During Since Until While When Where Which Who What Why
    How If As Although Though Because But And Or Nor So Yet However Moreover Furthermore Therefore
    Thus Then Also Another Other Some Many Most Several Both All Each Every No Not One Two Such To
    Between Among Under Over Despite According Today Later Once Only Instead Meanwhile
    """)
)

# After these a single letter is a label and may end a sentence.
LETTERED: Final = frozenset(
    _listed("""
    vitamin vitamins plan type class grade group hepatitis appendix figure table section part point
    option exhibit category series model version level step case team division annex schedule than
    """)
)

# The number or letter of a list item or heading ("1", "2.1", "a", "iv").
ENUMERATOR: Final = re.compile(r"\(?(?:\d{1,3}(?:\.\d{1,3}){0,4}|[A-Za-z]|[ivxlIVXL]{1,5})\)?")
