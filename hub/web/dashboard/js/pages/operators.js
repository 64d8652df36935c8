// Operators: duties not met, silence, messages refused. One of them is chosen for its breaches one by one.
import { h } from "../dom.js";
import { count, figure, moment, when } from "../numbers.js";
import { csvButton, loud, section, table, tag } from "../parts.js";
import { nameOf, t, word } from "../text.js";

const FROM = "/v1/operators";
const BREACHES = [
  "NOT_CLEARED",
  "REISSUED_WHILE_BLOCKED",
  "EARLY_REISSUE",
  "EARLY_RELEASE",
  "SHORT_NOTICE",
  "NEW_OWNER_NOT_TOLD",
  "FEW_REMINDERS",
  "COOLING_LENGTH",
  "LATE_EVENT",
  "SILENT",
  "COUNT_MISMATCH",
];
const breachPath = (id) => `${FROM}/${encodeURIComponent(id)}/breaches`;

export const sources = ([chosen]) => (chosen ? { operators: FROM, breaches: breachPath(chosen) } : { operators: FROM });

export const csv = {
  operators: `${FROM}?format=csv`,
  kinds: ({ data }) => [["operator", ...BREACHES], ...data.operators.operators.map((one) => [one.id, ...BREACHES.map((each) => one.breaches[each] ?? 0)])],
  refusals: ({ data }) => [
    ["operator", "reason", "messages"],
    ...data.operators.operators.flatMap((one) => Object.entries(one.rejected).map(([reason, n]) => [one.id, reason, n])),
  ],
  breaches: ({ data }) => [
    ["breach", "at", "case", "source", "day"],
    ...data.breaches.breaches.map((one) => [one.breach, new Date(one.at).toISOString(), one.case ?? "", one.source ?? "", one.day ?? ""]),
  ],
};

const link = (row) => [
  h("a", { href: `#/operators/${encodeURIComponent(row.id)}` }, nameOf(row.name)),
  row.clearance_required && h("small", {}, t("operators.clearance")),
  ...row.raised.map((one) => h("small", { class: "warn-text" }, raised(one))),
];
const raised = ({ limit, most, by, reason }) =>
  t(most === null ? "operators.unlimited" : "operators.raised", { limit: word("limit", limit), most: count(most ?? 0), by, reason });
const sum = (counts) => Object.values(counts).reduce((total, one) => total + one, 0);

export function view({ data: { operators, breaches }, ui, args: [chosen] }) {
  const rows = operators.operators.map((row, index) => ({ ...row, key: row.id, at: `operators.${index}` }));
  if (!rows.length) return [h("h1", {}, t("nav.operators")), h("p", { class: "lead" }, t("operators.none"))];
  const one = rows.find((row) => row.id === chosen);
  return [
    h("div", { class: "head" }, h("h1", {}, t("nav.operators")), h("p", { class: "lead" }, t("operators.lead"))),
    one && breaches && chosenSection(one, breaches, ui),
    figures(rows, ui),
    kinds(rows, ui),
    refusals(rows, ui),
  ];
}

