// What pages are made of: bars, tables, tags, facts. Every part takes values and gives elements.
import { h, wide } from "./dom.js";
import { count, figure, share } from "./numbers.js";
import { nameOf, t, word } from "./text.js";

export const UNCONNECTED = new Set(["KNOWN_UNCONNECTED", "ONBOARDING", "SUSPENDED", "LEFT"]);
export const isBlind = (state) => UNCONNECTED.has(state);
const PAGE_ROWS = 50;

// The four parts of pairs, in the order they are always shown; `of` writes down how each is worked out.
export function partsOf(pairs, path) {
  const blind = pairs.gaps.NOT_CONNECTED ?? 0;
  const at = (name) => `${path}.${name}`;
  return [
    { kind: "resolved", n: pairs.resolved, of: at("resolved") },
    { kind: "safe", n: pairs.takeover_safe - pairs.resolved, of: `${at("takeover_safe")} - ${at("resolved")}` },
    {
      kind: "pending",
      n: pairs.in_force - pairs.takeover_safe - blind,
      of: `${at("in_force")} - ${at("takeover_safe")} - ${at("gaps.NOT_CONNECTED")}`,
    },
    { kind: "blind", n: blind, of: at("gaps.NOT_CONNECTED") },
  ];
}

export function bar(pairs, tall = false) {
  const parts = partsOf(pairs, "");
  const label = parts.map(({ kind, n }) => `${t(`part.${kind}`)} ${count(n)}`).join(", ");
  const drawn = parts
    .filter(({ n }) => n > 0)
    .map(({ kind, n }) => wide(h("i", { class: kind, "data-key": kind }), n / pairs.in_force));
  const words = pairs.in_force ? `${label}; ${t("of_pairs", { n: count(pairs.in_force) })}` : t("no_pairs");
  return h("div", { class: tall ? "bar tall" : "bar", role: "img", "aria-label": words }, drawn);
}

export function legend(pairs, source, path) {
  return h(
    "dl",
    { class: "legend" },
    partsOf(pairs, path).map(({ kind, n, of }) =>
      h(
        "div",
        {},
        h("dt", {}, h("span", { class: `key ${kind}` }), t(`part.${kind}`)),
        h(
          "dd",
          {},
          figure(n, `${source}#${of}`),
          h("small", {}, figure(ratio(n, pairs.in_force), `${source}#(${of}) / ${path}.in_force`, share(n, pairs.in_force))),
        ),
      ),
    ),
  );
}

export const ratio = (part, whole) => (whole ? part / whole : null);

// Coverage of a row: the bar, the share, and what it is a share of.
export function coverage(pairs, source, path) {
  return h(
    "div",
    {},
    bar(pairs),
    figure(ratio(pairs.resolved, pairs.in_force), `${source}#${path}.resolved / ${path}.in_force`, share(pairs.resolved, pairs.in_force)),
    " ",
    h("small", { class: "zero" }, t("of"), " ", figure(pairs.in_force, `${source}#${path}.in_force`)),
  );
}

export function fact(label, value, kind = "", more = null) {
  return h("div", { class: kind }, h("dt", {}, label), h("dd", {}, value, more && h("small", {}, " ", more)));
}

export const tag = (kind, text) => h("span", { class: `tag ${kind}` }, text);

export function stateTag(row) {
  if (row.state === "CONNECTED") {
    const kind = { DEGRADED: "degraded", RECOVERING: "recovering" }[row.standing] ?? "connected";
    return tag(kind, word("standing", row.standing ?? "HEALTHY"));
  }
  return tag(isBlind(row.state) ? "blind" : "exempt", word("state", row.state));
}

export function platformLink(row) {
  const must = row.must_connect && isBlind(row.state) ? h("span", { class: "chip must" }, t("must_connect")) : null;
  return [
    h("a", { href: `#/platform/${encodeURIComponent(row.id)}` }, nameOf(row.name)),
    " ",
    must,
    h("small", {}, `${word("sector", row.sector)} · ${t("tier", { n: row.tier })}`),
  ];
}

// A section with its heading; `tools` stand at the right of it.
export function section(key, title, tools, ...children) {
  return h(
    "section",
    { "data-key": key, "aria-labelledby": `h-${key}` },
    h("div", { class: "section-head" }, h("h2", { id: `h-${key}` }, title), tools),
    children,
  );
}

export const csvButton = (what) => h("button", { class: "quiet", type: "button", "data-do": `csv:${what}` }, t("csv"));

// A table. `columns`: {key, label, n?, cell(row), sort?(row)}; a heading that sorts is a button.
export function table({ name, caption, columns, rows, ui, stack = true }) {
  const kept = ui[name] ?? {};
  const sorting = columns.find((one) => one.key === kept.by && one.sort);
  const sorted = sorting ? [...rows].sort((a, b) => compare(sorting.sort(a), sorting.sort(b)) * (kept.down ? -1 : 1)) : rows;
  const shown = sorted.slice(0, kept.rows ?? PAGE_ROWS);
  const head = columns.map((one) => {
    const on = one === sorting ? (kept.down ? "descending" : "ascending") : one.sort ? "none" : null;
    const label = one.sort ? h("button", { type: "button", "data-do": `sort:${name}:${one.key}` }, one.label) : one.label;
    return h("th", { scope: "col", class: one.n ? "n" : null, "aria-sort": on }, label);
  });
  const body = shown.map((row) =>
    h(
      "tr",
      { "data-key": row.key },
      columns.map((one, index) =>
        index === 0 ? h("th", { scope: "row" }, one.cell(row)) : h(
          "td",
          { class: `${one.n ? "n" : ""} ${one.class ?? ""}`.trim() || null, "data-label": one.label },
          h("div", {}, one.cell(row)),
        ),
      ),
    ),
  );
  const more = rows.length > shown.length && h(
    "button",
    { class: "quiet", type: "button", "data-do": `more:${name}` },
    t("more_rows", { n: count(rows.length - shown.length) }),
  );
  return [
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
      h("table", { class: stack ? "stack" : null }, h("caption", {}, caption), h("thead", {}, h("tr", {}, head)), h("tbody", {}, body)),
    ),
    more,
  ];
}

function compare(a, b) {
  const none = (value) => value === null || value === undefined;
  if (none(a) || none(b)) return none(a) - none(b);
  return typeof a === "string" ? a.localeCompare(b) : a - b;
}

export const PAGE = PAGE_ROWS;

// A small number that is loud only when it is not zero.
export function loud(value, of, kind = "alarm-text") {
  return figure(value, of, count(value), value ? kind : "zero");
}

export function guide(one) {
  const url = one.url && /^https?:\/\//i.test(one.url) ? one.url : null;
  return [
    url ? h("p", {}, h("a", { href: url, rel: "noreferrer noopener", target: "_blank" }, t("guide.open"))) : null,
    one.steps.length ? h("ol", {}, one.steps.map((step) => h("li", {}, step))) : null,
    one.contact ? h("p", { class: "note" }, t("guide.contact"), " ", one.contact) : null,
    !url && !one.steps.length && !one.contact ? h("p", { class: "note" }, t("guide.none")) : null,
  ];
}
