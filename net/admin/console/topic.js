// One topic: its partitions, its messages, its configuration.

import { h, heading, table, failure, waiting } from "./dom.js";
import { get, topicPath } from "./api.js";
import { bytes, count } from "./format.js";
import { messages } from "./messages.js";
import { configTable } from "./configs.js";

const ROWS = 200;
const TABS = [["", "Partitions"], ["messages", "Messages"], ["configs", "Configuration"]];

export function topic(words, params) {
  const name = words[1];
  const tabs = h("nav", { class: "tabs", "aria-label": "Parts of the topic" });
  const body = h("div", null);
  const facts = h("span", { class: "note" });
  let inner = null;
  let tab = null;

  function open(next, query) {
    if (inner?.again && tab === next) {
      inner.again(query);
      return;
    }
    inner?.stop?.();
    tab = next;
    const address = "#/topics/" + encodeURIComponent(name);
    tabs.replaceChildren(...TABS.map(([path, title]) =>
      h("a", { href: address + (path && "/" + path), "aria-current": path === tab ? "page" : null }, title)));
    inner = tab === "messages" ? messages(name, query) : tab === "configs" ? configsOf(name) : partitions(name, facts);
    body.replaceChildren(inner.node);
  }

  open(words[2] ?? "", params);
  const node = h("div", null,
    h("p", { class: "crumbs" }, h("a", { href: "#/topics" }, "Topics")), heading(name, facts), tabs, body);
  return {
    title: name,
    node,
    stop: () => inner?.stop?.(),
    again: (nextWords, query) => open(nextWords[2] ?? "", query),
  };
}

function partitions(name, facts) {
  const node = h("div", null, waiting());
  let rows = [];
  let asked = new AbortController();

  async function load(from = 0) {
    try {
      const page = await get(topicPath(name), { from, limit: ROWS }, asked.signal);
      rows = from ? rows.concat(page.partitions) : page.partitions;
      facts.textContent = `${count(page.partition_count)} partitions, id ${page.id}`;
      const more = page.next !== null
        && h("button", { type: "button", onclick: () => load(page.next) }, `More of ${count(page.partition_count)}`);
      node.replaceChildren(list(), ...(more ? [h("p", { class: "more" }, more)] : []));
    } catch (error) {
      if (error.name !== "AbortError") node.replaceChildren(failure(error));
    }
  }

  const list = () => table([
    { head: "Partition", cell: (row) => h("a", { href: `#/topics/${encodeURIComponent(name)}/messages?partition=${row.partition}` }, row.partition) },
    { head: "Leader", cell: (row) => (row.leader < 0 ? h("span", { class: "tag bad" }, "none") : row.leader), num: true },
    { head: "Epoch", cell: (row) => row.epoch, num: true },
    { head: "Replicas", cell: (row) => row.replicas.join(", "), num: true },
    { head: "In sync", cell: (row) => (row.in_sync.length < row.replicas.length
      ? h("span", { class: "tag bad" }, row.in_sync.join(", ") || "none") : row.in_sync.join(", ")), num: true },
    { head: "Start", cell: (row) => count(row.start), num: true },
    { head: "High watermark", cell: (row) => count(row.high_watermark), num: true },
    { head: "Records", title: "offsets between start and high watermark",
      cell: (row) => (row.start === null || row.high_watermark === null ? "–" : count(row.high_watermark - row.start)), num: true },
    { head: "Size", cell: (row) => bytes(row.bytes), num: true },
  ], rows, { label: "Partitions" });

  load();
  return { node, stop: () => asked.abort() };
}

function configsOf(name) {
  const node = h("div", null, waiting());
  get(topicPath(name, "/configs")).then(
    (answer) => node.replaceChildren(configTable(answer.configs, "topic")),
    (error) => node.replaceChildren(failure(error)));
  return { node };
}
