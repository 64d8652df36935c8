// Asking the hub: the token, answers as JSON, tables as CSV. A number is only ever in the body of a POST.

const KEY = "token";
const PATIENCE_MS = 15_000;

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.title || problem.detail || `HTTP ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

export class Unreachable extends Error {}

export const token = () => sessionStorage.getItem(KEY);
export const keep = (value) => sessionStorage.setItem(KEY, value);
export const forget = () => sessionStorage.removeItem(KEY);

// A token handed over as `#token=…` is taken out of the address at once, so that it stays in no history.
export function takeFromAddress() {
  const match = /^#token=([^&]+)/.exec(location.hash);
  if (!match) return;
  keep(decodeURIComponent(match[1]));
  history.replaceState(null, "", `${location.pathname}#/overview`);
}

export const headers = (more = {}) => ({ Authorization: `Bearer ${token()}`, ...more });

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS), ...options });
  } catch (error) {
    throw new Unreachable(String(error));
  }
  if (answer.ok) return answer;
  if ([502, 504].includes(answer.status)) throw new Unreachable(`HTTP ${answer.status}`);
  throw new Refused(answer.status, await answer.json().catch(() => ({})));
}

export async function get(path) {
  const answer = await ask(path, { headers: headers({ Accept: "application/json" }) });
  return answer.json();
}

export async function post(path, body) {
  const all = headers({ "Content-Type": "application/json", Accept: "application/json" });
  const answer = await ask(path, { method: "POST", headers: all, body: JSON.stringify(body) });
  return answer.json();
}

// Saves a table as the API gives it.
export async function saveCsv(path, name) {
  const answer = await ask(path, { headers: headers({ Accept: "text/csv" }) });
  saveBlob(await answer.blob(), name);
}

export function saveRows(rows, name) {
  const cell = (value) => {
    const text = String(value ?? "");
    // A spreadsheet takes a text that begins so for a formula; names come from strangers.
    const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const text = rows.map((row) => row.map(cell).join(",")).join("\r\n");
  saveBlob(new Blob([`\ufeff${text}\r\n`], { type: "text/csv;charset=utf-8" }), name);
}

function saveBlob(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
