// A case from suspended to reassigned: who was told, who did what, what is left and how many days. A number is sent in
// the body of a POST and kept nowhere; every question is recorded by the hub, so nothing here asks by itself again.
import * as api from "../api.js";
import { h } from "../dom.js";
import { count, decimal, figure, moment, span, when } from "../numbers.js";
import { csvButton, fact, guide, isBlind, section, table, tag } from "../parts.js";
import { nameOf, t, word } from "../text.js";

const STAGES = ["COOLING", "SCHEDULED", "RELEASED", "REASSIGNED"];
const POSITION = /^\d+-\d+$/;

export const sources = () => ({});

// What is shown is of when it was asked for: it grows old on the page, and "ask again" renews it.
export const shown = (ui) => (ui.found ? { asOf: ui.found.as_of, at: ui.at } : null);

export const act = {
  async find(ui, form) {
    const asked = form.elements.asked.value.replace(/[\s()]/g, "");
    if (!asked) return;
    ui.failed = null;
    if (POSITION.test(asked)) {
      if (location.hash === `#/case/${asked}`) await load(ui, asked);
      else location.hash = `#/case/${asked}`;
      return;
    }
    await answer(ui, () => api.post("/v1/cases/lookup", { number: asked }), "lookup");
    history.replaceState(null, "", "#/case");
    ui.loaded = "";
    form.reset();
  },
  async again(ui, id) {
    await load(ui, id);
  },
};

async function load(ui, id) {
  ui.loaded = id;
  const path = `/v1/cases/${encodeURIComponent(id)}`;
  await answer(ui, () => api.get(path), path);
}

async function answer(ui, ask, from) {
  ui.busy = true;
  try {
    Object.assign(ui, { found: await ask(), from, failed: null, at: performance.now() });
  } catch (error) {
    ui.found = null;
    if (!(error instanceof api.Refused) || error.status === 401) throw error;
    ui.failed = error.problem;
  } finally {
    ui.busy = false;
  }
}

const EFFECTS = ["platform", "state", "status", "shown", "gap", "overdue", "exposed", "incident", "received"];
const iso = (ms) => (ms === null ? "" : new Date(ms).toISOString());
const effectRow = (one, each) => [one.id, ...EFFECTS.map((name) => each[name] ?? ""), iso(each.first_said_at), iso(each.deadline_at)];
const momentRow = (one, each) => [
  one.id,
  iso(each.at),
  each.kind,
  each.what,
  each.who ?? "",
  each.breaches.join(" "),
  each.source ?? "",
];

export const csv = {
  effects: ({ ui }) => [
    ["case", ...EFFECTS, "first_said_at", "deadline_at"],
    ...ui.found.cases.flatMap((one) => (one.effects ?? []).map((each) => effectRow(one, each))),
  ],
  moments: ({ ui }) => [
    ["case", "at", "kind", "what", "who", "breaches", "source"],
    ...ui.found.cases.flatMap((one) => one.moments.map((each) => momentRow(one, each))),
  ],
};

export function view({ ui, args: [id], me }) {
  if (id && ui.loaded !== id && !ui.busy) {
    ui.found = null;
    load(ui, id).then(
      () => dispatchEvent(new Event("resize")),
      () => dispatchEvent(new Event("resize")),
    );
  }
  return [
    h("div", { class: "head" }, h("h1", {}, t("nav.case"))),
    h(
      "form",
      { class: "controls", "data-do": "find", role: "search", "data-key": "find" },
      h(
        "label",
        {},
        t("case.asked"),
        h("input", { name: "asked", autocomplete: "off", inputmode: "tel", spellcheck: "false", required: true, placeholder: "+8613… / 7-120033" }),
      ),
      h("button", { class: "go", type: "submit" }, t("case.find")),
      h("p", { class: "note" }, t("case.recorded")),
    ),
    h("div", { "aria-live": "polite", "data-key": "found" }, ui.failed && failure(ui.failed), ui.found && results(ui, me, id)),
  ];
}

