// Elements out of values. Text is always text: nothing here or elsewhere takes markup from a string.

// h("p", {class: "x", "data-key": 1}, "words", node, [nodes], null): attributes that are null, undefined or false are left out.
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    node.setAttribute(name, value === true ? "" : String(value));
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(node, child);
    else if (child !== null && child !== undefined && child !== false) node.append(child);
  }
}

// A width in parts of a hundred, set as the CSP allows: through the object model, not as a style attribute.
export function wide(node, share) {
  node.style.width = `${(Math.max(0, Math.min(1, share)) * 100).toFixed(3)}%`;
  return node;
}

// Makes `old` like `fresh` and keeps what the person is using: focus, scroll, open details, charts, what was typed.
export function morph(old, fresh) {
  const news = [...fresh.childNodes];
  const byKey = new Map();
  for (const one of old.childNodes) {
    const key = keyOf(one);
    if (key !== null) byKey.set(key, one);
  }
  let at = old.firstChild;
  for (const one of news) {
    const key = keyOf(one);
    let match = key !== null ? byKey.get(key) : at && keyOf(at) === null && alike(at, one) ? at : null;
    if (match && !alike(match, one)) match = null;
    if (!match) {
      old.insertBefore(one, at);
      continue;
    }
    if (match === at) at = at.nextSibling;
    else old.insertBefore(match, at);
    become(match, one);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

const keyOf = (node) => (node.nodeType === 1 ? node.getAttribute("data-key") : null);
const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName;

function become(old, fresh) {
  if (old.nodeType !== 1) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  // A chart keeps what its library wrote on it: by that it is found again, and not made anew at every turn.
  const isChart = old.hasAttribute("data-chart");
  for (const { name } of [...old.attributes]) {
    if (!isChart && name !== "open" && name !== "style" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of [...fresh.attributes]) {
    if (name !== "style" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (fresh.style.width !== old.style.width && !isChart) old.style.width = fresh.style.width;
  if (fresh.style.height) old.style.height = fresh.style.height;
  if (isChart) {
    old.chart = fresh.chart;
    return;
  }
  if (old.nodeName === "INPUT" || old.nodeName === "TEXTAREA") return;
  morph(old, fresh);
  if (old.nodeName === "SELECT") old.value = fresh.value;
}
