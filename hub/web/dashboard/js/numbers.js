// Numbers and times as people read them; the raw value and where it comes from stay in data attributes.
import { h } from "./dom.js";
import { lang, t } from "./text.js";

const locale = () => (lang() === "zh" ? "zh-CN" : "en-GB");
const NONE = "–";

export const count = (value) => (value === null || value === undefined ? NONE : value.toLocaleString(locale()));

// A share never rounds to whole unless it is: 99.97 % is shown as 99.9, and one open gap of a million is not 100 %.
export function share(part, whole) {
  if (!whole) return NONE;
  const percent = (part / whole) * 100;
  const cut = percent > 50 ? Math.floor(percent * 10 + 1e-9) / 10 : Math.ceil(percent * 10 - 1e-9) / 10;
  return `${cut.toFixed(1)}%`;
}

export function span(ms) {
  if (ms === null || ms === undefined) return NONE;
  const seconds = ms / 1000;
  if (seconds < 1) return t("span.under_second");
  if (seconds < 120) return t("span.seconds", { n: Math.round(seconds) });
  if (seconds < 7200) return t("span.minutes", { n: Math.round(seconds / 60) });
  if (seconds < 172800) return t("span.hours", { n: Math.round(seconds / 3600) });
  return t("span.days", { n: Math.round(seconds / 86400) });
}

export const hours = (value) => (value === null || value === undefined ? NONE : span(value * 3_600_000));
export const decimal = (value, digits = 1) =>
  value === null || value === undefined
    ? NONE
    : value.toLocaleString(locale(), { minimumFractionDigits: digits, maximumFractionDigits: digits });

const two = (n) => String(n).padStart(2, "0");
const date = (d) => `${d.getUTCFullYear()}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())}`;
const clock = (d) => `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`;
export const moment = (ms) => (ms === null || ms === undefined ? NONE : `${date(new Date(ms))} ${clock(new Date(ms))}`);
export const dayOf = (ms) => (ms === null || ms === undefined ? NONE : date(new Date(ms)));
export const clockOf = (ms) => `${clock(new Date(ms))}:${two(new Date(ms).getUTCSeconds())}`;

// A figure on a page. `of`: "path#expression" of the API's answer it is; a test works every one of them out again.
export function figure(value, of, shown = count(value), more = "") {
  const raw = value === null || value === undefined || Number.isNaN(value) ? "" : value;
  return h("span", { class: `num ${more}`.trim(), "data-value": raw, "data-of": of }, shown);
}

// A time on a page, UTC.
export function when(ms, of, shown = moment(ms)) {
  if (ms === null || ms === undefined) return h("span", { class: "num none" }, NONE);
  const at = new Date(ms).toISOString();
  return h("time", { class: "num", datetime: at, title: at, "data-value": ms, "data-of": of }, shown);
}
