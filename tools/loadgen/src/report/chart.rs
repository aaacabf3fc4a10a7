//! Charts as SVG, made here: a page needs no script and no network to show them.

use std::fmt::Write;

/// A line of a chart.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) color: &'static str,
    pub(super) points: Vec<(f64, f64)>,
}

/// An axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) title: &'static str,
    pub(super) logarithmic: bool,
    /// How a value is written.
    pub(super) show: fn(f64) -> String,
}

/// A chart.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) series: Vec<Series>,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 44.0;
const TICKS: usize = 6;

/// An axis with its ends.
struct Scale {
    axis: Axis,
    low: f64,
    high: f64,
}

impl Scale {
    /// Holds all of the values; a linear one begins at zero.
    fn of(axis: Axis, values: impl Iterator<Item = f64> + Clone) -> Self {
        let high = values.clone().fold(f64::MIN_POSITIVE, f64::max);
        let low = if axis.logarithmic {
            let positive = values.filter(|value| *value > 0.0);
            positive.fold(high, f64::min).min(high / 10.0)
        } else {
            0.0
        };
        Self { axis, low, high }
    }

    /// Where a value lies, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let place = if self.axis.logarithmic {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        place.clamp(0.0, 1.0)
    }

    fn ticks(&self) -> Vec<f64> {
        if self.axis.logarithmic {
            let powers = self.low.log10().ceil() as i32..=self.high.log10().floor() as i32;
            return powers.map(|power| 10_f64.powi(power)).collect();
        }
        let rough = (self.high - self.low) / TICKS as f64;
        let power = 10_f64.powi(rough.log10().floor() as i32);
        let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
        let step = steps
            .into_iter()
            .find(|step| *step >= rough)
            .unwrap_or(rough);
        let count = ((self.high - self.low) / step).floor() as usize;
        (0..=count).map(|at| self.low + at as f64 * step).collect()
    }
}

impl Chart {
    /// The chart as an element of a page.
    pub(super) fn svg(&self) -> String {
        let mut out = String::new();
        // A string takes everything.
        let _infallible = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let points = || self.series.iter().flat_map(|series| series.points.iter());
        let x = Scale::of(self.x, points().map(|point| point.0));
        let y = Scale::of(self.y, points().map(|point| point.1));
        writeln!(
            out,
            r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{0}"><text x="{LEFT}" y="16" class="title">{0}</text>"#,
            self.title
        )?;
        write_axes(&x, &y, out)?;
        for (number, series) in self.series.iter().enumerate() {
            write_series(number, series, &x, &y, out)?;
        }
        writeln!(out, "</svg>")
    }
}

fn at_x(scale: &Scale, value: f64) -> f64 {
    LEFT + scale.place(value) * (WIDTH - LEFT - RIGHT)
}

fn at_y(scale: &Scale, value: f64) -> f64 {
    HEIGHT - BOTTOM - scale.place(value) * (HEIGHT - TOP - BOTTOM)
}

fn write_axes(x: &Scale, y: &Scale, out: &mut String) -> std::fmt::Result {
    let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    for tick in y.ticks() {
        let at = at_y(y, tick);
        writeln!(
            out,
            r#"<path class="grid" d="M{LEFT} {at:.1}H{right}"/><text x="{:.1}" y="{:.1}" class="y">{}</text>"#,
            LEFT - 6.0,
            at + 4.0,
            (y.axis.show)(tick)
        )?;
    }
    for tick in x.ticks() {
        let at = at_x(x, tick);
        writeln!(
            out,
            r#"<path class="grid" d="M{at:.1} {TOP}V{bottom}"/><text x="{at:.1}" y="{:.1}" class="x">{}</text>"#,
            bottom + 16.0,
            (x.axis.show)(tick)
        )?;
    }
    writeln!(
        out,
        r#"<text x="{:.1}" y="{:.1}" class="x">{}</text><text x="4" y="{:.1}" class="title-y">{}</text>"#,
        f64::midpoint(LEFT, right),
        HEIGHT - 8.0,
        x.axis.title,
        TOP - 4.0,
        y.axis.title
    )
}

fn write_series(
    number: usize,
    series: &Series,
    x: &Scale,
    y: &Scale,
    out: &mut String,
) -> std::fmt::Result {
    write!(out, r#"<path class="line" stroke="{}" d=""#, series.color)?;
    for (at, point) in series.points.iter().enumerate() {
        let command = if at == 0 { 'M' } else { 'L' };
        write!(
            out,
            "{command}{:.1} {:.1}",
            at_x(x, point.0),
            at_y(y, point.1)
        )?;
    }
    let legend = WIDTH - RIGHT - 110.0 * (number as f64 + 1.0);
    writeln!(
        out,
        r#""/><rect x="{legend}" y="8" width="10" height="10" fill="{}"/><text x="{}" y="17" class="legend">{}</text>"#,
        series.color,
        legend + 14.0,
        series.name
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(logarithmic: bool) -> Axis {
        Axis {
            title: "t",
            logarithmic,
            show: |value| value.to_string(),
        }
    }

    #[test]
    fn ticks_are_round_and_within() {
        let linear = Scale::of(axis(false), [0.0, 57.0].into_iter());
        assert_eq!(linear.ticks(), [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]);
        let logarithmic = Scale::of(axis(true), [30.0, 12_000.0].into_iter());
        assert_eq!(logarithmic.ticks(), [100.0, 1000.0, 10_000.0]);
        assert!((logarithmic.place(600.0) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn nothing_and_one_value_make_a_chart_too() {
        for values in [&[][..], &[0.0], &[5.0, 5.0]] {
            for logarithmic in [false, true] {
                let scale = Scale::of(axis(logarithmic), values.iter().copied());
                assert!(scale.ticks().len() < 400);
                assert!(values.iter().all(|value| scale.place(*value).is_finite()));
            }
        }
    }
}
