// How the hub itself fares: how far each reader is behind, what flows, what was refused and why.
import { bars, chart } from "../charts.js";
import { h } from "../dom.js";
import { count, decimal, figure, moment, span, when } from "../numbers.js";
import { csvButton, fact, loud, section, table, tag } from "../parts.js";
import { t, word } from "../text.js";

const FROM = "/v1/pipeline";
const REFUSALS = "/v1/refusals";
export const sources = () => ({ pipeline: FROM, refusals: REFUSALS });
export const csv = {
  followers: ({ data }) => [
    ["reader", "topic", "behind", "behind_ms"],
    ...data.pipeline.followers.map((one) => [one.reader, one.topic, one.behind, one.behind_ms ?? ""]),
  ],
  topics: ({ data }) => [["topic", "messages", "per_second"], ...data.pipeline.topics.map((one) => [one.topic, one.messages, one.per_second])],
  reasons: ({ data }) => [["reason", "messages"], ...Object.entries(data.pipeline.refused)],
  refusals: `${REFUSALS}?format=csv`,
};

const remedy = (row) => {
  const own = word("remedy", row.reason);
  return own === row.reason ? row.todo : own;
};

export function view({ data: { pipeline, refusals }, ui }) {
  const furthest = pipeline.followers.reduce((most, one) => Math.max(most, one.behind), 0);
  return [
    h("div", { class: "head" }, h("h1", {}, t("nav.pipeline")), h("p", { class: "lead" }, t("pipeline.lead"))),
    h(
      "dl",
      { class: "facts", "data-key": "facts" },
      fact(t("pipeline.furthest"), figure(furthest, `${FROM}#max(followers.*.behind)`), furthest ? "warn" : "", t("unit.messages")),
      fact(t("pipeline.coverage_age"), figure(pipeline.coverage_age_ms, `${FROM}#coverage_age_ms`, span(pipeline.coverage_age_ms))),
      fact(t("pipeline.held"), figure(pipeline.held, `${FROM}#held`), pipeline.held ? "warn" : ""),
      fact(t("decision.REFUSED"), figure(Object.values(pipeline.refused).reduce((a, b) => a + b, 0), `${FROM}#sum(refused)`)),
    ),
    h("div", { class: "two" }, followers(pipeline, ui), topics(pipeline, ui)),
    reasons(pipeline),
    last(refusals, ui),
  ];
}

function followers({ followers: all }, ui) {
  const rows = all.map((row, index) => ({ ...row, key: `${row.reader}-${row.topic}`, at: `followers.${index}` }));
  const columns = [
    {
      key: "reader",
      label: t("pipeline.reader"),
      cell: (row) => [word("reader", row.reader), h("small", {}, row.topic), row.silent && tag("incident", t("pipeline.silent"))],
      sort: (row) => row.reader,
    },
    {
      key: "behind",
      label: t("pipeline.behind"),
      n: true,
      cell: (row) => loud(row.behind, `${FROM}#${row.at}.behind`, "warn-text"),
      sort: (row) => row.behind,
    },
    {
      key: "age",
      label: t("pipeline.oldest"),
      n: true,
      cell: (row) => figure(row.behind_ms, `${FROM}#${row.at}.behind_ms`, row.behind ? span(row.behind_ms) : "–"),
      sort: (row) => row.behind_ms,
    },
  ];
  return section(
    "followers",
    t("pipeline.followers"),
    csvButton("followers"),
    table({ name: "followers", caption: t("pipeline.followers_caption"), columns, rows, ui }),
  );
}

function topics({ topics: all }, ui) {
  const rows = all.map((row, index) => ({ ...row, key: row.topic, at: `topics.${index}` }));
  const columns = [
    { key: "topic", label: t("pipeline.topic"), cell: (row) => row.topic, sort: (row) => row.topic },
    {
      key: "rate",
      label: t("pipeline.rate"),
      n: true,
      cell: (row) => figure(row.per_second, `${FROM}#${row.at}.per_second`, decimal(row.per_second, 1)),
      sort: (row) => row.per_second,
    },
    { key: "messages", label: t("pipeline.messages"), n: true, cell: (row) => figure(row.messages, `${FROM}#${row.at}.messages`), sort: (row) => row.messages },
  ];
  return section("topics", t("pipeline.topics"), csvButton("topics"), table({ name: "topics", caption: t("pipeline.topics_caption"), columns, rows, ui }));
}

function reasons({ refused }) {
  const rows = Object.entries(refused)
    .sort((a, b) => b[1] - a[1])
    .map(([reason, n]) => ({ key: reason, label: word("refusal", reason), n, text: count(n), colour: "pending" }));
  if (!rows.length) return section("reasons", t("pipeline.reasons"), null, h("p", { class: "lead" }, t("refusals.none")));
  const list = h(
    "table",
    {},
    h("caption", { class: "hidden" }, t("pipeline.reasons")),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("reason")), h("th", { scope: "col", class: "n" }, t("count")))),
    h("tbody", {}, rows.map((row) => h("tr", {}, h("th", { scope: "row" }, row.label), h("td", { class: "n" }, figure(row.n, `${FROM}#refused.${row.key}`))))),
  );
  return section(
    "reasons",
    t("pipeline.reasons"),
    csvButton("reasons"),
    chart("reasons", rows.length * 32 + 4, `${t("pipeline.reasons")}: ${rows.map((row) => `${row.label} ${row.text}`).join(", ")}`, bars(rows), list),
  );
}

function last({ refusals: all }, ui) {
  const rows = all.map((row, index) => ({ ...row, key: `${row.topic}-${row.source}`, index }));
  const columns = [
    { key: "reason", label: t("reason"), cell: (row) => word("refusal", row.reason), sort: (row) => row.reason },
    { key: "at", label: t("at"), n: true, cell: (row) => when(row.at, `${REFUSALS}#refusals.${row.index}.at`, moment(row.at)), sort: (row) => row.at },
    { key: "sender", label: t("pipeline.sender"), cell: (row) => row.sender ?? "–", sort: (row) => row.sender ?? "" },
    { key: "source", label: t("source"), cell: (row) => `${row.topic} ${row.source}` },
    { key: "todo", label: t("todo"), class: "todo", cell: (row) => remedy(row) },
  ];
  const body = rows.length ? table({ name: "last", caption: t("pipeline.last_caption"), columns, rows, ui }) : h("p", { class: "lead" }, t("refusals.none"));
  return section("last", t("pipeline.last"), csvButton("refusals"), body);
}
