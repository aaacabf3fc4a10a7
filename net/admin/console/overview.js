// The node at a glance: what flows, where it waits, how busy each shard is.

import { h, heading, panel, table, failure, waiting } from "./dom.js";
import { get } from "./api.js";
import { Lines, distribution, meter, spark } from "./chart.js";
import { before, latencies, quantile, rate, rates, samples, sum, watch } from "./history.js";
import { bytes, byteRate, count, micros, percent, short } from "./format.js";

const MOST = 120;
const LEAST = 30;
const WINDOW_MS = 60_000;
/** The last seconds that a figure is made of, so that it does not jump. */
const CALM_MS = 3_000;

const STAGES = [
  ["queue", "Queue", "from the last byte received to the handler's start"],
  ["journal", "Journal", "from a produce's append to its records on disk"],
  ["flush", "Flush", "from a group being given to the disk to its being flushed"],
  ["send", "Send", "from the answer being ready to its last byte being taken"],
  ["total", "Total", "from the last byte received to the last byte sent; fetches that wait for data count too"],
];

const all = (counter) => (sample) => sum(sample, counter);
const received = all((shard) => shard.received_bytes);
const sent = all((shard) => shard.sent_bytes);
const records = all((shard) => shard.records);
const requested = all((shard) => Object.values(shard.requests).reduce((a, b) => a + b, 0));
const failed = all((shard) => Object.values(shard.errors).reduce((a, b) => a + b, 0));
const of = (api) => all((shard) => shard.requests[api] ?? 0);

function tile(name, value, note, extra) {
  return h("div", { class: "tile" }, h("span", { class: "tile-name" }, name), h("span", { class: "tile-value" }, value),
    h("span", { class: "note" }, note ?? " "), extra);
}

function tiles(now) {
  const calm = before(CALM_MS);
  const move = (counter) => rate(calm, now, counter);
  const { node } = now;
  const used = node.memory_used_bytes / node.memory_budget_bytes;
  const disk = node.disk_total_bytes ? 1 - node.disk_available_bytes / node.disk_total_bytes : null;
  return [
    tile("Records in", short(move(records)) + (samples.length > 1 ? "/s" : ""), count(records(now)) + " since the start"),
    tile("Bytes in", byteRate(move(received)), bytes(received(now)) + " since the start"),
    tile("Bytes out", byteRate(move(sent)), bytes(sent(now)) + " since the start"),
    tile("Requests", short(move(requested)) + (samples.length > 1 ? "/s" : ""), count(failed(now)) + " errors since the start"),
    tile("Connections", count(sum(now, (shard) => shard.connections)),
      bytes(sum(now, (shard) => shard.request_queued_bytes + shard.response_queued_bytes)) + " in flight"),
    tile("Topics", count(node.topics), count(node.partitions) + " partitions"
      + (node.weak_topics ? `, ${count(node.weak_topics)} weak` : "")),
    tile("Memory", bytes(node.memory_used_bytes), "of " + bytes(node.memory_budget_bytes), meter(used, "memory used")),
    tile("Disk", bytes(node.disk_available_bytes) + " free", "of " + bytes(node.disk_total_bytes), meter(disk, "disk used")),
  ];
}

function load(shard) {
  return samples.slice(1).map((after, at) => {
    const span = after.at_ms - samples[at].at_ms;
    return span > 0 ? (after.shards[shard].busy_ms - samples[at].shards[shard].busy_ms) / span : 0;
  });
}

function shards(now) {
  const calm = before(CALM_MS);
  const move = (row, counter) => rate(calm, now, (sample) => counter(sample.shards[row.index]));
  const rows = now.shards.map((shard, index) => ({ ...shard, index, load: load(index) }));
  const busy = (row) => {
    const span = now.at_ms - calm.at_ms;
    return span > 0 ? (row.busy_ms - calm.shards[row.index].busy_ms) / span : null;
  };
  return table([
    { head: "Shard", cell: (row) => row.index },
    { head: "Load", kind: "load", title: "time in tasks, of all time", cell: (row) => [
      h("span", { class: "load-value" }, percent(busy(row))), meter(busy(row), "load"), spark(row.load, Math.max(LEAST, row.load.length), 1)] },
    { head: "Partitions", cell: (row) => count(row.partitions), num: true },
    { head: "Connections", cell: (row) => count(row.connections), num: true },
    { head: "Records in", cell: (row) => short(move(row, (one) => one.records)) + "/s", num: true },
    { head: "In", cell: (row) => byteRate(move(row, (one) => one.received_bytes)), num: true },
    { head: "Out", cell: (row) => byteRate(move(row, (one) => one.sent_bytes)), num: true },
    { head: "Queued", title: "bytes of requests and answers in flight",
      cell: (row) => bytes(row.request_queued_bytes + row.response_queued_bytes), num: true },
    { head: "Tail", title: "newest records in memory", cell: (row) => bytes(row.tail_bytes), num: true },
    { head: "Longest turn", title: "the longest round of the last 30 to 60 seconds", cell: (row) => micros(row.turn_max_recent_us), num: true },
    { head: "Stalls", cell: (row) => count(row.stalls), num: true },
  ], rows, { label: "Shards" });
}

