//! Charts as SVG, made here: a page needs no script and no network to show them.

use std::fmt::Write;

/// Values of a chart that belong together.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) color: &'static str,
    pub(super) points: Vec<(f64, f64)>,
    /// Points that no line connects.
    pub(super) is_dotted: bool,
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
    /// A value of `y` that was promised.
    pub(super) promised: Option<f64>,
    /// Up to this value of `x` the load warmed up.
    pub(super) warm_up: f64,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 290.0;
const LEFT: f64 = 66.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 40.0;
const TICKS: f64 = 6.0;
/// Decades that are divided into 1, 2, 5 and 10 on a logarithmic axis.
const DECADES_DIVIDED: usize = 2;
/// About what a letter of a legend is wide.
const LETTER: f64 = 6.4;
/// Shares of a decade at which a logarithmic axis may begin and end.
const ROUND: [f64; 4] = [1.0, 2.0, 5.0, 10.0];

/// An axis with its ends, which are round.
struct Scale {
    axis: Axis,
    low: f64,
    high: f64,
    /// From tick to tick of a linear one.
    step: f64,
}

impl Scale {
    /// Holds all of the values; a linear one begins at zero.
    fn of(axis: Axis, values: impl Iterator<Item = f64> + Clone) -> Self {
        let largest = values.clone().fold(0.0, f64::max);
        let largest = if largest > 0.0 { largest } else { 1.0 };
        if axis.logarithmic {
            let positive = values.filter(|value| *value > 0.0);
            let least = positive.fold(largest, f64::min).min(largest / 10.0);
            let (low, high) = (round_below(least), round_above(largest));
            return Self {
                axis,
                low,
                high,
                step: 1.0,
            };
        }
        let step = round_above(largest / TICKS);
        Self {
            axis,
            low: 0.0,
            high: (largest / step - 1e-9).ceil() * step,
            step,
        }
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
        if !self.axis.logarithmic {
            let count = (self.high / self.step).round() as usize;
            return (0..=count).map(|at| at as f64 * self.step).collect();
        }
        let (from, to) = (self.low.log10().floor(), self.high.log10().ceil());
        let decades = (to - from) as usize;
        let parts = if decades <= DECADES_DIVIDED { 3 } else { 1 };
        let powers = (0..=decades).map(|at| 10_f64.powi(from as i32 + at as i32));
        let of_decade = |power: f64| ROUND.into_iter().take(parts).map(move |part| part * power);
        let ticks = powers.flat_map(of_decade);
        let within = |tick: &f64| (self.low * 0.999..=self.high * 1.001).contains(tick);
        ticks.filter(within).collect()
    }
}

/// The next of 1, 2, 5, 10 … that is not below a value.
fn round_above(value: f64) -> f64 {
    let power = 10_f64.powi(value.log10().floor() as i32);
    let fits = |part: &f64| part * power >= value * 0.999_999;
    ROUND.into_iter().find(fits).unwrap_or(10.0) * power
}

