// Everything at a glance: how much is resolved, of what; what lies in the blind; what changed today.
import { bars, chart } from "../charts.js";
import { h } from "../dom.js";
import { count, decimal, figure, share } from "../numbers.js";
import { bar, csvButton, fact, legend, loud, ratio, section } from "../parts.js";
import { t, word } from "../text.js";

const FROM = "/v1/overview";
const STAGES = ["COOLING", "SCHEDULED", "RELEASED", "REASSIGNED", "RESTORED", "WITHDRAWN"];
const GAPS = ["NOT_CONNECTED", "NOT_RECEIVED", "NO_OUTCOME", "FROZEN", "DECLINED", "FAILED", "DISPUTED"];
const GAP_COLOUR = { NOT_CONNECTED: "blind", FROZEN: "safe", DECLINED: "incident", DISPUTED: "incident" };
const TODAY = ["opened", "scheduled", "released", "reassigned", "undone", "acknowledgements", "reports", "refused", "breaches"];
const STATES = ["CONNECTED", "ONBOARDING", "KNOWN_UNCONNECTED", "SUSPENDED", "LEFT", "EXEMPT"];

export const sources = () => ({ overview: FROM });

export const csv = {
  gaps: ({ data }) => [["class", "pairs", "in_force"], ...GAPS.map((one) => [one, data.overview.pairs.gaps[one] ?? 0, data.overview.pairs.in_force])],
  stages: ({ data }) => [["stage", "cases"], ...STAGES.map((one) => [one, data.overview.cases[one] ?? 0])],
  roster: ({ data }) => [["state", "platforms"], ...STATES.map((one) => [one, data.overview.platforms[one] ?? 0])],
  today: ({ data }) => [["what", "count"], ...TODAY.map((one) => [one, data.overview.today[one]])],
};

export function view({ data: { overview } }) {
  return [
    h("h1", { class: "hidden" }, t("nav.overview")),
    hero(overview),
    facts(overview),
    h("div", { class: "two" }, stages(overview), gaps(overview)),
    h("div", { class: "two" }, today(overview), roster(overview)),
  ];
}

function hero({ pairs, unconnected }) {
  const blind = pairs.gaps.NOT_CONNECTED ?? 0;
  return h(
    "section",
    { "data-key": "hero", "aria-label": t("overview.coverage") },
    h(
      "div",
      { class: "hero" },
      h("p", { class: "big" }, figure(ratio(pairs.resolved, pairs.in_force), `${FROM}#pairs.resolved / pairs.in_force`, share(pairs.resolved, pairs.in_force))),
      h(
        "p",
        { class: "of" },
        t("overview.of_before"),
        " ",
        h("b", {}, figure(pairs.in_force, `${FROM}#pairs.in_force`)),
        " ",
        t("overview.of_after"),
        " ",
        h(
          "b",
          {},
          figure(ratio(pairs.takeover_safe, pairs.in_force), `${FROM}#pairs.takeover_safe / pairs.in_force`, share(pairs.takeover_safe, pairs.in_force)),
        ),
        " ",
        t("overview.safe_after"),
      ),
    ),
    bar(pairs, true),
    legend(pairs, FROM, "pairs"),
    blind > 0 &&
      h(
        "div",
        { class: "blindcall" },
        h(
          "p",
          {},
          h(
            "strong",
            {},
            figure(ratio(blind, pairs.in_force), `${FROM}#pairs.gaps.NOT_CONNECTED / pairs.in_force`, share(blind, pairs.in_force)),
            " ",
            t("overview.blind"),
          ),
          h("br"),
          t("overview.blind_of"),
          " ",
          figure(unconnected.incident, `${FROM}#unconnected.incident`),
          " ",
          t("overview.blind_incident"),
          " ",
          h("a", { href: "#/blind-spots" }, t("overview.blind_link")),
        ),
      ),
  );
}

function facts({ pairs, connected, degraded, hours_to_effect_median: median }) {
  const of = (name) => `${FROM}#pairs.${name}`;
  return h(
    "dl",
    { class: "facts", "data-key": "facts" },
    fact(t("fact.incident"), loud(pairs.incident, of("incident")), pairs.incident ? "alarm" : ""),
    fact(t("fact.exposed"), figure(pairs.exposed, of("exposed")), pairs.exposed ? "warn" : ""),
    fact(t("fact.overdue"), figure(pairs.overdue, of("overdue")), pairs.overdue ? "warn" : ""),
    fact(t("fact.disputes"), figure(pairs.disputes, of("disputes"))),
    fact(t("fact.restore_pending"), figure(pairs.restore_pending, of("restore_pending"))),
    fact(t("fact.degraded"), figure(degraded, `${FROM}#degraded`), degraded ? "warn" : ""),
    fact(
      t("fact.connected_coverage"),
      figure(ratio(connected.resolved, connected.in_force), `${FROM}#connected.resolved / connected.in_force`, share(connected.resolved, connected.in_force)),
      "",
      [t("of"), " ", figure(connected.in_force, `${FROM}#connected.in_force`)],
    ),
    fact(
      t("fact.median_days"),
      figure(median === null ? null : median / 24, `${FROM}#hours_to_effect_median / 24`, decimal(median === null ? null : median / 24, 1)),
      "",
      t("unit.days"),
    ),
  );
}

function countTable(name, first, rows, of) {
  return h(
    "table",
    {},
    h("caption", { class: "hidden" }, name),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, first), h("th", { scope: "col", class: "n" }, t("count")))),
    h("tbody", {}, rows.map((row) => h("tr", {}, h("th", { scope: "row" }, row.label), h("td", { class: "n" }, figure(row.n, of(row.key)))))),
  );
}

function counted(key, title, rows, of, first) {
  const label = `${title}: ${rows.map((row) => `${row.label} ${row.text}`).join(", ")}`;
  return section(key, title, csvButton(key), chart(key, rows.length * 32 + 4, label, bars(rows), countTable(title, first, rows, of)));
}

function stages({ cases }) {
  const rows = STAGES.map((one) => ({
    key: one,
    label: word("stage", one),
    n: cases[one] ?? 0,
    text: count(cases[one] ?? 0),
    colour: one === "REASSIGNED" ? "ink" : "line-strong",
  }));
  return counted("stages", t("overview.stages"), rows, (one) => `${FROM}#cases.${one}`, t("stage"));
}

function gaps({ pairs }) {
  const rows = GAPS.map((one) => ({
    key: one,
    label: word("gap", one),
    n: pairs.gaps[one] ?? 0,
    text: count(pairs.gaps[one] ?? 0),
    colour: GAP_COLOUR[one] ?? "pending",
  }));
  return counted("gaps", t("overview.gaps"), rows, (one) => `${FROM}#pairs.gaps.${one}`, t("gap"));
}

function today({ today: counts }) {
  const rows = TODAY.map((one) => ({ key: one, label: t(`today.${one}`), n: counts[one] }));
  return section("today", t("overview.today"), csvButton("today"), countTable(t("overview.today"), t("what"), rows, (one) => `${FROM}#today.${one}`));
}

function roster({ platforms }) {
  const rows = STATES.map((one) => ({ key: one, label: word("state", one), n: platforms[one] ?? 0 }));
  const list = countTable(t("overview.roster"), t("state"), rows, (one) => `${FROM}#platforms.${one}`);
  const link = h("p", { class: "note" }, h("a", { href: "#/platforms" }, t("nav.platforms")));
  return section("roster", t("overview.roster"), csvButton("roster"), list, link);
}
