// Every platform on the roster: the heat map, the table, and those whose bound rate is out of line.
import { h } from "../dom.js";
import { count, decimal, figure, hours } from "../numbers.js";
import { MEASURES, heatCsv, heatTable, heatmap, scale } from "../heat.js";
import { coverage, csvButton, isBlind, loud, platformLink, ratio, section, stateTag, table } from "../parts.js";
import { nameOf, t } from "../text.js";

const FROM = "/v1/platforms";
const HEAT_ROWS = 40;
const DAYS = [7, 14, 30];
const chosenDays = (ui) => Number(ui.days ?? (innerWidth < 700 ? 7 : 14));
const heatPath = (ui) => `/v1/platforms/heatmap?days=${chosenDays(ui)}`;

export const gapMs = 4_000; // Days of many platforms are more to ask for than a few counts.
export const sources = (_, ui) => ({ platforms: FROM, heat: heatPath(ui) });

export const csv = {
  platforms: `${FROM}?format=csv`,
  heat: ({ data }) => heatCsv(data.heat.rows, data.heat.days),
  outliers: ({ data }) => [
    ["platform", "bound_per_10000", "state"],
    ...data.platforms.platforms.filter((one) => one.outlier).map((one) => [one.id, one.bound_per_10000 ?? "", one.state]),
  ],
};

// The worst first: what is blind, then what is degraded, then what covers least. The tier decides among equals.
function gravity(row) {
  const open = row.pairs ? row.pairs.in_force - row.pairs.resolved : 0;
  return [row.state === "EXEMPT" ? 3 : isBlind(row.state) ? 0 : row.standing === "DEGRADED" ? 1 : 2, row.tier, -open];
}

function byGravity(a, b) {
  const [x, y] = [gravity(a), gravity(b)];
  const at = x.findIndex((one, index) => one !== y[index]);
  return at < 0 ? 0 : x[at] - y[at];
}

export function view({ data: { platforms, heat }, ui }) {
  const rows = platforms.platforms.map((row, index) => ({ ...row, key: row.id, at: `platforms.${index}` }));
  return [
    h(
      "div",
      { class: "head" },
      h("h1", {}, t("nav.platforms")),
      h("p", { class: "lead" }, t("platforms.lead", { n: count(rows.length), blind: count(rows.filter((one) => isBlind(one.state)).length) })),
    ),
    heat.rows.length > 0 && heatSection(rows, heat, ui),
    tableSection(rows, platforms.suppressed, ui),
    outliers(rows, ui),
  ];
}

function heatSection(rows, heat, ui) {
  const measure = ui.measure ?? "coverage";
  const shownCount = ui.heatRows ?? HEAT_ROWS;
  const known = new Map(rows.map((row) => [row.id, row]));
  const all = heat.rows.map((row, index) => ({ ...row, at: index, known: known.get(row.id) })).sort((a, b) => byGravity(a.known ?? a, b.known ?? b));
  const shown = all.slice(0, shownCount);
  const select = (name, values, label, words, chosen) => h(
    "label",
    {},
    label,
    h("select", { "data-do": `set:${name}`, name }, values.map((one) => h("option", { value: one, selected: one === chosen }, words(one)))),
  );
  const more = all.length > shown.length && h(
    "button",
    { class: "quiet", type: "button", "data-do": `set:heatRows:${shownCount + 100}` },
    t("more_rows", { n: count(all.length - shown.length) }),
  );
  const alternative = heatTable(shown, heat.days, measure, heatPath(ui), (row) => `rows.${row.at}.cells`, t("heat.caption"));
  return section(
    "heat",
    t("heat.title"),
    csvButton("heat"),
    h(
      "div",
      { class: "controls", "data-key": "heat-controls" },
      select("measure", MEASURES, t("heat.measure"), (one) => t(`measure.${one}`), measure),
      select("days", DAYS, t("heat.days"), (one) => t("heat.n_days", { n: one }), chosenDays(ui)),
      scale(measure),
    ),
    heatmap("heat", shown, heat.days, measure, alternative, (row) => (location.hash = `#/platform/${encodeURIComponent(row.id)}`)),
    more,
    h("p", { class: "note" }, t("heat.note")),
  );
}

function tableSection(rows, suppressed, ui) {
  const figureAt = (name, kind = "") => (row) => loud(row.pairs[name], `${FROM}#${row.at}.pairs.${name}`, kind);
  const columns = [
    { key: "name", label: t("platform"), cell: platformLink, sort: (row) => nameOf(row.name) },
    { key: "state", label: t("state"), cell: stateTag, sort: (row) => `${row.state}${row.standing ?? ""}` },
    {
      key: "coverage",
      label: t("coverage"),
      cell: (row) => coverage(row.pairs, FROM, `${row.at}.pairs`),
      sort: (row) => ratio(row.pairs.resolved, row.pairs.in_force),
    },
    { key: "incident", label: t("fact.incident"), n: true, cell: figureAt("incident", "alarm-text"), sort: (row) => row.pairs.incident },
    { key: "exposed", label: t("fact.exposed"), n: true, cell: figureAt("exposed"), sort: (row) => row.pairs.exposed },
    { key: "overdue", label: t("fact.overdue"), n: true, cell: figureAt("overdue"), sort: (row) => row.pairs.overdue },
    {
      key: "lag",
      label: t("platforms.effect"),
      n: true,
      cell: (row) => figure(row.hours_to_effect_median, `${FROM}#${row.at}.hours_to_effect_median`, hours(row.hours_to_effect_median)),
      sort: (row) => row.hours_to_effect_median,
    },
    { key: "channel", label: t("platforms.channel"), cell: (row) => row.channel ?? "–", sort: (row) => row.channel ?? "" },
  ];
  return section(
    "table",
    t("platforms.table"),
    csvButton("platforms"),
    table({ name: "platforms", caption: t("platforms.caption"), columns, rows: rows.sort(byGravity), ui }),
    suppressed > 0 && h("p", { class: "note" }, t("platforms.suppressed", { n: count(suppressed) })),
  );
}

function outliers(rows, ui) {
  const found = rows.filter((row) => row.outlier);
  const columns = [
    { key: "name", label: t("platform"), cell: platformLink },
    {
      key: "rate",
      label: t("outliers.rate"),
      n: true,
      cell: (row) => figure(row.bound_per_10000, `${FROM}#${row.at}.bound_per_10000`, decimal(row.bound_per_10000, 1)),
      sort: (row) => row.bound_per_10000,
    },
    { key: "coverage", label: t("coverage"), cell: (row) => coverage(row.pairs, FROM, `${row.at}.pairs`) },
  ];
  const caption = t("outliers.caption");
  const body = found.length
    ? table({ name: "outliers", caption, columns, rows: found, ui })
    : h("p", { class: "lead" }, t("outliers.none"));
  return section("outliers", t("outliers.title"), csvButton("outliers"), h("p", { class: "note" }, t("outliers.note")), body);
}

