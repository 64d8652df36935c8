// The page as a whole: where one is, what is asked of the hub for it, and drawing it again when something moved.
import * as api from "./api.js";
import { drawAll, release } from "./charts.js";
import { h, morph } from "./dom.js";
import { follow } from "./live.js";
import { frame, gate, statusLine, banners } from "./shell.js";
import * as blindspots from "./pages/blindspots.js";
import * as caseOf from "./pages/case.js";
import * as operators from "./pages/operators.js";
import * as overview from "./pages/overview.js";
import * as pipeline from "./pages/pipeline.js";
import * as platform from "./pages/platform.js";
import * as platforms from "./pages/platforms.js";
import { preferred, remember, speak, t } from "./text.js";

const PAGES = { overview, platforms, platform, "blind-spots": blindspots, operators, case: caseOf, pipeline };
const OVERVIEW = "/v1/overview";
const ASK_LIVE_MS = 20_000; // Also on a quiet hub, so that "as of" stays true.
const ASK_ALONE_MS = 10_000;
const DRAW_GAP_MS = 1_000;
const RETRY_MAX_MS = 30_000;

const app = document.getElementById("app");
const state = { live: "waiting", down: null, problem: null, me: null, menu: false, asked: 0, notice: null };
const kept = new Map(); // path -> {json, at}
const views = new Map(); // page -> what the person set there
let stream = null;
let asking = null;
let again = null;
let failures = 0;
let generation = 0;

