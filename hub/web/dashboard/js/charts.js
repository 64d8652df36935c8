// Charts by Apache ECharts on a canvas. It is loaded once the first page with a chart is drawn. Its tooltips are drawn on
// the canvas too (`richText`): as HTML they would carry style attributes, which the content security policy refuses, and
// names of strangers as markup. Every chart has its figures as a table beside it.
import { h } from "./dom.js";
import { t } from "./text.js";

let library = null;
const standing = new Set(); // The places of charts that were begun.
const still = matchMedia("(prefers-reduced-motion: reduce)");
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// A chart's place. `make()` gives ECharts' options, with today's colours; `label` says what is to be seen.
export function chart(key, height, label, make, alternative, onClick = null) {
  const box = h("div", { class: "chart", "data-chart": key, "data-key": key, role: "img", "aria-label": label });
  box.style.height = `${height}px`;
  box.chart = { make, onClick };
  return h(
    "figure",
    { class: "chart-box", "data-key": `f-${key}` },
    box,
    alternative && h("details", { class: "alt", "data-key": `a-${key}` }, h("summary", {}, t("as_table")), alternative),
  );
}

// Draws every chart that stands in `root`, and again what was drawn before.
export async function drawAll(root) {
  release();
  const boxes = [...root.querySelectorAll("[data-chart]")];
  if (!boxes.length) return;
  library ??= await import("../vendor/echarts/echarts.esm.min.js");
  for (const box of boxes) {
    if (!box.isConnected || !box.chart) continue;
    const drawn = library.getInstanceByDom(box) ?? begin(box);
    const size = `${box.clientWidth}x${box.clientHeight}`;
    if (box.dataset.size !== size) drawn.resize();
    box.dataset.size = size;
    drawn.setOption(
      { animation: !still.matches, animationDuration: 300, textStyle: { fontFamily: family() }, ...box.chart.make(box.clientWidth) },
      { notMerge: true },
    );
    box.dataset.drawn = "yes";
  }
}

function begin(box) {
  const drawn = library.init(box, null, { renderer: "canvas" });
  standing.add(box);
  drawn.on("click", (event) => box.chart.onClick?.(event));
  return drawn;
}

// Charts whose place is gone from the page, or is about to go with `root`.
export function release(root = null) {
  for (const box of standing) {
    if (box.isConnected && !root?.contains(box)) continue;
    library.getInstanceByDom(box)?.dispose();
    standing.delete(box);
  }
}

export const tooltip = (formatter) => ({
  renderMode: "richText",
  confine: true,
  backgroundColor: colour("ink"),
  borderWidth: 0,
  padding: [8, 10],
  textStyle: { color: colour("ground"), fontSize: 12, lineHeight: 18 },
  formatter,
});

export const axisText = () => ({ color: colour("ink-2"), fontSize: 12 });

// Lines across a cell, as the hatching of what is blind.
export function hatch(x, y, width, height, step = 6) {
  const lines = [];
  for (let at = step / 2; at < width + height; at += step) {
    const x1 = x + Math.min(at, width);
    const y1 = y + Math.max(0, at - width);
    const x2 = x + Math.max(0, at - height);
    const y2 = y + Math.min(at, height);
    lines.push({ type: "line", silent: true, shape: { x1, y1, x2, y2 }, style: { stroke: colour("blind-ink"), lineWidth: 1.6 } });
  }
  return lines;
}

const family = () => getComputedStyle(document.body).fontFamily;
let ruler = null;
function widest(texts) {
  ruler ??= document.createElement("canvas").getContext("2d");
  ruler.font = `13px ${family()}`;
  return Math.max(0, ...texts.map((text) => ruler.measureText(text).width));
}

// Counts by name, as bars that lie: label at the left, figure at the end.
export function bars(rows) {
  return (width) => ({
    grid: { left: widest(rows.map((row) => row.label)) + 14, right: Math.max(64, Math.min(90, width / 5)), top: 0, bottom: 0 },
    xAxis: { type: "value", show: false, max: (range) => Math.max(range.max, 1) },
    yAxis: {
      type: "category",
      inverse: true,
      data: rows.map((row) => row.label),
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: { ...axisText(), color: colour("ink"), fontSize: 13 },
    },
    series: [
      {
        type: "custom",
        renderItem: (_, api) => {
          const row = rows[api.value(1)];
          const [x0, y] = api.coord([0, api.value(1)]);
          const [x1] = api.coord([row.n, api.value(1)]);
          const height = Math.min(20, api.size([0, 1])[1] * 0.62);
          const shape = { x: x0, y: y - height / 2, width: row.n ? Math.max(2, x1 - x0) : 0, height };
          const ground = { type: "rect", shape, style: { fill: colour(row.colour === "blind" ? "blind-ground" : row.colour) } };
          const text = {
            type: "text",
            style: { text: row.text, x: shape.x + shape.width + 8, y, verticalAlign: "middle", fill: colour("ink"), font: `600 13px ${family()}` },
          };
          const lines = row.colour === "blind" ? hatch(shape.x, shape.y, shape.width, shape.height, 7) : [];
          return { type: "group", children: [ground, ...lines, text] };
        },
        data: rows.map((row, index) => [row.n, index]),
        encode: { x: 0, y: 1 },
      },
    ],
  });
}
