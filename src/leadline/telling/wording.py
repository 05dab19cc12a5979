"""Words of the report's frame, in the languages that reports have: verdicts, places, figures."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from leadline.domain import Claim, Report, Verdict

_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "answer": ("Answer", "回答"),
        "sources": ("Sources", "来源"),
        "contradictions": ("Where sources disagree", "来源之间的矛盾"),
        "unexamined": ("Not examined", "未查阅"),
        "notes": ("About this report", "关于本报告"),
        "generated": ("Written", "成文时间"),
        "evidence": ("Stored text around each quotation", "引文在所存原文中的上下文"),
        "citation": ("Citation", "引用"),
        "close": ("Close", "关闭"),
        "skip": ("To the report", "跳到正文"),
        "also": ("same text at", "相同文本另见"),
        "truncated": ("stored in part: the document was too long", "文档过长，仅存部分"),
        "absent": ("The stored text is not at hand; this is the quotation alone.", "所存原文不在手边，此处仅为引文。"),
        "moved": (
            "The stored text does not hold this quotation at its place: do not rely on it.",
            "所存原文的该位置并无此引文：请勿采信。",
        ),
        "legend": ("What the marks mean", "标注说明"),
        "unmarked": (
            "Statements without a remark are verbatim quotations or agree with their source by value.",
            "未加备注的陈述为原文引用，或数值与来源相符。",
        ),
        # --- what changed since an earlier report
        "changes": ("What changed since {}", "自 {} 以来的变化"),
        "no_changes": (
            "Nothing: the same claims with the same verdicts, on the same sources.",
            "没有变化：论断、判定与来源均与此前相同。",
        ),
        "new_claims": ("New", "新增"),
        "changed_claims": ("Changed", "有变"),
        "gone_claims": ("No longer said", "不再出现"),
        "new_sources": ("Newly cited", "新引用的来源"),
        "changed_sources": ("Cited again, with another text", "内容有更新的来源"),
        "gone_sources": ("No longer cited", "不再引用的来源"),
        "before": ("before: {}", "此前：{}"),
        "verdict_moved": ("verdict: {} → {}", "判定：{} → {}"),
        "in_full": ("In full", "详述"),
        "more": ("… and {} more", "……另有 {} 项"),
        # --- what programs made
        "artefacts": ("Figures and files made by programs", "程序生成的图与文件"),
        "computed": (
            "Computed by programs that the model wrote in this run; not checked against the sources.",
            "由模型在本次运行中编写的程序计算得出，未与来源核对。",
        ),
        "figure": ("Figure {}", "图 {}"),
        "program": ("Program", "程序"),
        "bytes": ("{} bytes", "{} 字节"),
        "more_lines": ("… {} more lines", "……另有 {} 行"),
        "gone": ("its bytes are not at hand", "其内容不在手边"),
        # --- verdicts, and how they were decided
        "supported": ("supported", "有据"),
        "partial": ("partly supported", "部分有据"),
        "contradicted": ("contradicted by the source", "与来源矛盾"),
        "unsupported": ("not supported by the source", "来源不支持"),
        "unchecked": ("not checked", "未核查"),
        "is_quote": ("verbatim quotation", "原文引用"),
        "is_values": ("checked by value", "数值相符"),
        "is_words": ("matches by wording", "措辞相符"),
        "by_quote": ("checked as a quotation", "按引文核对"),
        "by_values": ("checked by value", "按数值核对"),
        "by_words": ("checked by wording", "按措辞核对"),
        "by_judge": ("judged by a model", "由模型判定"),
        "retrieved": ("evidence found by search, not named by the writer", "证据由检索补上，并非撰写者所引"),
        # --- what the marks mean
        "means_quote": ("the statement stands in the source word for word", "该陈述逐字见于来源"),
        "means_values": (
            "its numbers, dates, names and negations agree with the source",
            "其中的数字、日期、名称与否定均与来源相符",
        ),
        "means_words": (
            "its words stand in the source; the meaning was not judged",
            "其措辞见于来源，含义未经判定",
        ),
        "means_judge": ("a model judged the statement against the quotation alone", "由模型仅对照引文判定"),
        "means_partial": ("some of it is in the source, not all", "来源只支持其中一部分"),
        "means_contradicted": ("the source says otherwise", "来源的说法与之不同"),
        "means_unsupported": ("the source does not say it", "来源并未如此陈述"),
        "means_unchecked": ("no evidence was named, or none could be compared", "没有给出证据，或无法比对"),
        # --- how evidence was gathered
        "by_extractive": ("quotations only, without a model", "仅引文，未用模型"),
        "by_react": ("step by step", "逐步研究"),
        "by_resum": ("step by step, with summaries", "逐步研究，定期总结"),
        "by_iterresearch": ("in rounds", "分轮研究"),
        "by_plan": ("by a plan", "按计划研究"),
        "by_heavy": ("by several researchers", "多名研究者并行"),
        # --- figures
        "claims": ("Claims", "论断"),
        "calls": ("{} model calls", "模型调用 {} 次"),
        "tokens": ("{} tokens", "{} 个令牌"),
        "seconds": ("{} s", "{} 秒"),
        "ended": ("ended: {}", "结束原因：{}"),
        "run": ("run {}", "运行 {}"),
        "none": ("none", "无"),
        # --- why runs end
        "answered": ("answered", "已作答"),
        "nothing_found": ("nothing found", "未找到资料"),
        "steps": ("steps used up", "步数用完"),
        "money": ("money used up", "费用用完"),
        "token_limit": ("tokens used up", "令牌用完"),
        "deadline": ("time used up", "时间用完"),
        "finished_early": ("asked to finish", "应要求提前成文"),
        "cancelled": ("cancelled", "已取消"),
        "error": ("an error", "出错"),
        "attempts": ("too many attempts", "重试过多"),
    }
)

_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "budget": "剩余预算不足以核查",
        "too long to check": "过长，无法核查",
        "no passage of the sources says this": "来源中没有段落如此陈述",
        "few of its words stand in the evidence": "证据中很少见到其措辞",
        "some of its words are not in the evidence": "部分措辞不见于证据",
        "the evidence is in another language: words decide nothing": "证据为另一种语言，措辞无法比对",
        "the evidence does not speak of this": "证据未涉及此事",
        "the evidence does not say of how many": "证据未说明范围",
        "in the evidence it is the other way round": "证据中的主客关系相反",
        "it says too little to be compared": "内容过少，无法比对",
        "it holds nothing that could be compared": "没有可供比对的内容",
        "the judge gave no usable answer": "判定模型未给出可用的答复",
    }
)
"""Reasons that the checks give in fixed words, in Chinese."""

_NO_BUDGET: Final = "no budget was left to check it"

_TEMPLATES: Final = tuple(
    (re.compile(pattern, re.DOTALL), chinese)
    for pattern, chinese in (
        (r"the evidence says this of (.+), not (.+)", r"证据说的是 \1，而非 \2"),
        (r"the evidence says it only of (.+)", r"证据仅就 \1 如此陈述"),
        (r"the evidence has (.+) where the claim has (.+)", r"证据中此处为 \1，而非 \2"),
        (r"the evidence says it with a reserve: (.+)", r"证据对此有所保留：\1"),
        (r"the evidence says it of fewer or more: (.+)", r"证据所说的范围不同：\1"),
        (r"the evidence puts (.+) otherwise", r"证据对 \1 的说法不同"),
        (r"the evidence does not say (.+) of this", r"证据未就此说 \1"),
        (r"the evidence ranks it otherwise: (.+)", r"证据中的位次不同：\1"),
        (r"in the evidence (.+) is no limit", r"证据中 \1 不是界限"),
        (r"in the evidence (.+) is a limit", r"证据中 \1 是界限"),
        (r"in the evidence (.+) is the value of something else", r"证据中 \1 是另一事物的数值"),
        (r"in the table (.+) stands in the row (.+)", r"表中 \1 位于“\2”一行"),
        (r"in the table (.+) stands in the column (.+)", r"表中 \1 位于“\2”一列"),
        (r"the evidence says (.+), not (.+)", r"证据为 \1，而非 \2"),
        (r"the evidence speaks of (.+), not (.+)", r"证据所说的是 \1，而非 \2"),
        (r"the evidence does not hold (.+)", r"证据中没有 \1"),
        (r"the evidence does not name (.+)", r"证据未提及 \1"),
        (r"in the evidence (.+) is the other end of the change", r"证据中 \1 是变化的另一端"),
        (r"in the evidence (.+) is the opposite limit", r"证据中 \1 是相反的界限"),
        (r"in the evidence (.+) goes with (.+), not (.+)", r"证据中与 \1 对应的是 \2，而非 \3"),
        (r"the quotation does not stand in the source: (.+)", r"来源中没有这段引文：\1"),
        (r"a negation differs: (.+)", r"肯定与否定相反：\1"),
        (r"the evidence says the opposite: (.+)", r"证据的说法相反：\1"),
    )
)
"""Reasons that hold words of the claim; what none of these is, such as a judge's reason, stays as it is."""