function route() {
  const [name, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  const page = PAGES[name] ? name : "overview";
  return { page, args: rest.map((one) => decodeURIComponent(one)) };
}

const uiOf = (page) => views.get(page) ?? views.set(page, {}).get(page);

function sourcesNow() {
  const { page, args } = route();
  return PAGES[page].sources(args, uiOf(page));
}

// Asks for everything the page shows; one asking at a time, and what comes too late for another page is dropped.
async function refresh() {
  clearTimeout(again);
  if (!api.token()) return draw();
  if (asking) return (asking = "again");
  asking = "once";
  const mine = ++generation;
  const where = location.hash;
  try {
    const paths = Object.values(sourcesNow());
    const all = Promise.all([...paths.map(fetchInto), besides(paths)]);
    all.catch(() => {}); // It is waited for below, unless who asks is refused first.
    state.me ??= await api.get("/v1/me");
    await all;
    if (state.down) stream?.nudge();
    Object.assign(state, { down: null, problem: null });
    failures = 0;
  } catch (error) {
    failed(error);
  }
  const more = asking === "again";
  asking = null;
  if (!api.token()) return draw();
  state.asked = performance.now();
  const wait = state.down ? Math.min(RETRY_MAX_MS, 1000 * 2 ** Math.min(failures, 6)) : state.live === "on" ? ASK_LIVE_MS : ASK_ALONE_MS;
  state.next = performance.now() + wait;
  const elsewhere = location.hash !== where;
  again = setTimeout(refresh, !more || state.down ? wait : elsewhere ? 0 : DRAW_GAP_MS);
  if (mine === generation) draw();
}

async function fetchInto(path) {
  const json = await api.get(path);
  kept.set(path, { json, at: performance.now() });
}

// Every page says when the hub is empty, and notices when it is down, also one that asks for nothing by itself.
async function besides(paths) {
  if (paths.includes(OVERVIEW) || (paths.length && kept.has(OVERVIEW) && !emptyNow())) return;
  await fetchInto(OVERVIEW).catch((error) => {
    if (!(error instanceof api.Refused) || error.status === 401 || error.status >= 500) throw error;
  });
}

function failed(error) {
  const refusal = error instanceof api.Refused;
  if (refusal && error.status === 401) return signOut(t("gate.refused"));
  // A hub that answers 5xx is down for whoever looks; what else it refuses has its words.
  if (refusal) state.problem = error;
  if (refusal && error.status < 500) return;
  // An answer that is none, such as a proxy's page, is as good as no answer.
  if (!refusal && !(error instanceof api.Unreachable)) console.error(error);
  failures += 1;
  state.down ??= { since: Date.now() };
}

function signOut(notice = null) {
  api.forget();
  stream?.stop();
  stream = null;
  kept.clear();
  views.clear();
  Object.assign(state, { me: null, notice, down: null, problem: null });
}

let soon = null;
function moved() {
  if (document.hidden || soon) return;
  soon = setTimeout(() => {
    soon = null;
    refresh();
  }, Math.max(0, state.asked + (PAGES[route().page].gapMs ?? DRAW_GAP_MS) - performance.now()));
}

function draw() {
  if (!api.token()) return put(gate(state.notice), "gate");
  const { page, args } = route();
  const ui = uiOf(page);
  const sources = PAGES[page].sources(args, ui);
  const data = {};
  for (const [name, path] of Object.entries(sources)) data[name] = kept.get(path)?.json;
  const ready = Object.values(data).every((one) => one !== undefined);
  const { asOf, at } = freshness();
  const refusal = state.problem?.status === 403 || state.problem?.status === 404 ? state.problem : null;
  const waiting = () => (refusal ? refused(refusal) : [h("p", { class: "lead" }, t("loading"))]);
  const body = ready ? PAGES[page].view({ data, ui, args, me: state.me, sources }) : waiting();
  const inTens = Object.values(data).some((one) => one?.in_tens);
  put(frame({ page, whole: ready || refusal !== null, state, me: state.me, body, asOf, at, empty: emptyNow(), inTens }), page);
  document.title = `${t(`nav.${PAGES[page].nav ?? page}`)} · ${t("brand")}`;
  drawAll(app);
}

const refused = (problem) => [
  h("h1", {}, t(problem.status === 403 ? "refused.role" : "refused.missing")),
  h("p", { class: "lead" }, problem.problem.todo ?? problem.problem.detail ?? ""),
];

function emptyNow() {
  const known = kept.get(OVERVIEW)?.json;
  return known ? Object.values(known.cases).every((n) => n === 0) : false;
}

// Of when what is shown is: of the oldest answer the page is made of, or of what the person asked for; a page of neither
// says how the hub fares.
function freshness() {
  const { page, args } = route();
  const own = PAGES[page].shown?.(uiOf(page));
  if (own) return own;
  const paths = Object.values(PAGES[page].sources(args, uiOf(page)));
  const all = (paths.length ? paths : [OVERVIEW]).map((path) => kept.get(path)).filter(Boolean);
  const oldest = all.sort((a, b) => a.at - b.at)[0];
  return { asOf: oldest?.json.as_of ?? null, at: oldest?.at ?? null };
}

let standing = null;
function put(nodes, where) {
  if (standing !== where) {
    release(app);
    app.replaceChildren(...nodes);
  } else {
    const fresh = h("div", {}, nodes);
    morph(app, fresh);
  }
  standing = where;
}

// Once a second: how old what is shown is, without drawing the page.
function tick() {
  const line = document.getElementById("status");
  if (!line) return;
  const { asOf, at } = freshness();
  morph(line, statusLine(state, asOf, at));
  morph(document.getElementById("banners"), banners(state, asOf, emptyNow()));
}

const DO = {
  menu: () => (state.menu = !state.menu),
  out: () => signOut(),
  theme: (_, value) => {
    if (value === "system") localStorage.removeItem("theme");
    else localStorage.setItem("theme", value);
    applyTheme();
  },
  language: async (_, value) => {
    remember(value);
    await speak(value);
    release(app);
    standing = null;
  },
  sort: (ui, table, key) => {
    const was = ui[table] ?? {};
    ui[table] = { ...was, by: key, down: was.by === key ? !was.down : true };
  },
  more: (ui, table) => (ui[table] = { ...ui[table], rows: (ui[table]?.rows ?? 50) + 200 }),
  set: (ui, name, value) => (ui[name] = value),
};

async function act(words, element) {
  const [verb, ...rest] = words.split(":");
  const { page, args } = route();
  const ui = uiOf(page);
  if (verb === "sign-in") return enter(element);
  const own = PAGES[page].act?.[verb];
  try {
    if (verb === "csv") await saveCsv(rest[0], ui, args);
    else await (own ?? DO[verb])(ui, ...rest, element);
    if (own || verb === "csv") state.problem = null;
  } catch (error) {
    failed(error);
  }
  draw();
  if (verb === "set") refresh();
}

async function saveCsv(what, ui, args) {
  const { page } = route();
  const stamp = new Date().toISOString().slice(0, 16).replace(/[:T]/g, "-");
  const name = `unbind-${what}-${stamp}.csv`;
  const own = PAGES[page].csv?.[what];
  if (typeof own === "string") return api.saveCsv(own, name);
  const sources = PAGES[page].sources(args, ui);
  const data = Object.fromEntries(Object.entries(sources).map(([key, path]) => [key, kept.get(path)?.json]));
  return api.saveRows(own({ data, ui, args }), name);
}

function enter(form) {
  const value = form.elements.token.value.trim();
  if (!value) return;
  api.keep(value);
  Object.assign(state, { notice: null, me: null });
  if (!location.hash.startsWith("#/")) history.replaceState(null, "", "#/overview");
  begin();
}

function applyTheme() {
  const chosen = localStorage.getItem("theme");
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset.theme = chosen ?? system;
}

function begin() {
  stream?.stop();
  if (api.token()) {
    stream = follow(moved, (live) => {
      // Where the stream broke, the hub may be down: that is asked at once, and what was missed when it is back.
      const turned = (live === "on") !== (state.live === "on");
      state.live = live;
      if (turned && state.asked) moved();
      tick();
    });
  }
  draw();
  refresh();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button && button.nodeName !== "FORM" && button.nodeName !== "SELECT") act(button.dataset.do, button);
  if (event.target.closest(".rail nav a")) state.menu = false;
});
document.addEventListener("change", (event) => {
  if (event.target.nodeName === "SELECT" && event.target.dataset.do) act(`${event.target.dataset.do}:${event.target.value}`, event.target);
});
document.addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.target.dataset.do) act(event.target.dataset.do, event.target);
});
document.addEventListener("visibilitychange", () => document.hidden || refresh());
addEventListener("hashchange", () => {
  if (location.hash.startsWith("#token=")) {
    api.takeFromAddress();
    state.me = null;
    return begin();
  }
  state.problem = null;
  draw();
  scrollTo(0, 0);
  document.getElementById("main")?.focus();
  refresh();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  applyTheme();
  draw();
});
let resizing = null;
addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(draw, 150);
});

api.takeFromAddress();
await speak(preferred());
applyTheme();
setInterval(tick, 1000);
begin();