// Refusals a person meets here have words of their own; of others the hub's.
function failure({ reason, detail, todo }) {
  const own = word("problem", reason);
  const said = own === reason ? [detail ?? t("problem.title"), todo] : [own];
  return h("p", { class: "lead", role: "alert" }, said.filter(Boolean).join(" "));
}

function results(ui, me, id) {
  if (!ui.found.cases.length) return h("p", { class: "lead" }, t("case.none"));
  return [
    h(
      "p",
      { class: "note" },
      t("case.answered", { time: moment(ui.found.as_of.now_ms) }),
      ui.found.lookup_id && ` · ${t("case.lookup")} ${ui.found.lookup_id}`,
      id && [" · ", h("button", { class: "quiet", type: "button", "data-do": `again:${id}` }, t("case.again"))],
    ),
    ui.found.cases.map((one, index) => caseSection(one, ui, `cases.${index}.`, me)),
  ];
}

function caseSection(one, ui, path, me) {
  const of = (name) => `${ui.from}#${path}${name}`;
  return h(
    "article",
    { "data-key": `case-${one.id}` },
    section(
      `case-${one.id}`,
      `${t("case")} ${one.id}`,
      one.operator && h("span", { class: "note" }, t("case.by", { operator: one.operator })),
      stageStrip(one, of),
      h(
        "dl",
        { class: "facts five" },
        fact(
          t("case.days_left"),
          figure(one.days_to_reissue, of("days_to_reissue"), decimal(one.days_to_reissue, 1)),
          one.days_to_reissue !== null && one.days_to_reissue < 7 ? "alarm" : "",
          t("unit.days"),
        ),
        ...(one.effects === null ? [fact(t("case.status"), t(`status.${one.status}`), STATUS_KIND[one.status])] : byStatus(one, of)),
        fact(t("case.unconnected"), figure(one.unconnected.length, `${ui.from}#len(${path}unconnected)`)),
      ),
      one.effects === null && h("p", { class: "note" }, t("case.not_yours", { role: word("role", me?.role ?? "") })),
    ),
    h("div", { class: one.effects ? "case-body both" : "case-body" }, one.effects && effects(one, ui, of), moments(one, of)),
  );
}

function stageStrip(one, of) {
  const reached = STAGES.indexOf(one.stage);
  const undone = one.stage === "RESTORED" || one.stage === "WITHDRAWN";
  const dates = { COOLING: ["opened_at"], SCHEDULED: [], RELEASED: ["cooling_until"], REASSIGNED: ["reissue_not_before"] };
  const stages = undone ? ["COOLING", one.stage] : STAGES;
  return h(
    "ol",
    { class: "stages" },
    stages.map((stage, index) => {
      const kind = undone ? (index ? "now" : "done") : index < reached ? "done" : index === reached ? (stage === "REASSIGNED" ? "now last" : "now") : "";
      const field = dates[stage]?.[0];
      const words = { opened_at: "case.opened", cooling_until: "case.cooling_until", reissue_not_before: "case.reissue" }[field];
      return h(
        "li",
        { class: kind, "aria-current": kind.startsWith("now") ? "step" : null },
        word("stage", stage),
        field && one[field] !== null && h("p", { class: "note" }, t(words), " ", when(one[field], of(field))),
      );
    }),
  );
}

function shownTag(row) {
  if (!row.shown && !row.gap) return tag("cleared", t("status.cleared"));
  if (row.gap) return tag(isBlind(row.state) ? "blind" : { FROZEN: "frozen", DECLINED: "refused" }[row.gap] ?? "pending", word("gap", row.gap));
  return tag("cleared", word("outcome", row.shown));
}

// How long there is left until a gap is overdue; or that it is.
function left(deadline, now) {
  if (deadline === null) return null;
  if (deadline <= now) return h("small", { class: "alarm-text" }, h("br"), t("case.past", { age: span(now - deadline) }));
  return h("small", { class: "zero" }, h("br"), t("case.left", { age: span(deadline - now) }));
}