_HEADING: Final = "heading: "
_COUNTED: Final = re.compile(r"(?:^|(?<=, ))(page|slide|row|lines?) (\d+(?:-\d+)?)(?=,|$)")
_COUNTERS: Mapping[str, str] = MappingProxyType(
    {"page": "第 {} 页", "slide": "第 {} 张幻灯片", "row": "第 {} 行", "line": "第 {} 行", "lines": "第 {} 行"}
)
_PATH: Final = " › "


def word(key: str, language: str) -> str:
    """Return a word of the frame; English for languages that it is not translated to."""
    english, chinese = _WORDS[key]
    return chinese if language == "zh" else english


def label(claim: Claim, language: str) -> str:
    """Return a claim's verdict and how it was decided.

    `checked by value`, `matches by wording`, `partly supported, checked by value`.
    """
    decided = claim.checks.decided_by
    if claim.verdict is Verdict.SUPPORTED and f"is_{decided}" in _WORDS:
        return word(f"is_{decided}", language)
    parts = [word(claim.verdict, language)]
    if f"by_{decided}" in _WORDS:
        parts.append(word(f"by_{decided}", language))
    return ("，" if language == "zh" else ", ").join(parts)


def strong(claim: Claim) -> bool:
    """Whether a claim is its quotation, or agrees with it by value: what needs no remark."""
    return claim.verdict is Verdict.SUPPORTED and claim.checks.decided_by in {"quote", "values"}


