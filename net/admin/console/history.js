// The node's counters, asked for once a second while somebody looks, and what moved between two of
// them. The broker keeps no history: this page's own memory is all there is.

import { get } from "./api.js";

const EVERY_MS = 1000;
const KEPT = 121;

export const samples = [];
const listeners = new Set();
let failed = null;
let timer = null;

/** Calls `listener(samples, error)` at every answer until the returned function is called. */
export function watch(listener) {
  listeners.add(listener);
  if (samples.length || failed) listener(samples, failed);
  return () => listeners.delete(listener);
}

async function turn() {
  timer = null;
  if (!document.hidden) {
    try {
      const sample = await get("node");
      const last = samples.at(-1);
      // A broker that began again counts from zero.
      if (last && sample.at_ms < last.at_ms) samples.length = 0;
      // Two that are close together make a rate of noise.
      if (!(sample.at_ms - last?.at_ms < EVERY_MS / 2)) samples.push(sample);
      if (samples.length > KEPT) samples.shift();
      failed = null;
    } catch (error) {
      failed = error;
    }
    for (const listener of listeners) listener(samples, failed);
  }
  timer ??= setTimeout(turn, EVERY_MS);
}

/** Begins to ask. */
export function begin() {
  turn();
}

/** The sum of a counter over all shards. */
export const sum = (sample, counter) => sample.shards.reduce((all, shard) => all + counter(shard), 0);

/** How fast a counter moved between two samples, in a second. */
export function rate(before, after, counter) {
  const seconds = (after.at_ms - before.at_ms) / 1000;
  return seconds > 0 ? Math.max(0, counter(after) - counter(before)) / seconds : null;
}

/** The rates of a counter over all samples. */
export function rates(counter) {
  return samples.slice(1).map((after, at) => rate(samples[at], after, counter));
}

/** The sample that the last `ms` began with. */
export function before(ms) {
  const last = samples.at(-1);
  return samples.find((sample) => last.at_ms - sample.at_ms <= ms) ?? last;
}

/** Latencies of a stage, of all shards or one, since an earlier sample. */
export function latencies(stage, since, now, shard = null) {
  const counts = now.bucket_bounds_us.map(() => 0);
  let sumUs = 0;
  now.shards.forEach((one, index) => {
    if (shard !== null && index !== shard) return;
    const old = since?.shards[index]?.stages[stage];
    one.stages[stage].counts.forEach((count, bucket) => { counts[bucket] += count - (old?.counts[bucket] ?? 0); });
    sumUs += one.stages[stage].sum_us - (old?.sum_us ?? 0);
  });
  const total = counts.reduce((all, count) => all + count, 0);
  return { counts, total, mean: total ? sumUs / total : null };
}

/** The upper bound of the bucket in which a quantile is; infinite for the last one. */
export function quantile({ counts, total }, part, bounds) {
  if (!total) return null;
  let below = 0;
  for (let bucket = 0; bucket < counts.length; bucket += 1) {
    below += counts[bucket];
    if (below >= total * part) return bounds[bucket] ?? Infinity;
  }
  return Infinity;
}
