// The words of the page in English and Chinese, a table a page; `test_files` compares the two languages.

import { inChinese } from "./refusals.js";
import { ADMIN } from "./words_admin.js";
import { ASKING } from "./words_ask.js";
import { DOCUMENTS } from "./words_documents.js";
import { FRAME } from "./words_frame.js";
import { REPORT } from "./words_report.js";
import { RUNS } from "./words_run.js";
import { SCHEDULES } from "./words_schedules.js";

const WORDS = { ...FRAME, ...ASKING, ...RUNS, ...REPORT, ...DOCUMENTS, ...SCHEDULES, ...ADMIN };

/** The language of the page: `en` or `zh`. */
export function language() {
  return document.documentElement.lang.startsWith("zh") ? "zh" : "en";
}

/** A word in the page's language, `{0}` and `{1}` filled in. */
export function w(key, ...given) {
  const found = WORDS[key];
  if (!found) return key;
  return found[language() === "zh" ? 1 : 0].replace(/\{(\d)\}/g, (_, index) => String(given[Number(index)] ?? ""));
}

/** Whether there is such a word. */
export function has(key) { return Object.hasOwn(WORDS, key); }

const locale = () => (language() === "zh" ? "zh-CN" : "en-GB");

/** A number as people write it. */
export const number = (value, digits = 0) =>
  new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(value ?? 0);

/** US dollars. */
export const dollars = (value) => (value ? `US$${value < 1 ? value.toFixed(4) : value.toFixed(2)}` : "US$0");

/** The time zone of whoever looks. */
export const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** A moment: ISO text or Unix seconds. */
export function moment(at, { day = false } = {}) {
  const date = typeof at === "number" ? new Date(at * 1000) : new Date(at);
  if (Number.isNaN(date.getTime())) return "";
  const style = day ? { dateStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" };
  return new Intl.DateTimeFormat(locale(), style).format(date);
}

/** A clock's time. */
export const clock = (at) =>
  new Intl.DateTimeFormat(locale(), { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false }).format(new Date(at * 1000));

/** A stretch of time: seconds up to a minute and a half, then minutes and seconds. */
export const duration = (seconds) => (seconds < 90 ? w("lasted", number(seconds, seconds < 10 ? 1 : 0)) : w("lasted_long", Math.floor(seconds / 60), Math.round(seconds % 60)));

/** Bytes as people read them. */
export function bytes(count) {
  if (count < 1024) return `${count} B`;
  return count < 1 << 20 ? `${number(count / 1024, 1)} KiB` : `${number(count / (1 << 20), 1)} MiB`;
}

/** Several remarks as one. */
export const joined = (remarks) => remarks.join(language() === "zh" ? "；" : "; ");

/** Why something was refused, in the page's language as far as its code tells. */
export const reason = (problem) => (language() === "zh" ? inChinese(problem) : problem.message);

/** What a refusal says to a person. */
export function refusal(problem) {
  if (problem.code === "away") return w("away");
  const after = problem.after ? ` ${w("try_after", Math.ceil(problem.after))}` : "";
  return w("failed", reason(problem)) + after;
}
