// The messages of a partition: from an offset, from a time, from the end, or as they come.

import { h, table, failure, waiting } from "./dom.js";
import { get, topicPath } from "./api.js";
import { bytes, count, time } from "./format.js";

const FOLLOW_MS = 1000;
const KEPT = 500;
const WHOLE = 1 << 20;

// --- what a field holds ---

function raw(field) {
  if (field.hex === undefined) return new TextEncoder().encode(field.text);
  return Uint8Array.from(field.hex.match(/../g) ?? [], (digits) => parseInt(digits, 16));
}

function dump(data) {
  const lines = [];
  for (let at = 0; at < data.length; at += 16) {
    const row = [...data.slice(at, at + 16)];
    const digits = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const signs = row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
    lines.push(at.toString(16).padStart(8, "0") + "  " + digits.padEnd(47) + "  " + signs);
  }
  return lines.join("\n");
}

function json(text) {
  const first = text.trimStart()[0];
  if (first !== "{" && first !== "[") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The whole of a field: `{ kind, text }`. */
function decoded(field, how) {
  const isText = field.hex === undefined;
  if (how === "hex" || (how === "auto" && !isText)) return { kind: "hex", text: dump(raw(field)) };
  const text = isText ? field.text : new TextDecoder().decode(raw(field));
  if (how !== "text") {
    const value = json(text);
    if (value !== undefined) return { kind: "json", text: JSON.stringify(value, null, 2) };
    if (how === "json") return { kind: "text", text, note: "not JSON" };
  }
  return { kind: "text", text };
}

/** A field in one line. */
function line(field, how) {
  if (field === null) return h("span", { class: "null" }, "null");
  if (field.size === 0) return h("span", { class: "null" }, "empty");
  const isText = field.hex === undefined;
  const isHex = how === "hex" || (how === "auto" && !isText);
  const text = isHex ? [...raw(field)].slice(0, 64).map((byte) => byte.toString(16).padStart(2, "0")).join(" ")
    : isText ? field.text : new TextDecoder().decode(raw(field));
  return text.replace(/\s+/g, " ").slice(0, 400);
}

// --- one message, opened ---

function fact(name, value) {
  return [h("dt", null, name), h("dd", null, value)];
}

function whole(title, field, how) {
  if (field === null) return h("div", null, h("h3", null, title), h("p", { class: "null" }, "null"));
  const { kind, text, note } = decoded(field, how);
  const size = bytes(field.size) + ", " + kind + (note ? ", " + note : "");
  return h("div", null, h("h3", null, title, h("span", { class: "note" }, size)), h("pre", { tabindex: "0" }, text));
}

function opened(message, how) {
  const headers = message.headers.map((one) => h("tr", null, h("td", null, line(one.key, "auto")), h("td", null, line(one.value, how))));
  return h("div", { class: "message" },
    h("dl", null, fact("Offset", count(message.offset)), fact("Time", time(message.timestamp)), fact("Timestamp", message.timestamp),
      fact("Compression", message.compression ?? "unknown"), fact("Leader epoch", message.leader_epoch),
      message.producer_id >= 0 ? fact("Producer", message.producer_id) : null,
      message.transactional ? fact("Transaction", "yes") : null),
    whole("Key", message.key, how), whole("Value", message.value, how),
    headers.length ? h("div", null, h("h3", null, "Headers"), h("table", { class: "headers" }, h("tbody", null, headers)),
      message.header_count > headers.length ? h("p", { class: "note" }, `${count(headers.length)} of ${count(message.header_count)}`) : null) : null);
}

// --- the page ---

export function messages(topic, params) {
  const option = (value, text) => h("option", { value }, text);
  const place = h("select", { "aria-label": "Where to begin" },
    option("end", "Newest"), option("start", "Oldest"), option("offset", "From offset"), option("time", "From time"));
  const at = h("input", { type: "text", class: "short", "aria-label": "Offset", inputmode: "numeric", spellcheck: "false" });
  const when = h("input", { type: "datetime-local", step: "1", "aria-label": "Time" });
  const partition = h("input", { type: "number", min: "0", class: "tiny", "aria-label": "Partition" });
  const limit = h("select", { "aria-label": "How many" }, ["20", "50", "100", "500"].map((number) => option(number, number)));
  const key = h("input", { type: "search", placeholder: "in the key", "aria-label": "Text in the key", spellcheck: "false" });
  const value = h("input", { type: "search", placeholder: "in the value", "aria-label": "Text in the value", spellcheck: "false", "data-search": true });
  const how = h("select", { "aria-label": "Shown as" }, option("auto", "Auto"), option("text", "Text"), option("json", "JSON"), option("hex", "Hex"));
  const follow = h("input", { type: "checkbox", id: "follow" });
  const summary = h("p", { class: "note", role: "status" });
  const body = h("div", null, waiting());
  const older = h("button", { type: "button" }, "Older");
  const newer = h("button", { type: "button" }, "Newer");
  let asked = null;
  let answer = null;
  let rows = [];
  let open = null;
  let timer = null;

  const field = (name, ...inputs) => h("label", { class: "field" }, h("span", null, name), inputs);
  const form = h("form", { class: "controls" },
    field("Partition", partition), field("Begin", place), at, when, field("Show", limit), field("Key", key), field("Value", value), field("As", how),
    h("label", { class: "check", for: "follow" }, follow, "Follow"), h("button", { class: "first", type: "submit" }, "Read"));
  const node = h("div", null, form, h("div", { class: "bar" }, summary, h("span", { class: "pair" }, older, newer)), body);

  /** The message that the address opens. */
  const inAddress = () => new URLSearchParams(location.hash.split("?")[1]).get("open");

  /** The fields say what the address says. */
  function fill(from) {
    partition.value = from.get("partition") ?? "0";
    limit.value = from.get("limit") ?? "50";
    key.value = from.get("key") ?? "";
    value.value = from.get("value") ?? "";
    how.value = from.get("as") ?? "auto";
    follow.checked = from.get("follow") === "1";
    const begin = from.get("from") ?? "end";
    const ms = Number(begin.slice(1));
    place.value = begin === "start" || begin === "end" ? begin : begin.startsWith("@") ? "time" : "offset";
    at.value = place.value === "offset" ? begin : "";
    when.value = place.value === "time" ? new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 19) : "";
    arrange();
  }

  function arrange() {
    at.hidden = place.value !== "offset";
    when.hidden = place.value !== "time";
    for (const select of [place, limit, how]) {
      for (const one of select.options) one.toggleAttribute("selected", one.value === select.value);
    }
  }

  function begin() {
    if (place.value === "offset") return at.value.trim() || "0";
    if (place.value === "time") return "@" + (when.value ? new Date(when.value).getTime() : 0);
    return place.value;
  }

  /** Writes the fields into the address, which loads. */
  function go(from) {
    const query = new URLSearchParams({ partition: partition.value || "0", from });
    if (limit.value !== "50") query.set("limit", limit.value);
    if (key.value) query.set("key", key.value);
    if (value.value) query.set("value", value.value);
    if (how.value !== "auto") query.set("as", how.value);
    if (follow.checked) query.set("follow", "1");
    const next = `#/topics/${encodeURIComponent(topic)}/messages?${query}`;
    if (location.hash === next) load(from);
    else location.hash = next;
  }

  async function ask(from, most) {
    asked?.abort();
    asked = new AbortController();
    const query = { partition: partition.value, from, limit: most, key: key.value, value: value.value };
    return get(topicPath(topic, "/messages"), query, asked.signal);
  }

  async function load(from) {
    clearTimeout(timer);
    try {
      // The newest ones are so many before the end; with a filter, from further back.
      const filtered = key.value || value.value;
      const start = from === "end" ? "-" + (filtered ? 10_000 : limit.value) : from;
      answer = await ask(start, limit.value);
      rows = answer.messages;
      const named = rows.find((row) => String(row.offset) === inAddress());
      open = null;
      if (named) toggle(named);
      else draw();
    } catch (error) {
      if (error.name === "AbortError") return;
      summary.textContent = "";
      body.replaceChildren(failure(error));
    }
    if (follow.checked) timer = setTimeout(more, FOLLOW_MS);
  }

  async function more() {
    try {
      const next = await ask(answer?.next ?? "end", KEPT);
      answer = { ...next, from: answer?.from ?? next.from };
      if (next.messages.length) {
        rows = rows.concat(next.messages).slice(-KEPT);
        draw();
      } else {
        tell();
      }
    } catch (error) {
      if (error.name === "AbortError") return;
      summary.textContent = error.message;
    }
    if (follow.checked) timer = setTimeout(more, FOLLOW_MS);
  }

  function tell() {
    const filtered = key.value || value.value;
    const looked = filtered ? `, ${count(answer.scanned)} looked through (${bytes(answer.scanned_bytes)})` : "";
    const lost = answer.unreadable.length ? `, ${count(answer.unreadable.length)} batches too large or damaged to show` : "";
    summary.textContent = `Offsets ${count(answer.start)} to ${count(answer.high_watermark)}; ${count(rows.length)} shown${looked}${lost}`;
    older.disabled = answer.from <= answer.start;
    newer.disabled = answer.next >= answer.high_watermark;
  }

  async function toggle(message) {
    if (open === message.offset) {
      open = null;
      draw();
      return;
    }
    open = message.offset;
    draw();
    const isCut = [message.key, message.value].some((one) => one && one.size > (one.text ? raw(one).length : (one.hex ?? "").length / 2));
    if (!isCut) return;
    try {
      const query = { partition: partition.value, from: message.offset, limit: 1, bytes: WHOLE };
      const [found] = (await get(topicPath(topic, "/messages"), query)).messages;
      if (found?.offset === message.offset) {
        Object.assign(message, found);
        if (open === message.offset) draw();
      }
    } catch (error) {
      summary.textContent = error.message;
    }
  }

  function draw() {
    tell();
    const columns = [
      { head: "Offset", num: true, cell: (row) => h("button", { type: "button", class: "link", "data-offset": row.offset,
        "aria-expanded": String(open === row.offset), onclick: () => toggle(row) }, count(row.offset)) },
      { head: "Time", kind: "time", cell: (row) => time(row.timestamp) },
      { head: "Key", kind: "key", cell: (row) => line(row.key, how.value) },
      { head: "Value", kind: "value", cell: (row) => line(row.value, how.value) },
      { head: "Size", num: true, cell: (row) => bytes((row.key?.size ?? 0) + (row.value?.size ?? 0)) },
    ];
    const focused = document.activeElement?.dataset?.offset;
    const list = table(columns, rows, { label: "Messages", class: "messages", none: "No message here." });
    const trs = list.querySelectorAll("tbody tr:not(.none)");
    rows.forEach((row, index) => {
      trs[index].addEventListener("click", (event) => {
        if (!event.target.closest("button, a") && !String(getSelection())) toggle(row);
      });
      if (open === row.offset) {
        trs[index].classList.add("open");
        trs[index].after(h("tr", { class: "detail" }, h("td", { colspan: columns.length }, opened(row, how.value))));
      }
    });
    body.replaceChildren(list);
    if (focused !== undefined) body.querySelector(`[data-offset="${focused}"]`)?.focus();
  }

  form.addEventListener("submit", (event) => { event.preventDefault(); go(begin()); });
  place.addEventListener("change", () => { arrange(); if (place.value === "end" || place.value === "start") go(place.value); });
  how.addEventListener("change", () => { arrange(); if (answer) draw(); });
  follow.addEventListener("change", () => go(follow.checked ? "end" : begin()));
  older.addEventListener("click", () => go(String(Math.max(answer.start, answer.from - Number(limit.value)))));
  newer.addEventListener("click", () => go(String(answer.next)));
  fill(params);
  load(params.get("from") ?? "end");
  return {
    node,
    stop: () => { asked?.abort(); clearTimeout(timer); },
    again: (query) => { fill(query); load(query.get("from") ?? "end"); },
  };
}
