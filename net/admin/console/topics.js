// The topics, a page at a time.

import { h, heading, table, failure, waiting } from "./dom.js";
import { get } from "./api.js";
import { bytes, count } from "./format.js";

const ROWS = 100;

export function topics(_words, params) {
  const body = h("div", null, waiting());
  const total = h("span", { class: "note" });
  const search = h("input", { type: "search", placeholder: "Filter by name", "aria-label": "Filter by name",
    "data-search": true, value: params.get("filter") ?? "", spellcheck: "false" });
  let asked = null;
  let rows = [];

  async function load(after = "") {
    asked?.abort();
    asked = new AbortController();
    try {
      const page = await get("topics", { filter: search.value, after, limit: ROWS }, asked.signal);
      rows = after ? rows.concat(page.topics) : page.topics;
      total.textContent = `${count(rows.length)} of ${count(page.total)}`;
      const more = page.next && h("button", { type: "button", onclick: () => load(page.next) }, "More topics");
      body.replaceChildren(list(), ...(more ? [h("p", { class: "more" }, more)] : []));
    } catch (error) {
      if (error.name !== "AbortError") body.replaceChildren(failure(error));
    }
  }

  const list = () => table([
    { head: "Topic", cell: (row) => h("a", { href: "#/topics/" + encodeURIComponent(row.name) }, row.name) },
    { head: "Partitions", cell: (row) => count(row.partitions), num: true },
    { head: "Replicas", cell: (row) => count(row.replicas), num: true },
    { head: "Size", cell: (row) => bytes(row.bytes), num: true },
    { head: "", cell: (row) => [
      h("a", { class: "quiet", href: `#/topics/${encodeURIComponent(row.name)}/messages` }, "messages"),
      row.internal ? h("span", { class: "tag" }, "internal") : null], kind: "end" },
  ], rows, { label: "Topics", none: search.value ? "No topic has this in its name." : "There are no topics yet." });

  let pause = null;
  search.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(() => {
      const query = search.value ? "?filter=" + encodeURIComponent(search.value) : "";
      history.replaceState(null, "", "#/topics" + query);
      load();
    }, 150);
  });
  load();
  const node = h("div", null, heading("Topics", total, search), body);
  return { title: "Topics", node, stop: () => { asked?.abort(); clearTimeout(pause); } };
}
