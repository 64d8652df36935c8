// Words in the language chosen: one dictionary file a language, words/zh.json and words/en.json, with the same keys.

export const LANGUAGES = ["zh", "en"];
let words = {};
let language = "zh";

export const lang = () => language;

export function preferred() {
  const kept = localStorage.getItem("language");
  if (LANGUAGES.includes(kept)) return kept;
  return (navigator.language || "zh").startsWith("zh") ? "zh" : "en";
}

export async function speak(wanted) {
  const answer = await fetch(`words/${wanted}.json`);
  words = await answer.json();
  language = wanted;
  document.documentElement.lang = wanted === "zh" ? "zh-CN" : "en";
}

export function remember(wanted) {
  localStorage.setItem("language", wanted);
}

// The words of a key, with {name} replaced by values. A key without words shows itself, in brackets a test looks for.
export function t(key, values = {}) {
  const text = words[key];
  if (text === undefined) return `⟦${key}⟧`;
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

// A member of one of the hub's enums, which may be newer than this page: then it is shown as it is spelt.
export function word(prefix, member) {
  return words[`${prefix}.${member}`] ?? String(member);
}

export const nameOf = (name) => (language === "zh" ? name.zh || name.en : name.en || name.zh);
