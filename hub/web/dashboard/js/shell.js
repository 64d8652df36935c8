// The frame around every page: where one can go, how fresh what one sees is, language and theme; and the way in.
import { h } from "./dom.js";
import { clockOf, count, span } from "./numbers.js";
import { LANGUAGES, lang, t, word } from "./text.js";

const NAV = ["overview", "platforms", "blind-spots", "operators", "case", "pipeline"];
const OLD_S = 45;
const BEHIND_MS = 5_000;

export function frame({ page, whole, state, me, body, asOf, at, empty, inTens }) {
  const current = page === "platform" ? "platforms" : page;
  const links = NAV.map((one) => h("li", {}, h("a", { href: `#/${one}`, "aria-current": one === current ? "page" : null }, t(`nav.${one}`))));
  return [
    h("a", { class: "skip", href: "#main", "data-key": "skip" }, t("skip")),
    h(
      "div",
      { class: "frame", "data-key": "frame" },
      h(
        "header",
        { class: state.menu ? "rail open" : "rail", "data-key": "rail" },
        h(
          "div",
          { class: "rail-top" },
          brand(),
          h(
            "button",
            { class: "menu-button", type: "button", "data-do": "menu", "aria-expanded": state.menu ? "true" : "false", "aria-controls": "nav" },
            t("menu"),
          ),
        ),
        h("nav", { id: "nav", "aria-label": t("menu") }, h("ul", {}, links)),
        h(
          "div",
          { class: "switches" },
          switches(),
          me && h(
            "div",
            { class: "who" },
            h("span", {}, word("role", me.role)),
            h("button", { class: "quiet", type: "button", "data-do": "out" }, t("sign_out")),
          ),
        ),
      ),
      h(
        "div",
        { class: "side", "data-key": "side" },
        statusLine(state, asOf, at),
        banners(state, asOf, empty),
        h(
          "main",
          { id: "main", tabindex: "-1", "data-key": "main", "data-where": location.hash, "data-ready": whole ? "yes" : "no" },
          body,
          inTens && h("p", { class: "note", "data-key": "in-tens" }, t("in_tens")),
        ),
      ),
    ),
  ];
}

const brand = () => h("a", { class: "brand", href: "#/overview" }, h("img", { src: "icon.svg", alt: "" }), t("brand"));

function switches() {
  const theme = localStorage.getItem("theme") ?? "system";
  const button = (verb, value, on, label, tongue = null) => h(
    "button",
    { type: "button", "data-do": `${verb}:${value}`, "aria-pressed": on ? "true" : "false", lang: tongue },
    label,
  );
  return [
    h(
      "div",
      { class: "switch", role: "group", "aria-label": t("language") },
      LANGUAGES.map((one) => button("language", one, one === lang(), { zh: "中文", en: "English" }[one], one)),
    ),
    h(
      "div",
      { class: "switch", role: "group", "aria-label": t("theme") },
      ["system", "light", "dark"].map((one) => button("theme", one, one === theme, t(`theme.${one}`))),
    ),
  ];
}

// How fresh: the lamp says whether the page hears of changes, the words of when what it shows is.
export function statusLine(state, asOf, at) {
  const lamp = state.down ? "down" : state.live;
  const age_s = at === null ? 0 : (performance.now() - at + (asOf?.behind_ms ?? 0)) / 1000;
  const old = age_s > OLD_S || asOf?.stale || state.down;
  return h(
    "div",
    { class: "status", id: "status", role: "status", "aria-live": "off", "data-key": "status" },
    h("span", { class: `lamp ${lamp}`, "data-lamp": lamp }, t(`lamp.${lamp}`)),
    asOf && h(
      "span",
      { class: old ? "old" : null, "data-old": old ? "yes" : "no" },
      t("as_of", { time: `${clockOf(asOf.now_ms)} UTC`, age: span(Math.max(1000, age_s * 1000)) }),
    ),
  );
}

export function banners(state, asOf, empty) {
  const all = [];
  if (state.down) {
    const left = Math.max(0, Math.ceil((state.next - performance.now()) / 1000)) || 0;
    all.push(banner("down", t("down.title"), t("down.text", { since: `${clockOf(state.down.since)} UTC`, n: left })));
  } else if (state.problem && ![401, 403, 404].includes(state.problem.status)) {
    const { detail, todo } = state.problem.problem;
    all.push(banner("down", t("problem.title"), [detail, todo].filter(Boolean).join(" ")));
  }
  if (asOf && (asOf.stale || asOf.behind_ms > BEHIND_MS)) {
    // A reader that hears nothing of its logs cannot say how many messages it misses.
    const text = asOf.behind_messages ? t("lag.text", { n: count(asOf.behind_messages), age: span(asOf.behind_ms) }) : t("lag.unheard");
    all.push(banner("lag", t("lag.title"), text));
  }
  if (!state.down && state.live === "off") all.push(banner("off", t("off.title"), t("off.text")));
  if (empty) all.push(banner("info", t("empty.title"), t("empty.text")));
  return h("div", { id: "banners", "data-key": "banners", "aria-live": "polite" }, all);
}

const banner = (kind, title, text) => h(
  "div",
  { class: `banner ${kind}`, "data-banner": kind, "data-key": `b-${kind}` },
  h("p", {}, h("strong", {}, title), text),
);

export function gate(notice) {
  return [
    h(
      "main",
      { class: "gate", id: "main" },
      h(
        "form",
        { "data-do": "sign-in" },
        h("div", { class: "stripe", "aria-hidden": "true" }, h("i"), h("i"), h("i"), h("i")),
        h("h1", {}, t("brand")),
        h("p", { class: "lead" }, t("gate.text")),
        notice && h("p", { class: "alarm-text", role: "alert" }, notice),
        h("label", {}, t("gate.token"), h("input", { name: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true })),
        h("button", { class: "go", type: "submit" }, t("gate.enter")),
        h("p", { class: "note" }, t("gate.how"), " ", h("code", {}, "unbind-hub token --role viewer")),
        h("div", { class: "switches" }, switches()),
      ),
    ),
  ];
}
