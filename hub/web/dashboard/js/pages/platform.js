// One platform: what it has done of what it was told, day by day, its gaps, its states, and how a person unbinds there.
import { chart, colour, hatch, axisText, tooltip, bars } from "../charts.js";
import { h } from "../dom.js";
import { count, decimal, figure, hours, moment, share, span, when } from "../numbers.js";
import { heatCsv, heatTable } from "../heat.js";
import { bar, csvButton, fact, guide, isBlind, legend, loud, ratio, section, stateTag } from "../parts.js";
import { nameOf, t, word } from "../text.js";

export const nav = "platforms";
const path = (id) => `/v1/platforms/${encodeURIComponent(id)}`;
const GAPS = ["NOT_CONNECTED", "NOT_RECEIVED", "NO_OUTCOME", "FROZEN", "DECLINED", "FAILED", "DISPUTED"];
const GAP_COLOUR = { NOT_CONNECTED: "blind", FROZEN: "safe", DECLINED: "incident", DISPUTED: "incident" };
const OUTCOMES = ["UNBOUND", "NOT_BOUND", "FROZEN", "DECLINED", "FAILED", "REINSTATED"];

export const gapMs = 4_000; // Days of many platforms are more to ask for than a few counts.
export const sources = ([id]) => ({ one: path(id ?? "") });

export const csv = {
  days: ({ data: { one } }) => heatCsv([{ id: one.platform.id, state: one.platform.state, cells: one.cells }], one.days),
  history: ({ data: { one } }) => [["at", "state", "note"], ...one.history.map((each) => [new Date(each.at).toISOString(), each.state, each.note ?? ""])],
  pairs: ({ data: { one } }) => [
    ["kind", "what", "pairs", "in_force"],
    ...GAPS.map((each) => ["gap", each, one.platform.pairs.gaps[each] ?? 0, one.platform.pairs.in_force]),
    ...OUTCOMES.map((each) => ["outcome", each, one.platform.pairs.outcomes[each] ?? 0, one.platform.pairs.in_force]),
  ],
};

export function view({ data: { one }, args: [id] }) {
  const from = path(id);
  const { platform } = one;
  const { pairs } = platform;
  return [
    h("p", { class: "note" }, h("a", { href: "#/platforms" }, `← ${t("nav.platforms")}`)),
    h(
      "div",
      { class: "head" },
      h("h1", {}, nameOf(platform.name)),
      h(
        "p",
        {},
        stateTag(platform),
        " · ",
        word("sector", platform.sector),
        " · ",
        t("tier", { n: platform.tier }),
        platform.must_connect && [" ", h("span", { class: "chip must" }, t("must_connect"))],
      ),
    ),
    h(
      "section",
      { "data-key": "hero" },
      h(
        "div",
        { class: "hero" },
        h(
          "p",
          { class: "big" },
          figure(ratio(pairs.resolved, pairs.in_force), `${from}#platform.pairs.resolved / platform.pairs.in_force`, share(pairs.resolved, pairs.in_force)),
        ),
        h(
          "p",
          { class: "of" },
          t("platform.of_before"),
          " ",
          h("b", {}, figure(pairs.in_force, `${from}#platform.pairs.in_force`)),
          " ",
          t("platform.of_after"),
          isBlind(platform.state) && h("strong", {}, " ", t("platform.blind")),
        ),
      ),
      bar(pairs, true),
      legend(pairs, from, "platform.pairs"),
    ),
    facts(one, from),
    one.days.length > 0 && days(one, from),
    h("div", { class: "two" }, counted(pairs, from), h("div", {}, guideSection(one), states(one, from))),
  ];
}

function facts({ platform, received_behind: behind, users_estimate: users, as_of: asOf }, from) {
  const { pairs } = platform;
  const of = (name) => `${from}#platform.pairs.${name}`;
  const waiting = platform.waiting_since;
  const unheard = behind.reduce((sum, one) => sum + one, 0);
  return h(
    "dl",
    { class: "facts five", "data-key": "facts" },
    fact(t("fact.incident"), loud(pairs.incident, of("incident")), pairs.incident ? "alarm" : ""),
    fact(t("fact.exposed"), figure(pairs.exposed, of("exposed")), pairs.exposed ? "warn" : ""),
    fact(t("fact.overdue"), figure(pairs.overdue, of("overdue")), pairs.overdue ? "warn" : ""),
    fact(t("fact.restore_pending"), figure(pairs.restore_pending, of("restore_pending"))),
    fact(t("platform.unheard"), figure(unheard, `${from}#sum(received_behind)`), unheard && !isBlind(platform.state) ? "warn" : ""),
    fact(t("platform.waiting"), figure(waiting, `${from}#platform.waiting_since`, waiting === null ? "–" : span(asOf.now_ms - waiting))),
    fact(t("platforms.effect"), figure(platform.hours_to_effect_median, `${from}#platform.hours_to_effect_median`, hours(platform.hours_to_effect_median))),
    fact(
      t("outliers.rate"),
      figure(platform.bound_per_10000, `${from}#platform.bound_per_10000`, decimal(platform.bound_per_10000, 1)),
      platform.outlier ? "warn" : "",
      platform.outlier ? t("outliers.mark") : null,
    ),
    fact(t("platform.users"), figure(users, `${from}#users_estimate`)),
  );
}