function figures(rows, ui) {
  const at = (name, kind) => (row) => (kind ? loud(row[name], `${FROM}#${row.at}.${name}`, kind) : figure(row[name], `${FROM}#${row.at}.${name}`));
  const columns = [
    { key: "name", label: t("operator"), cell: link, sort: (row) => nameOf(row.name) },
    {
      key: "silent",
      label: t("operators.word"),
      cell: (row) => (row.silent ? tag("incident", t("operators.silent")) : tag("connected", t("operators.speaks"))),
      sort: (row) => Number(row.silent),
    },
    { key: "accepted", label: t("decision.ACCEPTED"), n: true, cell: at("accepted"), sort: (row) => row.accepted },
    { key: "noted", label: t("decision.NOTED"), n: true, cell: at("noted"), sort: (row) => row.noted },
    { key: "duplicate", label: t("decision.DUPLICATE"), n: true, cell: at("duplicate"), sort: (row) => row.duplicate },
    { key: "held", label: t("decision.HELD"), n: true, cell: at("held", "warn-text"), sort: (row) => row.held },
    {
      key: "rejected",
      label: t("decision.REFUSED"),
      n: true,
      cell: (row) => loud(sum(row.rejected), `${FROM}#sum(${row.at}.rejected)`, "warn-text"),
      sort: (row) => sum(row.rejected),
    },
    {
      key: "breaches",
      label: t("breaches"),
      n: true,
      cell: (row) => loud(sum(row.breaches), `${FROM}#sum(${row.at}.breaches)`),
      sort: (row) => sum(row.breaches),
    },
    {
      key: "last",
      label: t("operators.last"),
      n: true,
      cell: (row) => when(row.last_event_at, `${FROM}#${row.at}.last_event_at`),
      sort: (row) => row.last_event_at,
    },
    { key: "day", label: t("operators.report"), n: true, cell: (row) => row.last_report_day ?? "–", sort: (row) => row.last_report_day ?? "" },
  ];
  return section("figures", t("operators.table"), csvButton("operators"), table({ name: "operators", caption: t("operators.caption"), columns, rows, ui }));
}

function kinds(rows, ui) {
  const columns = [
    { key: "name", label: t("operator"), cell: link },
    ...BREACHES.map((one) => ({
      key: one,
      label: word("breach", one),
      n: true,
      cell: (row) => loud(row.breaches[one] ?? 0, `${FROM}#${row.at}.breaches.${one}`),
      sort: (row) => row.breaches[one] ?? 0,
    })),
  ];
  return section("kinds", t("operators.kinds"), csvButton("kinds"), table({ name: "kinds", caption: t("operators.kinds_caption"), columns, rows, ui }));
}

function refusals(rows, ui) {
  const each = (row) => Object.entries(row.rejected).map(([reason, n]) => ({ ...row, key: `${row.id}-${reason}`, reason, n }));
  const all = rows.flatMap(each).sort((a, b) => b.n - a.n);
  const columns = [
    { key: "name", label: t("operator"), cell: link },
    { key: "reason", label: t("reason"), cell: (row) => word("refusal", row.reason), sort: (row) => row.reason },
    { key: "n", label: t("count"), n: true, cell: (row) => figure(row.n, `${FROM}#${row.at}.rejected.${row.reason}`), sort: (row) => row.n },
  ];
  const caption = t("operators.refusals_caption");
  const body = all.length
    ? table({ name: "refusals", caption, columns, rows: all, ui })
    : h("p", { class: "lead" }, t("refusals.none"));
  return section("refusals", t("operators.refusals"), csvButton("refusals"), body);
}

function chosenSection(one, page, ui) {
  const from = breachPath(one.id);
  const rows = page.breaches.map((each, index) => ({ ...each, key: `${each.at}-${each.breach}-${each.source ?? each.day ?? index}`, index }));
  const columns = [
    { key: "breach", label: t("breach"), cell: (row) => word("breach", row.breach), sort: (row) => row.breach },
    { key: "at", label: t("at"), n: true, cell: (row) => when(row.at, `${from}#breaches.${row.index}.at`, moment(row.at)), sort: (row) => row.at },
    { key: "case", label: t("case"), cell: (row) => (row.case ? h("a", { href: `#/case/${encodeURIComponent(row.case)}` }, row.case) : (row.day ?? "–")) },
    { key: "source", label: t("source"), cell: (row) => row.source ?? "–" },
  ];
  const caption = t("operators.chosen_caption", { n: count(rows.length) });
  return section(
    "chosen",
    `${nameOf(one.name)} · ${t("breaches")}`,
    csvButton("breaches"),
    rows.length ? table({ name: "breaches", caption, columns, rows, ui }) : h("p", { class: "lead" }, t("operators.no_breach")),
  );
}
