// The frame around the pages: which one the address names, the state of the node, the keyboard.

import { h, failure } from "./dom.js";
import { begin, watch } from "./history.js";
import { overview } from "./overview.js";
import { topics } from "./topics.js";
import { topic } from "./topic.js";
import { group, groups } from "./groups.js";
import { configs } from "./configs.js";

const PAGES = [
  { key: "1", name: "Overview", path: [], page: overview },
  { key: "2", name: "Topics", path: ["topics"], page: topics, inner: topic },
  { key: "3", name: "Groups", path: ["groups"], page: groups, inner: group },
  { key: "4", name: "Configuration", path: ["configs"], page: configs },
];

const main = document.getElementById("main");
const nav = document.getElementById("nav");
const status = document.getElementById("status");
let stop = null;
let shown = null;

/** The address behind `#`: its words, and what stands behind the question mark. */
function address() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const words = path.split("/").filter(Boolean).map(decodeURIComponent);
  return { words, params: new URLSearchParams(query ?? "") };
}

function link({ name, path, key }, current) {
  return h("a", { href: "#/" + path.join("/"), title: `${name} (${key})`, "aria-current": current ? "page" : null }, name);
}

function show() {
  const { words, params } = address();
  const place = words[0] ?? "";
  nav.replaceChildren(...PAGES.map((one) => link(one, (one.path[0] ?? "") === place)));
  // A page that only changed what it looks for keeps its place.
  const name = words.slice(0, 2).join("/");
  if (stop?.again && shown === name) {
    stop.again(words, params);
    return;
  }
  stop?.stop?.();
  shown = name;
  const found = PAGES.find((one) => (one.path[0] ?? "") === place);
  const known = (words[1] && found?.inner) || found?.page;
  if (!known) {
    stop = null;
    document.title = "Flumen";
    main.replaceChildren(failure(new Error("There is no such page.")));
    return;
  }
  stop = known(words, params);
  document.title = stop.title + " · Flumen";
  main.replaceChildren(stop.node);
}

watch((samples, error) => {
  const sample = samples.at(-1);
  const state = error ? "away" : sample.state;
  const words = error ? "no answer" : state;
  status.replaceChildren(
    h("span", { class: "dot " + state, "aria-hidden": "true" }), h("span", null, words),
    sample ? h("span", { class: "version" }, sample.version) : "");
});

addEventListener("hashchange", () => { show(); main.focus({ preventScroll: true }); });
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "/") {
    const field = main.querySelector("[data-search]");
    if (field) {
      event.preventDefault();
      field.focus();
    }
    return;
  }
  const page = PAGES.find((one) => one.key === event.key);
  if (page) location.hash = "#/" + page.path.join("/");
});

begin();
show();