const DAY_PARTS = [
  ["resolved", (cell) => cell.resolved],
  ["safe", (cell) => cell.takeover_safe - cell.resolved],
  ["open", (cell) => cell.in_force - cell.takeover_safe],
];

function days(one, from) {
  const blind = isBlind(one.platform.state);
  const label = t("platform.days_label", { name: nameOf(one.platform.name), n: count(one.days.length) });
  const make = () => ({
    grid: { left: 4, right: 4, top: 10, bottom: 4, containLabel: true },
    xAxis: {
      type: "category",
      data: one.days.map((day) => day.slice(5)),
      axisTick: { show: false },
      axisLine: { lineStyle: { color: colour("line-strong") } },
      axisLabel: { ...axisText(), hideOverlap: true },
    },
    yAxis: {
      type: "value",
      min: 0,
      max: Math.max(1, ...one.cells.map((cell) => cell?.in_force ?? 0)),
      axisLabel: axisText(),
      splitLine: { lineStyle: { color: colour("line") } },
    },
    tooltip: tooltip(({ dataIndex }) => {
      const cell = one.cells[dataIndex];
      const day = one.days[dataIndex];
      if (!cell) return day;
      const resolved = `${count(cell.resolved)} / ${count(cell.in_force)} (${share(cell.resolved, cell.in_force)})`;
      return `${day}\n${t("part.resolved")} ${resolved}\n${t("part.safe")} ${count(cell.takeover_safe - cell.resolved)}`;
    }),
    series: [
      {
        type: "custom",
        data: one.cells.map((cell, index) => [index, cell?.in_force ?? 0]),
        encode: { x: 0, y: 1 },
        renderItem: (_, draw) => {
          const cell = one.cells[draw.value(0)];
          if (!cell) return null;
          const wide = Math.min(44, draw.size([1, 0])[0] * 0.72);
          const left = draw.coord([draw.value(0), 0])[0] - wide / 2;
          let done = 0;
          const children = DAY_PARTS.flatMap(([kind, of]) => {
            const [bottom, top] = [draw.coord([0, done])[1], draw.coord([0, done + of(cell)])[1]];
            done += of(cell);
            const shape = { x: left, y: top, width: wide, height: bottom - top };
            const fill = kind === "open" ? colour(blind ? "blind-ground" : "pending") : colour(kind);
            return [{ type: "rect", shape, style: { fill } }, ...(kind === "open" && blind ? hatch(left, top, wide, bottom - top, 7) : [])];
          });
          return { type: "group", children };
        },
      },
    ],
  });
  const row = { ...one.platform, cells: one.cells };
  return section(
    "days",
    t("platform.days"),
    csvButton("days"),
    chart("days", 240, label, make, heatTable([row], one.days, "coverage", from, () => "cells", t("heat.caption"))),
  );
}

function counted(pairs, from) {
  const rows = [
    ...OUTCOMES.map((one) => ({
      key: `outcomes.${one}`,
      label: word("outcome", one),
      n: pairs.outcomes[one] ?? 0,
      colour: ["UNBOUND", "NOT_BOUND"].includes(one) ? "resolved" : one === "FROZEN" ? "safe" : "incident",
    })),
    ...GAPS.filter((one) => ![
      "FROZEN",
      "DECLINED",
      "FAILED",
    ].includes(one)).map((one) => ({ key: `gaps.${one}`, label: word("gap", one), n: pairs.gaps[one] ?? 0, colour: GAP_COLOUR[one] ?? "pending" })),
  ].map((row) => ({ ...row, text: count(row.n) }));
  const list = h(
    "table",
    {},
    h("caption", { class: "hidden" }, t("platform.pairs")),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("what")), h("th", { scope: "col", class: "n" }, t("count")))),
    h(
      "tbody",
      {},
      rows.map((row) => h("tr", {}, h("th", { scope: "row" }, row.label), h("td", { class: "n" }, figure(row.n, `${from}#platform.pairs.${row.key}`)))),
    ),
  );
  return section(
    "pairs",
    t("platform.pairs"),
    csvButton("pairs"),
    chart("pairs", rows.length * 30 + 4, `${t("platform.pairs")}: ${rows.map((row) => `${row.label} ${row.text}`).join(", ")}`, bars(rows), list),
  );
}

const guideSection = (one) => section("guide", t("guide.title"), null, guide(one.guide));

function states(one, from) {
  if (!one.history.length) return null;
  const rows = one.history.map((each, index) => ({ ...each, index })).reverse();
  return section(
    "history",
    t("platform.history"),
    csvButton("history"),
    h(
      "ol",
      { class: "moments" },
      rows.map((each) => h(
        "li",
        { class: "event" },
        when(each.at, `${from}#history.${each.index}.at`, moment(each.at)),
        h("strong", {}, word("state", each.state)),
        each.note && h("p", { class: "note" }, each.note),
      )),
    ),
  );
}
