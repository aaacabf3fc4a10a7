//! Durations as ISO 8601 writes them and Java reads them: `P1DT2H3M4.5S`.

/// Most digits of an amount, so that no sum of amounts overflows.
const DIGITS_MAX: usize = 18;

/// Whether this is a duration that is not negative.
pub(super) fn is_time_back(text: &str) -> bool {
    nanoseconds(text).is_some_and(|time| time >= 0)
}

fn nanoseconds(text: &str) -> Option<i128> {
    let (sign, rest) = sign(text);
    let rest = strip_letter(rest, 'P')?;
    let (date, time) = match rest.split_once(['T', 't']) {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    let (days, after) = amount(date, 'D', 86_400);
    let (hours, time) = amount(time, 'H', 3_600);
    let (minutes, time) = amount(time, 'M', 60);
    let seconds = seconds(time);
    let whole = after.is_empty() && (time.is_empty() || seconds.is_some());
    let parts = [days, hours, minutes, seconds];
    let some = parts.iter().any(Option::is_some);
    (whole && some).then(|| sign * parts.into_iter().flatten().sum::<i128>())
}

/// A sign in front, and what follows.
fn sign(text: &str) -> (i128, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn strip_letter(text: &str, letter: char) -> Option<&str> {
    let small = letter.to_ascii_lowercase();
    text.strip_prefix([letter, small])
}

/// The whole number in front, and what follows it.
fn number(text: &str) -> Option<(i128, &str)> {
    let (sign, digits) = sign(text);
    let end = digits
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    let fits = (1..=DIGITS_MAX).contains(&digits.len());
    let number: i128 = fits.then(|| digits.parse().ok()).flatten()?;
    Some((sign * number, rest))
}

/// The nanoseconds of an amount of this unit, if the text begins with one, and what follows it.
fn amount(text: &str, unit: char, unit_seconds: i128) -> (Option<i128>, &str) {
    let found = number(text).and_then(|(number, rest)| Some((number, strip_letter(rest, unit)?)));
    match found {
        Some((number, rest)) => (Some(number * unit_seconds * 1_000_000_000), rest),
        None => (None, text),
    }
}

/// The nanoseconds of seconds with a fraction, which end the text.
fn seconds(text: &str) -> Option<i128> {
    let (whole, rest) = number(text)?;
    let fraction = rest.strip_suffix(['S', 's'])?;
    let digits = match fraction.strip_prefix(['.', ',']) {
        Some(digits) => digits,
        None if fraction.is_empty() => "",
        None => return None,
    };
    let plain = digits.len() <= 9 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let nanos: i128 = plain
        .then(|| format!("{digits:0<9}").parse().ok())
        .flatten()?;
    let nanos = if text.starts_with('-') { -nanos } else { nanos };
    Some(whole * 1_000_000_000 + nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_java() {
        for text in [
            "P1D",
            "PT1.5S",
            "pt1h",
            "+PT1M",
            "PT0S",
            "P2DT3H4M5,25S",
            "PT1H-30M",
            "-PT-1S",
            "PT1.S",
        ] {
            assert!(is_time_back(text), "{text}");
        }
        for text in [
            "-P1D",
            "P",
            "P1Y",
            "PT",
            "P1DT",
            "PT-1S",
            "PT-0.5S",
            "1D",
            "PT1M1H",
            "PT1.1234567890S",
            "PT1",
            "P1",
            "PT.5S",
            "PT1S1",
            "",
            "P99999999999999999999D",
        ] {
            assert!(!is_time_back(text), "{text}");
        }
        assert_eq!(nanoseconds("PT1.5S"), Some(1_500_000_000));
        assert_eq!(nanoseconds("PT-1.5S"), Some(-1_500_000_000));
    }
}
