"""`leadline preflight`: the list to go through before a deployment meets its users, by code where it can be.

What is seen from outside is asked for as users ask; what stands around the service is asked what it
knows; what only an operator knows is asked of one, at most ten questions, with name and day.
"""

from leadline.ops.preflight.answers import answers_file, load_answers, save_answers
from leadline.ops.preflight.check import Preflight, preflight
from leadline.ops.preflight.item import Answer, Item, Row, State
from leadline.ops.preflight.table import ITEMS

__all__ = [
    "ITEMS",
    "Answer",
    "Item",
    "Preflight",
    "Row",
    "State",
    "answers_file",
    "load_answers",
    "preflight",
    "save_answers",
]
