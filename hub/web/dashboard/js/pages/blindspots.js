// Where nobody answers: unconnected platforms by how many stale bindings lie behind them, and what connecting each closes.
import { chart, axisText, colour, hatch, tooltip } from "../charts.js";
import { h } from "../dom.js";
import { count, figure } from "../numbers.js";
import { csvButton, guide, loud, section, tag } from "../parts.js";
import { nameOf, t, word } from "../text.js";

const FROM = "/v1/blind-spots";
const CARDS = 30;
const CHART_ROWS = 20;
export const sources = () => ({ blind: FROM });
export const csv = { spots: `${FROM}?format=csv` };
const whole = (value) => (value === null ? "–" : count(Math.round(value)));

export function view({ data: { blind }, ui }) {
  const spots = blind.spots.map((one, index) => ({ ...one, at: `spots.${index}` }));
  const shown = spots.slice(0, ui.cards ?? CARDS);
  const must = spots.filter((one) => one.must_connect).length;
  const close = spots.reduce((sum, one) => sum + one.would_close, 0);
  return [
    h("div", { class: "head" }, h("h1", {}, t("nav.blind-spots")), csvButton("spots")),
    h(
      "p",
      { class: "lead" },
      figure(spots.length, `${FROM}#len(spots)`),
      " ",
      t("blind.lead_1"),
      " ",
      figure(close, `${FROM}#sum(spots.*.would_close)`),
      " ",
      t("blind.lead_2"),
      " ",
      figure(must, `${FROM}#sum(spots.*.must_connect)`, count(must), must ? "alarm-text" : ""),
      " ",
      t("blind.lead_3"),
    ),
    spots.length ? [ranges(spots), h("ol", { class: "spots" }, shown.map((one, index) => card(one, index)))] : h("p", { class: "lead" }, t("blind.none")),
    spots.length > shown.length && h(
      "button",
      { class: "quiet", type: "button", "data-do": `set:cards:${shown.length + 100}` },
      t("more_rows", { n: count(spots.length - shown.length) }),
    ),
  ];
}

function ranges(spots) {
  const rows = spots.filter((one) => one.expected !== null).slice(0, CHART_ROWS);
  if (!rows.length) return null;
  const words = (one) => t("blind.range", { expected: whole(one.expected), low: whole(one.low), high: whole(one.high) });
  const label = `${t("blind.chart")}: ${rows.slice(0, 5).map((one) => `${nameOf(one.name)} ${words(one)}`).join("; ")}`;
  const make = (width) => {
    const left = width < 560 ? 100 : 190;
    return {
      grid: { left, right: 64, top: 4, bottom: 26 },
      xAxis: {
        type: "value",
        min: 0,
        splitNumber: width < 560 ? 3 : 6,
        axisLabel: { ...axisText(), hideOverlap: true },
        splitLine: { lineStyle: { color: colour("line") } },
      },
      yAxis: {
        type: "category",
        inverse: true,
        data: rows.map((one) => nameOf(one.name)),
        axisLine: { show: false },
        axisTick: { show: false },
        axisLabel: { ...axisText(), color: colour("ink"), interval: 0, width: left - 10, overflow: "truncate" },
      },
      tooltip: tooltip(({ dataIndex }) => `${nameOf(rows[dataIndex].name)}\n${words(rows[dataIndex])}\n${word("sureness", rows[dataIndex].sureness)}`),
      series: [
        {
          type: "custom",
          data: rows.map((one, index) => [one.high ?? one.expected, index]),
          encode: { x: 0, y: 1 },
          renderItem: (_, draw) => {
            const one = rows[draw.value(1)];
            const [x0, y] = draw.coord([one.low, draw.value(1)]);
            const [x1] = draw.coord([one.high ?? one.expected, draw.value(1)]);
            const [at] = draw.coord([one.expected, draw.value(1)]);
            const box = { x: x0, y: y - 8, width: Math.max(2, x1 - x0), height: 16 };
            const rect = { type: "rect", shape: box, style: { fill: colour("blind-ground"), stroke: colour("blind-ink"), lineWidth: 1 } };
            const middle = {
              type: "rect",
              shape: { x: at - 2, y: y - 11, width: 4, height: 22 },
              style: { fill: colour(one.must_connect ? "incident" : "ink") },
            };
            const text = { type: "text", style: { text: whole(one.expected), x: x1 + 8, y, verticalAlign: "middle", fill: colour("ink"), fontSize: 12 } };
            return { type: "group", children: [rect, ...hatch(box.x, box.y, box.width, box.height, 7), middle, text] };
          },
        },
      ],
    };
  };
  const list = h(
    "table",
    {},
    h("caption", {}, t("blind.chart")),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        [t("platform"), t("blind.expected"), t("blind.low"), t("blind.high")].map((one, index) => h("th", { scope: "col", class: index ? "n" : null }, one)),
      ),
    ),
    h(
      "tbody",
      {},
      rows.map((one) => h(
        "tr",
        {},
        h("th", { scope: "row" }, nameOf(one.name)),
        ["expected", "low", "high"].map((name) => h("td", { class: "n" }, figure(one[name], `${FROM}#${one.at}.${name}`, whole(one[name])))),
      )),
    ),
  );
  return section("ranges", t("blind.chart"), null, chart("ranges", rows.length * 30 + 34, label, make, list), h("p", { class: "note" }, t("blind.note")));
}

function card(one, index) {
  const of = (name) => `${FROM}#${one.at}.${name}`;
  const pair = (label, value) => [h("dt", {}, label), h("dd", {}, value)];
  return h(
    "li",
    { class: "spot", "data-key": one.id ?? `name-${nameOf(one.name)}` },
    h(
      "div",
      {},
      h(
        "div",
        {},
        h("h3", {}, `${index + 1}. `, one.id ? h("a", { href: `#/platform/${encodeURIComponent(one.id)}` }, nameOf(one.name)) : nameOf(one.name)),
        h(
          "p",
          { class: "note" },
          one.state ? tag("unconnected", word("state", one.state)) : tag("unconnected", t("blind.unknown_name")),
          one.sector && ` · ${word("sector", one.sector)}`,
          one.tier && ` · ${t("tier", { n: one.tier })}`,
        ),
        one.must_connect && h("p", {}, h("span", { class: "chip must" }, t("must_connect"))),
        h("p", { class: "close" }, figure(one.would_close, of("would_close"))),
        h("p", { class: "note" }, t("blind.would_close")),
      ),
      h(
        "dl",
        {},
        pair(t("blind.expected"), figure(one.expected, of("expected"), whole(one.expected))),
        pair(t("blind.middle"), [figure(one.low, of("low"), whole(one.low)), " – ", figure(one.high, of("high"), one.high === null ? "?" : whole(one.high))]),
        pair(t("blind.sureness"), word("sureness", one.sureness)),
        pair(t("blind.reported"), figure(one.reported, of("reported"))),
        pair(t("fact.exposed"), loud(one.exposed, of("exposed"), "warn-text")),
        pair(t("fact.incident"), loud(one.incident, of("incident"))),
        pair(t("platform.users"), figure(one.users_estimate, of("users_estimate"))),
      ),
      h("div", {}, h("p", { class: "note" }, t("guide.title")), guide(one.guide)),
    ),
  );
}