/// The last of 1, 2, 5, 10 … that is not above a value.
fn round_below(value: f64) -> f64 {
    let power = 10_f64.powi(value.log10().floor() as i32);
    let fits = |part: &f64| part * power <= value * 1.000_001;
    ROUND.into_iter().rev().find(fits).unwrap_or(1.0) * power
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
        let y = Scale::of(self.y, points().map(|point| point.1).chain(self.promised));
        writeln!(
            out,
            r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{0}"><text x="0" y="16" class="title">{0} <tspan class="unit">{1}</tspan></text>"#,
            self.title, self.y.title
        )?;
        self.write_warm_up(&x, out)?;
        write_axes(&x, &y, out)?;
        self.write_promised(&y, out)?;
        for series in &self.series {
            write_series(series, &x, &y, out)?;
        }
        self.write_legend(out)?;
        writeln!(out, "</svg>")
    }

    fn write_warm_up(&self, x: &Scale, out: &mut String) -> std::fmt::Result {
        if self.warm_up <= 0.0 {
            return Ok(());
        }
        writeln!(
            out,
            r#"<rect class="warm" x="{LEFT}" y="{TOP}" width="{:.1}" height="{:.1}"/><text x="{:.1}" y="{:.1}" class="note">warm-up</text>"#,
            at_x(x, self.warm_up) - LEFT,
            HEIGHT - BOTTOM - TOP,
            LEFT + 4.0,
            HEIGHT - BOTTOM - 6.0
        )
    }

    fn write_promised(&self, y: &Scale, out: &mut String) -> std::fmt::Result {
        let Some(promised) = self.promised else {
            return Ok(());
        };
        let (at, right) = (at_y(y, promised), WIDTH - RIGHT);
        writeln!(
            out,
            r#"<path class="promised" d="M{LEFT} {at:.1}H{right}"/><text x="{right}" y="{:.1}" class="note end">promised: {}</text>"#,
            at - 4.0,
            (y.axis.show)(promised)
        )
    }

    /// The names, on a line of their own.
    fn write_legend(&self, out: &mut String) -> std::fmt::Result {
        let mut at = LEFT;
        for series in &self.series {
            writeln!(
                out,
                r#"<rect x="{at:.1}" y="28" width="10" height="10" fill="{}"/><text x="{:.1}" y="37" class="note">{}</text>"#,
                series.color,
                at + 14.0,
                series.name
            )?;
            at += 34.0 + LETTER * series.name.len() as f64;
        }
        Ok(())
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
            r#"<path class="grid" d="M{LEFT} {at:.1}H{right}"/><text x="{:.1}" y="{:.1}" class="note end">{}</text>"#,
            LEFT - 6.0,
            at + 4.0,
            (y.axis.show)(tick)
        )?;
    }
    for tick in x.ticks() {
        let at = at_x(x, tick);
        writeln!(
            out,
            r#"<path class="grid" d="M{at:.1} {TOP}V{bottom}"/><text x="{at:.1}" y="{:.1}" class="note middle">{}</text>"#,
            bottom + 16.0,
            (x.axis.show)(tick)
        )?;
    }
    writeln!(
        out,
        r#"<text x="{:.1}" y="{:.1}" class="note middle">{}</text>"#,
        f64::midpoint(LEFT, right),
        HEIGHT - 6.0,
        x.axis.title
    )
}

fn write_series(series: &Series, x: &Scale, y: &Scale, out: &mut String) -> std::fmt::Result {
    let points = series.points.iter();
    let mut points = points.map(|point| (at_x(x, point.0), at_y(y, point.1)));
    if series.is_dotted {
        return points.try_for_each(|(x, y)| {
            let color = series.color;
            writeln!(
                out,
                r#"<circle cx="{x:.1}" cy="{y:.1}" r="4" fill="{color}"/>"#
            )
        });
    }
    write!(out, r#"<path class="line" stroke="{}" d=""#, series.color)?;
    for (at, (x, y)) in points.enumerate() {
        let command = if at == 0 { 'M' } else { 'L' };
        write!(out, "{command}{x:.1} {y:.1}")?;
    }
    writeln!(out, r#""/>"#)
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

    fn scale(logarithmic: bool, values: &[f64]) -> Scale {
        Scale::of(axis(logarithmic), values.iter().copied())
    }

    #[test]
    fn axes_end_at_round_values() {
        let linear = scale(false, &[0.0, 57.0]);
        assert_eq!(linear.ticks(), [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0]);
        assert!((linear.place(30.0) - 0.5).abs() < 1e-9);
        assert_eq!(scale(false, &[60.0]).ticks().last(), Some(&60.0));
        let logarithmic = scale(true, &[30.0, 12_000.0]);
        assert_eq!(logarithmic.ticks(), [100.0, 1000.0, 10_000.0]);
        assert_eq!((logarithmic.low, logarithmic.high), (20.0, 20_000.0));
    }

    #[test]
    fn a_decade_has_more_ticks_than_its_ends() {
        let ticks = scale(true, &[3.1, 32.0]).ticks();
        assert_eq!(ticks, [2.0, 5.0, 10.0, 20.0, 50.0]);
    }

    #[test]
    fn nothing_and_one_value_make_a_chart_too() {
        for values in [&[][..], &[0.0], &[5.0, 5.0]] {
            for logarithmic in [false, true] {
                let scale = scale(logarithmic, values);
                assert!((2..20).contains(&scale.ticks().len()));
                assert!(values.iter().all(|value| scale.place(*value).is_finite()));
            }
        }
    }
}
