"""What the engine itself says in a report, in the languages that it speaks."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_NAMES = MappingProxyType({"en": "English", "zh": "Chinese (中文)"})

_PHRASES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "evidence": {"en": "Evidence", "zh": "证据"},
        "not_found": {"en": "What was not found", "zh": "未找到的内容"},
        "nothing": {
            "en": "No sentence that answers this question was found by its words in the documents that were searched.",
            "zh": "在检索的文档中，按字词未找到能回答此问题的句子。",
        },
        "unborne": {
            "en": "A figure or date of the question stands in no sentence that speaks of the rest of it.",
            "zh": "问题中的数字或日期，未见于任何涉及其余内容的句子。",
        },
        "nothing_early": {
            "en": "Gathering was stopped before anything was found that answers this question.",
            "zh": "资料收集在找到能回答此问题的内容之前已被停止。",
        },
        "nothing_to_search": {
            "en": "There was no document to search: none was there, or none of them could be read.",
            "zh": "没有可供检索的文档：未提供任何文档，或文档均无法读取。",
        },
        "nothing_searched": {
            "en": "No search was answered, so nothing was found about this question.",
            "zh": "检索均未得到响应，因此未找到与此问题有关的内容。",
        },
        "nothing_online": {
            "en": "Nothing that was found on the web answers this question.",
            "zh": "在网络上找到的内容均不能回答此问题。",
        },
        "uncovered": {
            "en": "No source that was read mentions: {terms}.",
            "zh": "已读来源均未提及：{terms}。",
        },
        "no_model": {
            "en": "No language model wrote this report: it consists of sentences quoted from the sources. "
            "To have one write it, set LEADLINE_MODEL__URLS and LEADLINE_MODEL__NAME, or run leadline init.",
            "zh": "本报告并非由语言模型撰写，全部由来源原文摘录组成。如需由模型撰写，请设置 LEADLINE_MODEL__URLS 与 "
            "LEADLINE_MODEL__NAME，或运行 leadline init。",
        },
        "model_failed": {
            "en": "The language model did not answer ({reason}), so the report consists of sentences quoted from the "
            "sources.",
            "zh": "语言模型未能作答（{reason}），因此本报告由来源原文摘录组成。",
        },
        "no_room": {
            "en": "The budget left nothing for the language model to write with, so the report consists of sentences "
            "quoted from the sources.",
            "zh": "剩余预算不足以让语言模型撰写，因此本报告由来源原文摘录组成。",
        },
        "loop": {
            "en": "The model repeated itself, so gathering was ended early.",
            "zh": "模型出现重复，资料收集已提前结束。",
        },
        "stopped": {
            "en": "Gathering ended early: {reason}.",
            "zh": "资料收集提前结束：{reason}。",
        },
        "dropped": {
            "en": "{count} statements were left out because the evidence does not support them.",
            "zh": "有 {count} 条陈述因缺乏证据支持而被略去。",
        },
        "unknown_ids": {
            "en": "{count} citations named evidence that does not exist and were removed.",
            "zh": "有 {count} 处引用指向不存在的证据，已被移除。",
        },
        "approve": {
            "en": "Research begins once this plan is approved.",
            "zh": "此研究计划获批准后开始。",
        },
        "part_open": {"en": "Not answered: {question} ({reason})", "zh": "未得到解答：{question}（{reason}）"},
        "part_dropped": {
            "en": "Not looked into, for the budget has too few steps: {question}",
            "zh": "因步数预算不足而未研究：{question}",
        },
        "part_quoted": {
            "en": "The language model failed on one part ({reason}), which was searched without it: {question}",
            "zh": "语言模型在其中一部分失败（{reason}），该部分改为不用模型检索：{question}",
        },
        "plan_failed": {
            "en": "The model made no usable plan ({reason}), so the question was researched as one.",
            "zh": "模型未能给出可用的计划（{reason}），因此未作拆分，直接研究原问题。",
        },
        "section_open": {
            "en": "Not written, for the model failed ({reason}): {title}",
            "zh": "因模型失败（{reason}）而未撰写：{title}",
        },
        "answer_open": {
            "en": "The direct answer was not written, for the model failed ({reason}).",
            "zh": "因模型失败（{reason}）而未撰写直接回答。",
        },
        "researcher_lost": {
            "en": "Researcher {number} ended early ({reason}); what the others found was used.",
            "zh": "第 {number} 位研究者提前结束（{reason}），已采用其他研究者的结果。",
        },
        "overlap": {
            "en": "Researchers side by side: {count}. Pages that they read: {pages}, by more than one: {shared}.",
            "zh": "{count} 位研究者共阅读 {pages} 个不同页面，其中 {shared} 个被多于一位阅读。",
        },
        "structure_failed": {
            "en": "The model gave no answer of the wanted JSON schema ({reason}).",
            "zh": "模型未给出符合所要求 JSON 模式的答案（{reason}）。",
        },
        "part_error": {"en": "it failed", "zh": "失败"},
        "part_nothing": {"en": "nothing was found", "zh": "未找到资料"},
        "unread": {"en": "Found but not read: {title}", "zh": "检索到但未阅读：{title}"},
        "unread_more": {
            "en": "Found but not read: {count} more documents",
            "zh": "检索到但未阅读：另有 {count} 篇文档",
        },
        "failed_more": {
            "en": "Could not be read: {count} more documents",
            "zh": "无法读取：另有 {count} 篇文档",
        },
        "failed_search": {"en": "Not searched: {queries} ({reason})", "zh": "未能检索：{queries}（{reason}）"},
        "failed_source": {"en": "Could not be read: {uri} ({reason})", "zh": "无法读取：{uri}（{reason}）"},
        "steps": {"en": "all steps were used", "zh": "步数已用完"},
        "tokens": {"en": "the token budget was reached", "zh": "已达到令牌预算"},
        "money": {"en": "the money budget was reached", "zh": "已达到费用预算"},
        "deadline": {"en": "the time budget was reached", "zh": "已达到时间预算"},
        "finished_early": {
            "en": "it was stopped by request, and the report written with what there was",
            "zh": "应要求停止，并以已有资料成文",
        },
    }
)


def language_name(language: str) -> str:
    """Return the name of a language for a prompt."""
    return _NAMES.get(language, _NAMES["en"])


def phrase(key: str, language: str, **values: object) -> str:
    """Return a phrase in a language, English where it has no other."""
    entry = _PHRASES[key]
    return entry.get(language, entry["en"]).format(**values)


def spoken(key: str) -> bool:
    """Return whether there is a phrase of this name."""
    return key in _PHRASES
