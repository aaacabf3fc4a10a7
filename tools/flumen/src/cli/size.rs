//! Sizes as people write and read them.

/// Units and their bytes. Without `i` they mean the same: memory comes in powers of two.
const UNITS: [(&str, u32); 4] = [("k", 10), ("m", 20), ("g", 30), ("t", 40)];

/// Bytes of a size such as `512MiB`, `4G` or `1048576`.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower
        .find(|char: char| !char.is_ascii_digit())
        .unwrap_or(lower.len());
    let (number, unit) = lower.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let unit = unit.trim_start();
    if matches!(unit, "" | "b") {
        return Some(number);
    }
    let letter = unit
        .strip_suffix("ib")
        .or_else(|| unit.strip_suffix('b'))
        .unwrap_or(unit);
    let (_, shift) = UNITS.iter().find(|(name, _)| *name == letter)?;
    number.checked_mul(1 << shift)
}

/// A size in its largest unit, with one digit behind the point.
pub(crate) fn human(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let fits = units.iter().find(|(_, shift)| bytes >> shift > 0);
    fits.map_or_else(
        || format!("{bytes} B"),
        |(name, shift)| format!("{:.1} {name}", bytes as f64 / (1_u64 << shift) as f64),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_any_unit() {
        for (text, bytes) in [
            ("1048576", 1 << 20),
            ("64MiB", 64 << 20),
            ("64m", 64 << 20),
            (" 2 GiB ", 2 << 30),
            ("1tb", 1 << 40),
            ("7B", 7),
        ] {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
        for wrong in ["", "MiB", "1.5G", "-1", "1 X", "12iB", "99999999999T"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_are_written_in_their_largest_unit() {
        assert_eq!(human(512), "512 B");
        assert_eq!(human(1536), "1.5 KiB");
        assert_eq!(human(8 << 30), "8.0 GiB");
    }
}