// Who may not see platforms gets one word over all connected ones, and no count from which one would follow.
const STATUS_KIND = { cleared: "", pending: "warn", refused: "alarm" };

const byStatus = (one, of) => [
  fact(t("status.cleared"), figure(one.cleared, of("cleared"))),
  fact(t("status.pending"), figure(one.pending, of("pending")), one.pending ? "warn" : ""),
  fact(t("status.refused"), figure(one.refused, of("refused")), one.refused ? "alarm" : ""),
];

function effects(one, ui, of) {
  const rows = one.effects.map((each, index) => ({ ...each, key: each.platform, at: `effects.${index}` }));
  const now = ui.found.as_of.now_ms;
  const order = (row) => (row.gap ? 0 : 1) * 100 + row.tier;
  const mark = (on, key, kind) => (on ? h("span", { class: kind }, t(key), " ") : null);
  const time = (name) => (row) => when(row[name], of(`${row.at}.${name}`));
  const columns = [
    {
      key: "name",
      label: t("platform"),
      cell: (row) => [h("a", { href: `#/platform/${encodeURIComponent(row.platform)}` }, nameOf(row.name)), h("small", {}, t("tier", { n: row.tier }))],
      sort: (row) => nameOf(row.name),
    },
    {
      key: "received",
      label: t("case.received"),
      cell: (row) => (isBlind(row.state) ? tag("blind", word("state", row.state)) : row.received === null ? "–" : row.received ? t("yes") : h(
        "span",
        { class: "warn-text" },
        t("no"),
      )),
    },
    { key: "shown", label: t("case.effect"), cell: shownTag, sort: (row) => row.gap ?? row.shown },
    {
      key: "marks",
      label: t("case.marks"),
      cell: (row) => [
        mark(row.incident, "fact.incident", "alarm-text"),
        mark(row.exposed, "fact.exposed", "warn-text"),
        mark(row.overdue, "fact.overdue", "warn-text"),
        mark(row.disputed, "fact.disputes", "warn-text"),
        mark(row.restore_pending, "fact.restore_pending", "warn-text"),
      ],
    },
    { key: "said", label: t("case.said"), n: true, cell: time("first_said_at"), sort: (row) => row.first_said_at },
    {
      key: "deadline",
      label: t("case.deadline"),
      n: true,
      cell: (row) => (row.gap ? [time("deadline_at")(row), left(row.deadline_at, now)] : "–"),
      sort: (row) => (row.gap ? row.deadline_at : null),
    },
    {
      key: "guide",
      label: t("guide.title"),
      cell: (row) => (row.gap && row.guide ? h("details", { "data-key": `g-${row.key}` }, h("summary", {}, t("guide.show")), guide(row.guide)) : "–"),
    },
  ];
  return section(
    `effects-${one.id}`,
    t("case.effects"),
    csvButton("effects"),
    table({
      name: `effects-${one.id}`,
      caption: t("case.effects_caption", { n: count(rows.length) }),
      columns,
      rows: rows.sort((a, b) => order(a) - order(b)),
      ui,
    }),
  );
}

const WHATS = ["stage", "outcome", "gap", "report", "event"];
const whatText = (what) => WHATS.map((prefix) => word(prefix, what)).find((text) => text !== what) ?? what;

function moments(one, of) {
  return section(
    `moments-${one.id}`,
    t("case.moments"),
    csvButton("moments"),
    h(
      "ol",
      { class: "moments" },
      one.moments.map((each, index) =>
        h(
          "li",
          { class: each.kind },
          when(each.at, of(`moments.${index}.at`)),
          h("strong", {}, word("moment", each.kind)),
          ` · ${whatText(each.what)}`,
          each.who && ` · ${each.who}`,
          each.breaches.length > 0 && h("span", { class: "alarm-text" }, ` ${each.breaches.map((breach) => word("breach", breach)).join(", ")}`),
          each.source && h("small", { class: "zero" }, ` ${each.source}`),
        ),
      ),
    ),
  );
}
