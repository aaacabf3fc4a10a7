// Configurations: of a topic, of the broker.

import { h, heading, table, failure, waiting } from "./dom.js";
import { get } from "./api.js";

/** Configurations with a filter. `own` is the origin that stands out. */
export function configTable(configs, own) {
  const search = h("input", { type: "search", placeholder: "Filter", "aria-label": "Filter", "data-search": true, spellcheck: "false" });
  const changed = h("input", { type: "checkbox", id: "changed" });
  const body = h("div", null);
  function draw() {
    const part = search.value.toLowerCase();
    // What somebody chose stands first.
    const isDefault = (one) => Number(one.origin === "default");
    const rows = configs.toSorted((one, other) => isDefault(one) - isDefault(other)).filter((one) => one.name.includes(part) && (!changed.checked || one.origin !== "default"));
    body.replaceChildren(table([
      { head: "Key", cell: (row) => h("span", { class: "mono", title: row.meaning }, row.name) },
      { head: "Value", kind: "value", cell: (row) => (row.value === null ? h("span", { class: "null" }, "not shown")
        : row.value === "" ? h("span", { class: "null" }, "empty") : h("span", { class: "mono" }, row.value)) },
      { head: "From", cell: (row) => h("span", { class: row.origin === own ? "tag own" : row.origin === "default" ? "note" : "tag" }, row.origin) },
      { head: "", cell: (row) => (row.read_only ? h("span", { class: "note" }, "fixed at the start") : "") },
    ], rows, { label: "Configurations", none: "No key has this in its name." }));
  }
  search.addEventListener("input", draw);
  changed.addEventListener("change", draw);
  draw();
  return h("div", null, h("div", { class: "controls" }, search, h("label", { class: "check", for: "changed" }, changed, "Only what is not the default")), body);
}

export function configs() {
  const body = h("div", null, waiting());
  const facts = h("span", { class: "note" });
  get("configs").then((answer) => {
    facts.textContent = "Broker " + answer.broker;
    body.replaceChildren(configTable(answer.configs, "start"));
  }, (error) => body.replaceChildren(failure(error)));
  return { title: "Configuration", node: h("div", null, heading("Configuration", facts), body) };
}
