// Numbers as people read them.

const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** 1,234,567, or nothing where it is not known. */
export const count = (number) => (number === null || number === undefined ? "–" : grouped.format(number));

function scaled(number, base, units) {
  let unit = 0;
  while (Math.abs(number) >= base && unit < units.length - 1) {
    number /= base;
    unit += 1;
  }
  const digits = unit === 0 || Math.abs(number) >= 100 ? 0 : 1;
  return [number.toFixed(digits), units[unit]];
}

/** 12.3k, 4.0M. */
export function short(number) {
  if (number === null || number === undefined) return "–";
  if (Math.abs(number) > 0 && Math.abs(number) < 10 && !Number.isInteger(number)) return number.toFixed(1);
  return scaled(number, 1000, ["", "k", "M", "G", "T"]).join("");
}

/** 1.5 MiB. */
export function bytes(number) {
  if (number === null || number === undefined || number < 0) return "–";
  return scaled(number, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]).join(" ");
}

/** 1.5 MiB/s. */
export const byteRate = (number) => (number === null || number === undefined ? "–" : bytes(number) + "/s");

/** Microseconds in their largest unit. */
export function micros(number) {
  if (number === null || number === undefined) return "–";
  if (number >= 1e6) return (number / 1e6).toFixed(number >= 1e7 ? 0 : 1) + " s";
  if (number >= 1e3) return (number / 1e3).toFixed(number >= 1e4 ? 0 : 1) + " ms";
  return Math.round(number) + " µs";
}

/** Milliseconds in a unit that people count them by. */
export function span(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms === 0) return "0";
  const units = [[1000, "s"], [60, "min"], [60, "h"], [24, "d"]];
  let [number, unit] = [ms, "ms"];
  for (const [of, next] of units) {
    if (number < of) break;
    [number, unit] = [number / of, next];
  }
  return (number < 10 && unit !== "ms" ? number.toFixed(1) : grouped.format(number)) + " " + unit;
}

/** 37 %. */
export const percent = (part) => (part === null || part === undefined ? "–" : (part * 100).toFixed(part < 0.1 ? 1 : 0) + " %");

const pad = (number, digits = 2) => String(number).padStart(digits, "0");

/** A timestamp in ms, in local time. */
export function time(ms) {
  const date = new Date(ms);
  if (ms < 0 || Number.isNaN(date.getTime())) return "–";
  const day = date.getFullYear() + "-" + pad(date.getMonth() + 1) + "-" + pad(date.getDate());
  return day + " " + pad(date.getHours()) + ":" + pad(date.getMinutes()) + ":" + pad(date.getSeconds()) + "." + pad(date.getMilliseconds(), 3);
}
