"""The nouns of a research run: frozen values, equal by content, free of behaviour that needs the outside.

Order of reading: what is asked (`Question`, `Options`, `Budget`), what is done (`Message`,
`ToolCall`, `Outcome`), what is found (`Source`, `Excerpt`), what is told (`Draft`, `Claim`,
`Report`), and the run itself (`RunState`, `StopReason`, `Usage`).

All offsets count Unicode code points of a source's stored text; `end` is exclusive.
"""

from __future__ import annotations

from leadline.domain.asked import (
    Budget,
    Dialect,
    Length,
    Options,
    Policy,
    Price,
    Question,
    StrategyName,
)
from leadline.domain.done import (
    Failure,
    Fetched,
    Message,
    ModelAnswer,
    ModelRequest,
    Plan,
    Step,
    ToolCall,
    ToolResult,
    ToolSpec,
    Usage,
)
from leadline.domain.found import (
    Excerpt,
    Hit,
    Mark,
    Source,
)
from leadline.domain.ids import (
    claim_id,
    excerpt_id,
    sha256,
    source_id,
)
from leadline.domain.run import (
    Flag,
    Origin,
    RunState,
    StopReason,
)
from leadline.domain.told import (
    REPORT_SCHEMA,
    Artefact,
    Checks,
    Citation,
    Claim,
    Contradiction,
    Draft,
    DraftSection,
    DraftSentence,
    Part,
    Report,
    Section,
    Sentence,
    Structured,
    Value,
    Verdict,
)
from leadline.domain.values import Json

__all__ = [
    "REPORT_SCHEMA",
    "Artefact",
    "Budget",
    "Checks",
    "Citation",
    "Claim",
    "Contradiction",
    "Dialect",
    "Draft",
    "DraftSection",
    "DraftSentence",
    "Excerpt",
    "Failure",
    "Fetched",
    "Flag",
    "Hit",
    "Json",
    "Length",
    "Mark",
    "Message",
    "ModelAnswer",
    "ModelRequest",
    "Options",
    "Origin",
    "Part",
    "Plan",
    "Policy",
    "Price",
    "Question",
    "Report",
    "RunState",
    "Section",
    "Sentence",
    "Source",
    "Step",
    "StopReason",
    "StrategyName",
    "Structured",
    "ToolCall",
    "ToolResult",
    "ToolSpec",
    "Usage",
    "Value",
    "Verdict",
    "claim_id",
    "excerpt_id",
    "sha256",
    "source_id",
]
