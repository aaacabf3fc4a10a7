// Small charts: lines over time, bars of a distribution, a bar for a part of a whole.

import { h, s } from "./dom.js";

const WIDTH = 600;
const HEIGHT = 120;

/** The next number that is easy to read: 1, 2 or 5 and zeros, of a unit that counts by `base`. */
function nice(number, base) {
  if (number <= 0) return 1;
  const unit = base ** Math.max(0, Math.floor(Math.log(number) / Math.log(base)));
  const ten = 10 ** Math.floor(Math.log10(number / unit));
  return [1, 2, 5, 10].map((step) => step * ten * unit).find((step) => step >= number);
}

/** Lines over time. `series` are `{ name, values }`; there is room for `least` values at first, and for
 * `most` of them; a unit counts by `base`. */
export class Lines {
  constructor({ label, format, least, most, base = 1000 }) {
    this.format = format;
    this.least = least;
    this.most = most;
    this.places = least;
    this.base = base;
    this.at = null;
    this.series = [];
    this.legend = h("div", { class: "legend" });
    this.plot = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label });
    this.top = h("span", { class: "axis-top" });
    const area = h("div", { class: "plot" }, this.plot, this.top);
    area.addEventListener("pointermove", (event) => {
      const box = area.getBoundingClientRect();
      this.at = Math.round(((event.clientX - box.left) / box.width) * (this.places - 1));
      this.draw();
    });
    area.addEventListener("pointerleave", () => { this.at = null; this.draw(); });
    this.begin = h("span", null);
    const axis = h("div", { class: "axis" }, this.begin, h("span", null, "now"));
    this.node = h("div", { class: "chart" }, this.legend, area, axis);
  }

  /** Shows values that were taken every so many seconds. */
  update(series, every) {
    this.series = series;
    const { length } = series[0].values;
    this.places = Math.max(this.least, Math.min(this.most, length));
    const seconds = Math.round((this.places - 1) * every);
    this.begin.textContent = seconds >= 100 ? `${Math.round(seconds / 60)} min ago` : `${seconds} s ago`;
    this.draw();
  }

  draw() {
    const most = nice(Math.max(1e-9, ...this.series.flatMap(({ values }) => values.filter(Number.isFinite))), this.base);
    const x = (at, length) => ((this.places - length + at) / (this.places - 1)) * WIDTH;
    const y = (value) => HEIGHT - 1 - (value / most) * (HEIGHT - 8);
    const grid = [0, 0.5, 1].map((part) =>
      s("line", { class: "grid", x1: 0, x2: WIDTH, y1: y(part * most), y2: y(part * most) }));
    const lines = this.series.map(({ values }, index) => {
      const points = values.map((value, at) => [x(at, values.length), y(value ?? 0)]);
      if (points.length === 0) return null;
      const path = points.map(([px, py], at) => (at ? "L" : "M") + px.toFixed(1) + " " + py.toFixed(1)).join("");
      const area = `${path}L${points.at(-1)[0].toFixed(1)} ${HEIGHT}L${points[0][0].toFixed(1)} ${HEIGHT}Z`;
      return [s("path", { class: `area series-${index}`, d: area }), s("path", { class: `line series-${index}`, d: path })];
    });
    const cross = this.at === null ? null
      : s("line", { class: "cross", x1: x(this.at, this.places), x2: x(this.at, this.places), y1: 0, y2: HEIGHT });
    this.plot.replaceChildren(...grid, ...lines.flat().filter(Boolean), ...(cross ? [cross] : []));
    this.top.textContent = this.format(most).replace(".0", "");
    this.legend.replaceChildren(...this.series.map(({ name, values }, index) => {
      const at = this.at === null ? values.length - 1 : this.at - (this.places - values.length);
      return h("span", { class: "series" }, h("i", { class: `swatch series-${index}` }), name,
        h("b", null, values[at] === undefined ? "–" : this.format(values[at])));
    }));
  }
}

/** Bars of a distribution over buckets; empty ones at both ends are cut by `range`. */
export function distribution(counts, [first, last], title) {
  const most = Math.max(1, ...counts);
  const shown = counts.slice(first, last + 1);
  const bars = shown.map((count, at) => {
    const height = count ? Math.max(1.5, (count / most) * 26) : 0;
    return s("rect", { x: at * 10 + 1, y: 28 - height, width: 8, height });
  });
  return s("svg", { class: "distribution", viewBox: `0 0 ${shown.length * 10} 28`, role: "img", "aria-label": title },
    s("line", { class: "base", x1: 0, x2: shown.length * 10, y1: 28, y2: 28 }), bars);
}

/** A part of a whole. */
export function meter(part, label) {
  const width = Math.max(0, Math.min(1, part ?? 0)) * 100;
  const level = part > 0.9 ? " high" : part > 0.7 ? " raised" : "";
  return s("svg", { class: "meter" + level, viewBox: "0 0 100 6", preserveAspectRatio: "none", role: "img", "aria-label": label },
    s("rect", { class: "whole", width: 100, height: 6 }), s("rect", { class: "part", width: width.toFixed(1), height: 6 }));
}

/** A line without words. */
export function spark(values, places, most = null) {
  const top = most ?? Math.max(1e-9, ...values);
  const points = values.map((value, at) => {
    const x = ((places - values.length + at) / (places - 1)) * 100;
    return x.toFixed(1) + "," + (19 - (Math.min(top, value ?? 0) / top) * 18).toFixed(1);
  });
  return s("svg", { class: "spark", viewBox: "0 0 100 20", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("polyline", { points: points.join(" ") }));
}
