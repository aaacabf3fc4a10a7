//! Times and spans of time as people and Kafka's tools write them. All are in UTC.

const DAY_MS: i64 = 86_400_000;

/// Milliseconds since 1970: of `@MS`, of digits as rpk takes them, or of a date with or without a
/// time of day.
pub(crate) fn parse(text: &str) -> Option<i64> {
    if let Some(ms) = text.strip_prefix('@') {
        return ms.parse().ok().filter(|ms| *ms >= 0);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return calendar(text.strip_suffix('Z').unwrap_or(text));
    }
    let number: i64 = text.parse().ok()?;
    match text.len() {
        10 => Some(number * 1000),
        13 => Some(number),
        19 => Some(number / 1_000_000),
        _ => None,
    }
}

/// Milliseconds of a span: `P1DT2H3M4S`, of which anything may be left out.
pub(crate) fn span(text: &str) -> Option<i64> {
    let rest = text.strip_prefix('P')?;
    if rest.is_empty() || rest.ends_with('T') {
        return None;
    }
    let (days, time) = rest.split_once('T').unwrap_or((rest, ""));
    let days = units(days, &[('D', DAY_MS)])?;
    Some(days + units(time, &[('H', 3_600_000), ('M', 60_000), ('S', 1000)])?)
}

fn units(mut text: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut ms = 0;
    for (unit, each) in units {
        if let Some((number, rest)) = text.split_once(*unit) {
            ms += i64::from(number.parse::<u32>().ok()?) * each;
            text = rest;
        }
    }
    text.is_empty().then_some(ms)
}

fn calendar(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T').unwrap_or((text, "00:00:00"));
    let (time, fraction) = time.split_once('.').unwrap_or((time, "000"));
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let [ms] = numbers(fraction, '.', [3])?;
    let days = days_of(year, month, day);
    let is_real = date_of(days) == (year, month, day) && hour < 24 && minute < 60 && second < 60;
    let seconds = (hour * 60 + minute) * 60 + second;
    is_real.then_some(days * DAY_MS + seconds * 1000 + ms)
}

/// Numbers of so many digits, with a sign between them.
fn numbers<const N: usize>(text: &str, sign: char, digits: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(sign);
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next()?;
        if part.len() != digits || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// Year, month and day of a number of days since 1970 (Howard Hinnant's `civil_from_days`).
pub(crate) const fn date_of(days: i64) -> (i64, i64, i64) {
    // Years begin in March, so that the day that some years lack is their last.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (year + era * 400 + (month <= 2) as i64, month, day)
}

/// The other way round.
const fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = year - (month <= 2) as i64;
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_comes_back() {
        for days in (-200_000..200_000).step_by(13) {
            let (year, month, day) = date_of(days);
            assert_eq!(days_of(year, month, day), days);
        }
    }

    #[test]
    fn times_are_read_as_people_and_tools_write_them() {
        for (text, ms) in [
            ("@17", 17),
            ("1700000000", 1_700_000_000_000),
            ("1700000000123", 1_700_000_000_123),
            ("1700000000123456789", 1_700_000_000_123),
            ("2000-02-29", 951_782_400_000),
            ("1970-01-02T00:00:01", 86_401_000),
            ("1970-01-01T00:00:01.007", 1007),
            ("1970-01-01T00:00:01Z", 1000),
        ] {
            assert_eq!(parse(text), Some(ms), "{text}");
        }
        for wrong in [
            "",
            "17",
            "@",
            "@-1",
            "2001-02-29",
            "2001-13-01",
            "2001-1-1",
            "1970-01-01T24:00:00",
            "1970-01-01T00:00",
            "noon",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn spans_are_those_of_kafkas_tools() {
        assert_eq!(span("P1DT2H3M4S"), Some(93_784_000));
        assert_eq!(span("PT5M"), Some(300_000));
        assert_eq!(span("P7D"), Some(7 * DAY_MS));
        for wrong in ["", "P", "PT", "5M", "P5M", "PT5", "PT-5M", "P1DT", "PT5S1M"] {
            assert_eq!(span(wrong), None, "{wrong}");
        }
    }
}
