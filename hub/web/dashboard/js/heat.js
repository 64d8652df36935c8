// The heat map: platforms by the day cases opened. A platform that is not connected has its row like every other, hatched.
import { axisText, chart, colour, hatch, tooltip } from "./charts.js";
import { h } from "./dom.js";
import { count, figure, hours, share } from "./numbers.js";
import { isBlind, ratio } from "./parts.js";
import { nameOf, t, word } from "./text.js";

export const MEASURES = ["coverage", "safe", "lag", "mix"];
const ROW_PX = 24;
const STEPS = 6;
const LAG_HOURS = [6, 24, 72, 168, 336];
const MIX = ["UNBOUND", "NOT_BOUND", "FROZEN", "DECLINED", "FAILED"];
const MIX_KIND = { UNBOUND: "resolved", NOT_BOUND: "bound", FROZEN: "safe", DECLINED: "incident", FAILED: "incident" };

// The step of a cell, 5 best, or null if there is nothing to say.
export function step(cell, measure) {
  if (measure === "lag") {
    if (cell.hours_to_effect_median === null) return null;
    return STEPS - 1 - LAG_HOURS.filter((limit) => cell.hours_to_effect_median > limit).length;
  }
  const value = ratio(measure === "safe" ? cell.takeover_safe : cell.resolved, cell.in_force);
  // Only what is whole has the last colour.
  return value === null ? null : value === 1 ? STEPS - 1 : Math.min(STEPS - 2, Math.floor(value * (STEPS - 1)));
}

export function cellText(cell, measure) {
  if (!cell) return "";
  if (measure === "lag") return hours(cell.hours_to_effect_median);
  if (measure === "mix") {
    const said = MIX.filter((one) => cell.outcomes[one]).map((one) => `${word("outcome", one)} ${count(cell.outcomes[one])}`);
    return said.join(", ") || t("nothing_said");
  }
  return share(measure === "safe" ? cell.takeover_safe : cell.resolved, cell.in_force);
}

function mixColour(kind) {
  return kind === "bound" ? colour("heat-3") : colour(kind);
}

function drawCell(row, cell, measure, box) {
  const { x, y, width, height } = box;
  const rect = (shape, fill) => ({ type: "rect", shape, style: { fill } });
  if (!cell) return [{ type: "circle", shape: { cx: x + width / 2, cy: y + height / 2, r: 1.5 }, style: { fill: colour("line-strong") } }];
  if (isBlind(row.state)) return [rect(box, colour("blind-ground")), ...hatch(x, y, width, height)];
  if (measure === "mix") {
    const parts = [];
    let at = x;
    for (const one of MIX) {
      const wide = (width * (cell.outcomes[one] ?? 0)) / cell.in_force;
      if (wide > 0) parts.push(rect({ x: at, y, width: wide, height }, mixColour(MIX_KIND[one])));
      at += wide;
    }
    return [rect(box, colour("sunken")), ...parts];
  }
  const at = step(cell, measure);
  return [rect(box, at === null ? colour("sunken") : colour(`heat-${at}`))];
}