function stages(now) {
  const since = samples.length > 1 ? before(WINDOW_MS) : null;
  const bounds = now.bucket_bounds_us;
  const rows = STAGES.map(([key, name, meaning]) => {
    const recent = latencies(key, since, now);
    const isRecent = since !== null && recent.total > 0;
    return { name, meaning, isRecent, ...(isRecent ? recent : latencies(key, null, now)) };
  });
  const used = bounds.map((_, bucket) => rows.some((row) => row.counts[bucket] > 0));
  const range = [Math.max(0, used.indexOf(true)), Math.max(0, used.lastIndexOf(true))];
  const upTo = (row, part) => {
    const bound = quantile(row, part, bounds);
    return bound === null ? "–" : bound === Infinity ? "> 18 min" : "≤ " + micros(bound);
  };
  return table([
    { head: "Stage", cell: (row) => h("span", { title: row.meaning }, row.name) },
    { head: `Distribution, ${micros(range[0] ? bounds[range[0] - 1] : 0)} to ${micros(bounds[range[1]])}`, kind: "wide",
      cell: (row) => distribution(row.counts, range, row.name + " latency") },
    { head: "Count", cell: (row) => count(row.total), num: true },
    { head: "Mean", cell: (row) => micros(row.mean), num: true },
    { head: "p50", cell: (row) => upTo(row, 0.5), num: true },
    { head: "p99", cell: (row) => upTo(row, 0.99), num: true },
    { head: "p99.9", cell: (row) => upTo(row, 0.999), num: true },
    { head: "", cell: (row) => h("span", { class: "note" }, row.total === 0 ? "" : row.isRecent ? "last 60 s" : "since the start") },
  ], rows, { label: "Latency of each stage" });
}

function errors(now) {
  const totals = new Map();
  for (const shard of now.shards) {
    for (const [code, number] of Object.entries(shard.errors)) totals.set(code, (totals.get(code) ?? 0) + number);
  }
  const rows = [...totals].sort((one, other) => other[1] - one[1]);
  if (rows.length === 0) return null;
  return panel("Errors answered", "since the start", table([
    { head: "Error", cell: (row) => row[0] },
    { head: "Count", cell: (row) => count(row[1]), num: true },
  ], rows, { label: "Errors" }));
}

/** Mean of a stage in each step between two samples. */
function means(stage) {
  return samples.slice(1).map((after, at) => latencies(stage, samples[at], after).mean ?? 0);
}

export function overview() {
  const bytesChart = new Lines({ label: "Bytes in and out", format: byteRate, least: LEAST, most: MOST, base: 1024 });
  const requests = new Lines({ label: "Requests by API", format: (value) => short(value) + "/s", least: LEAST, most: MOST });
  const latency = new Lines({ label: "Mean latency", format: micros, least: LEAST, most: MOST });
  const tileBox = h("div", { class: "tiles" });
  const shardBox = h("div", null, waiting());
  const stageBox = h("div", null, waiting());
  const errorBox = h("div", null);
  const facts = h("span", { class: "note" });
  const trouble = h("div", null);
  get("cluster").then((cluster) => {
    const brokers = cluster.brokers.map((one) => `${one.id} at ${one.host}:${one.port}`).join(", ");
    facts.textContent = `Cluster ${cluster.cluster_id}, broker ${brokers}`;
  }, () => { facts.textContent = ""; });
  const stop = watch((_, error) => {
    trouble.replaceChildren(...(error ? [failure(error)] : []));
    const now = samples.at(-1);
    if (!now) return;
    const every = (now.at_ms - samples[0].at_ms) / 1000 / Math.max(1, samples.length - 1);
    tileBox.replaceChildren(...tiles(now));
    shardBox.replaceChildren(shards(now));
    stageBox.replaceChildren(stages(now));
    errorBox.replaceChildren(...[errors(now)].filter(Boolean));
    bytesChart.update([{ name: "in", values: rates(received) }, { name: "out", values: rates(sent) }], every);
    requests.update([{ name: "Produce", values: rates(of("Produce")) }, { name: "Fetch", values: rates(of("Fetch")) }], every);
    latency.update([{ name: "flush", values: means("flush") }, { name: "journal", values: means("journal") }], every);
  });
  const node = h("div", null, heading("Overview", facts), trouble, tileBox,
    h("div", { class: "charts" }, panel("Throughput", null, bytesChart.node), panel("Requests", null, requests.node),
      panel("Mean latency to disk", null, latency.node)),
    panel("Shards", "one for each core", shardBox), panel("Latency by stage", "upper bounds of buckets", stageBox), errorBox);
  return { title: "Overview", node, stop };
}
