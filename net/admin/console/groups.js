// Consumer groups: who reads, and how far behind they are.

import { h, heading, panel, table, failure, waiting } from "./dom.js";
import { get, groupPath, poll } from "./api.js";
import { count, span } from "./format.js";

const EVERY_MS = 2000;
const ROWS = 100;
const ROWS_MAX = 500;

const address = (id) => "#/groups/" + encodeURIComponent(id);

function state(name) {
  const kind = name === "Stable" ? "tag own" : name === "Empty" || name === "Dead" ? "tag" : "tag warn";
  return h("span", { class: kind }, name || "–");
}

const lag = (records) => (records > 0 ? h("b", null, count(records)) : count(records));

export function groups(_words, params) {
  const body = h("div", null, waiting());
  const total = h("span", { class: "note" });
  const search = h("input", { type: "search", placeholder: "Filter by id", "aria-label": "Filter by id",
    "data-search": true, value: params.get("filter") ?? "", spellcheck: "false" });
  let limit = ROWS;
  let stop = () => {};

  async function load(signal) {
    try {
      const page = await get("groups", { filter: search.value, limit }, signal);
      total.textContent = `${count(page.groups.length)} of ${count(page.total)}`;
      const more = page.next && limit < ROWS_MAX
        && h("button", { type: "button", onclick: () => { limit = ROWS_MAX; again(); } }, "More groups");
      body.replaceChildren(list(page.groups), ...(more ? [h("p", { class: "more" }, more)] : []));
    } catch (error) {
      if (error.name !== "AbortError") body.replaceChildren(failure(error));
    }
  }

  const list = (rows) => table([
    { head: "Group", cell: (row) => h("a", { href: address(row.id) }, row.id || "(no name)") },
    { head: "State", cell: (row) => state(row.state) },
    { head: "Type", cell: (row) => [row.type, row.protocol && row.protocol !== "consumer" ? ` (${row.protocol})` : ""] },
    { head: "Members", cell: (row) => count(row.members), num: true },
    { head: "Partitions", title: "with a committed offset", cell: (row) => count(row.partitions), num: true },
    { head: "Lag", title: "records that are there to be read", cell: (row) => lag(row.lag), num: true },
  ], rows, { label: "Groups", none: search.value ? "No group has this in its id." : "There are no consumer groups yet." });

  function again() {
    stop();
    stop = poll(load, EVERY_MS);
  }

  let pause = null;
  search.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(() => {
      const query = search.value ? "?filter=" + encodeURIComponent(search.value) : "";
      history.replaceState(null, "", "#/groups" + query);
      limit = ROWS;
      again();
    }, 150);
  });
  again();
  const node = h("div", null, heading("Consumer groups", total, search), body);
  return { title: "Groups", node, stop: () => { stop(); clearTimeout(pause); } };
}

export function group(words) {
  const id = words[1];
  const facts = h("div", { class: "beside" });
  const body = h("div", null, waiting());

  async function load(signal) {
    try {
      const found = await get(groupPath(id), {}, signal);
      facts.replaceChildren(state(found.state), h("span", { class: "note" },
        [found.type, found.assignor, found.member_count === 1 ? "1 member" : `${count(found.member_count)} members`].filter(Boolean).join(", ")));
      const lagging = found.partitions.reduce((most, row) => Math.max(most, row.lag_ms ?? 0), 0);
      const late = lagging > 0 ? `${count(found.lag)} records behind, up to ${span(lagging)}` : `${count(found.lag)} records behind`;
      body.replaceChildren(panel("Partitions", late, partitions(found)), panel("Members", null, members(found)));
    } catch (error) {
      if (error.name !== "AbortError") body.replaceChildren(failure(error));
    }
  }

  const stop = poll(load, EVERY_MS);
  const node = h("div", null,
    h("p", { class: "crumbs" }, h("a", { href: "#/groups" }, "Groups")), heading(id, facts), body);
  return { title: id, node, stop };
}

const topicLink = (name) => h("a", { href: "#/topics/" + encodeURIComponent(name) }, name);

const partitions = (found) => table([
  { head: "Topic", cell: (row) => topicLink(row.topic) },
  { head: "Partition", cell: (row) => row.partition, num: true },
  { head: "Committed", cell: (row) => count(row.committed), num: true },
  { head: "End", cell: (row) => count(row.end), num: true },
  { head: "Lag", cell: (row) => lag(row.lag), num: true },
  { head: "Behind by", title: "age of the next record to read", cell: (row) => span(row.lag_ms), num: true },
  { head: "Client", cell: (row) => row.client ?? "–", kind: "end" },
], found.partitions, { label: "Partitions", none: "Nothing was committed." });

const members = (found) => table([
  { head: "Member", cell: (row) => h("span", { class: "mono" }, row.id) },
  { head: "Client", cell: (row) => row.client },
  { head: "Host", cell: (row) => row.host },
  { head: "Name", title: "of a static member", cell: (row) => row.instance ?? "–" },
  { head: "Topics", cell: (row) => row.topics.join(", ") || "–" },
  { head: "Partitions", cell: (row) => count(row.partitions), num: true },
], found.members, { label: "Members", none: "The group has no members." });