export function heatmap(key, rows, days, measure, alternative, onRow) {
  const label = t(
    "heat.label",
    { rows: count(rows.length), days: count(days.length), measure: t(`measure.${measure}`), blind: count(rows.filter((row) => isBlind(row.state)).length) },
  );
  const cells = rows.flatMap((row, y) => row.cells.map((_, x) => [x, y]));
  const make = (width) => {
    const narrow = width < 560;
    const left = narrow ? 92 : 178;
    return {
      grid: { left, right: 2, top: 26, bottom: 2 },
      xAxis: {
        type: "category",
        position: "top",
        data: days.map((day) => day.slice(5)),
        axisLine: { show: false },
        axisTick: { show: false },
        axisLabel: { ...axisText(), hideOverlap: true },
      },
      yAxis: {
        type: "category",
        inverse: true,
        triggerEvent: true,
        data: rows.map((row) => nameOf(row.name)),
        axisLine: { show: false },
        axisTick: { show: false },
        axisLabel: { ...axisText(), color: colour("ink"), interval: 0, width: left - 10, overflow: "truncate" },
      },
      tooltip: tooltip(({ data }) => {
        const row = rows[data[1]];
        const cell = row.cells[data[0]];
        const head = `${nameOf(row.name)} · ${days[data[0]]}`;
        if (!cell) return `${head}\n${t("no_cases")}`;
        const state = isBlind(row.state) ? `${word("state", row.state)}\n` : "";
        const lines = [
          `${t("part.resolved")} ${count(cell.resolved)} / ${count(cell.in_force)} (${share(cell.resolved, cell.in_force)})`,
          `${t("measure.safe")} ${share(cell.takeover_safe, cell.in_force)}`,
          `${t("measure.lag")} ${hours(cell.hours_to_effect_median)}`,
          cellText(cell, "mix"),
        ];
        return `${head}\n${state}${lines.join("\n")}`;
      }),
      series: [
        {
          type: "custom",
          data: cells,
          encode: { x: 0, y: 1 },
          renderItem: (_, draw) => {
            const [x, y] = [draw.value(0), draw.value(1)];
            const [cx, cy] = draw.coord([x, y]);
            const [w, high] = draw.size([1, 1]);
            const box = { x: cx - w / 2 + 1, y: cy - high / 2 + 1, width: Math.max(1, w - 2), height: Math.max(1, high - 2) };
            return { type: "group", children: drawCell(rows[y], rows[y].cells[x], measure, box) };
          },
        },
      ],
    };
  };
  const click = (event) => {
    const row = event.componentType === "yAxis" ? rows.find((one) => nameOf(one.name) === event.value) : rows[event.data?.[1]];
    if (row) onRow(row);
  };
  return chart(key, rows.length * ROW_PX + 30, label, make, alternative, click);
}

// What the colours mean, for the measure chosen.
export function scale(measure) {
  const item = (kind, text) => h("span", {}, h("i", { class: kind }), text);
  const blind = item("blind", t("heat.blind"));
  if (measure === "mix") return h(
    "p",
    { class: "scale" },
    item("resolved", word("outcome", "UNBOUND")),
    item("h3", word("outcome", "NOT_BOUND")),
    item("safe", word("outcome", "FROZEN")),
    item("incident", t("heat.kept")),
    blind,
  );
  const texts = measure === "lag" ? ["> 14", "7–14", "3–7", "1–3", "¼–1", "< ¼"].map((one) => `${one} ${t("unit.days")}`) : [
    "< 20%",
    "20–40%",
    "40–60%",
    "60–80%",
    "80–99.9%",
    "100%",
  ];
  return h("p", { class: "scale" }, texts.map((text, index) => item(`h${index}`, text)), blind);
}

// The same as a table, and the figures of it.
export function heatTable(rows, days, measure, source, pathOf, caption) {
  const value = (cell) => {
    if (!cell) return null;
    if (measure === "lag") return cell.hours_to_effect_median;
    if (measure === "mix") return null;
    return ratio(measure === "safe" ? cell.takeover_safe : cell.resolved, cell.in_force);
  };
  const cellFigure = (row, cell, x) =>
    figure(value(cell), `${source}#${expression(`${pathOf(row)}.${x}`)}`, cellText(cell, measure));
  const part = measure === "safe" ? "takeover_safe" : "resolved";
  const expression = (at) => (measure === "lag" ? `${at}.hours_to_effect_median` : `${at}.${part} / ${at}.in_force`);
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      {},
      h("caption", {}, caption),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("platform")), days.map((day) => h("th", { scope: "col", class: "n" }, day.slice(5))))),
      h(
        "tbody",
        {},
        rows.map((row) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, nameOf(row.name), isBlind(row.state) && h("small", {}, word("state", row.state))),
            row.cells.map((cell, x) =>
              h(
                "td",
                { class: "n" },
                cell && measure !== "mix" ? cellFigure(row, cell, x) : cellText(cell, measure),
                cell && h("small", { class: "zero" }, ` / ${count(cell.in_force)}`),
              ),
            ),
          ),
        ),
      ),
    ),
  );
}

export const heatCsv = (rows, days) => [
  ["platform", "state", "day", "in_force", "resolved", "takeover_safe", ...MIX.map((one) => one.toLowerCase()), "hours_to_effect_median"],
  ...rows.flatMap((row) => row.cells.map((cell, x) => cell && cellRow(row, days[x], cell)).filter(Boolean)),
];

function cellRow(row, day, cell) {
  const mix = MIX.map((one) => cell.outcomes[one] ?? 0);
  return [row.id, row.state, day, cell.in_force, cell.resolved, cell.takeover_safe, ...mix, cell.hours_to_effect_median ?? ""];
}
