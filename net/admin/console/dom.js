// Elements without a library. Text is always text: nothing that a record holds becomes markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** An element: `h("p", { class: "note" }, "text", other)`. */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** An element of a drawing. */
export function s(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

/** A table: columns are `{ head, cell(row), num, wide }`. */
export function table(columns, rows, options = {}) {
  const kind = (column) => [column.num && "num", column.kind].filter(Boolean).join(" ") || null;
  const head = columns.map((column) => h("th", { scope: "col", class: kind(column), title: column.title }, column.head));
  const body = rows.map((row) =>
    h("tr", options.row?.(row) ?? null, columns.map((column) => h("td", { class: kind(column) }, column.cell(row)))));
  if (rows.length === 0) {
    body.push(h("tr", { class: "none" }, h("td", { colspan: columns.length }, options.none ?? "Nothing here.")));
  }
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": options.label ?? "Table" },
    h("table", { class: options.class }, h("thead", null, h("tr", null, head)), h("tbody", null, body)));
}

/** A page's heading with what stands beside it. */
export function heading(title, ...beside) {
  return h("div", { class: "heading" }, h("h1", null, title), h("div", { class: "beside" }, beside));
}

/** A panel with a title. */
export function panel(title, note, ...content) {
  return h("section", { class: "panel" },
    h("div", { class: "panel-head" }, h("h2", null, title), note && h("span", { class: "note" }, note)), content);
}

/** What went wrong, where it was to be shown. */
export function failure(error) {
  return h("div", { class: "failure", role: "alert" }, h("strong", null, "Not available"), h("p", null, error.message));
}

/** A line while something is on its way. */
export function waiting() {
  return h("p", { class: "waiting" }, "Loading");
}