def reasons(claim: Claim, language: str) -> tuple[str, ...]:
    """Return why a claim's verdict is what it is, and whether its evidence was found only afterwards."""
    told = [_reason(reason, language) for reason in claim.checks.reasons]
    if claim.checks.bound_by == "retrieval":
        told.append(word("retrieved", language))
    return tuple(told)


def _reason(reason: str, language: str) -> str:
    if language != "zh":
        return _NO_BUDGET if reason == "budget" else reason
    if reason in _REASONS:
        return _REASONS[reason]
    matches = ((pattern.fullmatch(reason), told) for pattern, told in _TEMPLATES)
    return next((match.expand(told) for match, told in matches if match), reason)


def meaning(claim: Claim, language: str) -> str:
    """Return what the label of a claim means."""
    decided = f"means_{claim.checks.decided_by}"
    if claim.verdict is Verdict.SUPPORTED and decided in _WORDS:
        return word(decided, language)
    return word(f"means_{claim.verdict}", language) if claim.verdict is not Verdict.SUPPORTED else ""


def place(locator: str, *, title: str, language: str) -> str:
    """Return a locator fit for a reader: headings without the document's own title, pages in the report's language."""
    before, found, heading = locator.partition(_HEADING)
    if found and title and (heading == title or heading.startswith(f"{title}{_PATH}")):
        heading = heading[len(title) :].removeprefix(_PATH)
    shown = (before + heading).removesuffix(", ") if found else locator
    if language == "zh":
        return _COUNTED.sub(lambda m: _COUNTERS[m[1]].format(m[2]), shown)
    return shown


def facts(report: Report) -> str:
    """Return one line about the report: claims by verdict, what it cost, how it ended, its id."""
    language = report.language
    counts = Counter(label(claim, language) for claim in report.claims)
    colon, stop, number = ("：", "；", "（{}）") if language == "zh" else (": ", "; ", " ({})")
    shown = stop.join(name + number.format(count) for name, count in counts.items()) or word("none", language)
    usage = report.usage
    told = [f"{word('claims', language)}{colon}{shown}", word("seconds", language).format(f"{usage.seconds:.1f}")]
    if usage.model_calls:
        told.append(word("calls", language).format(f"{usage.model_calls:,}"))
        told.append(word("tokens", language).format(f"{usage.tokens:,}"))
    if usage.cost_usd:
        told.append(f"US${usage.cost_usd:.4f}")
    told.append(word("ended", language).format(_ended(report.stop_reason, language)))
    told.append(word("run", language).format(report.run_id))
    return " · ".join(told)


def strategy(name: str, language: str) -> str:
    """Return how evidence was gathered, in words; a name that is not known stays as it is."""
    key = f"by_{name}"
    return word(key, language) if key in _WORDS else name


def _ended(reason: str, language: str) -> str:
    key = "token_limit" if reason == "tokens" else reason
    return word(key, language) if key in _WORDS else reason
