//! Numbers, times and bytes for people.

use jiff::Timestamp;

use super::request::encoded;

/// Bytes as text; what is no UTF-8, and control characters but line breaks and tabs, with escapes.
pub fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(|c: char| c.is_control() && !"\n\r\t".contains(c)) => text.to_owned(),
        _ => bytes.escape_ascii().to_string(),
    }
}

/// A key or an id: what is shown, and as a part of a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Name {
    pub text: String,
    pub path: String,
}

impl Name {
    pub fn of(bytes: &[u8]) -> Self {
        Name { text: text(bytes).replace(['\n', '\r', '\t'], " "), path: encoded(bytes) }
    }
}

/// `1,234`
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `12.3k`, where there is little room.
pub fn short_count(number: u64) -> String {
    match number {
        0..10_000 => count(number),
        10_000..1_000_000 => format!("{:.1}k", number as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1}M", number as f64 / 1e6),
        _ => format!("{:.1}G", number as f64 / 1e9),
    }
}

pub fn bytes(number: u64) -> String {
    match number {
        0..1_024 => format!("{number} B"),
        1_024..1_048_576 => format!("{:.1} KiB", number as f64 / 1_024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", number as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", number as f64 / 1_073_741_824.0),
    }
}

/// The two largest units: `3m 20s`.
pub fn duration(ms: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    if ms < 1_000 {
        return format!("{ms} ms");
    }
    if ms < 10_000 {
        return format!("{:.1}s", ms as f64 / 1_000.0);
    }
    let mut rest = ms;
    let mut parts = Vec::new();
    for (unit, size) in UNITS {
        if rest >= size {
            parts.push(format!("{}{unit}", rest / size));
            rest %= size;
        } else if !parts.is_empty() {
            break;
        }
        if parts.len() == 2 {
            break;
        }
    }
    parts.join(" ")
}

/// A moment: when it was or will be, and by the calendar.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moment {
    pub relative: String,
    pub utc: String,
}

impl Moment {
    pub fn of(ms: u64, now_ms: u64) -> Self {
        let relative = match (ms, now_ms) {
            (at, now) if at + 1_000 > now && at <= now => "just now".into(),
            (at, now) if at <= now => format!("{} ago", duration(now - at)),
            (at, now) => format!("in {}", duration(at - now)),
        };
        Moment { relative, utc: utc(ms) }
    }
}

/// `2026-11-28 06:05:22 UTC`
pub fn utc(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    time.map(|time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default()
}

/// The first characters of a text, on one line.
pub fn beginning(text: &str, most: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    let short: String = line.chars().take(most).collect();
    if short.len() < text.len() { short + "…" } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_durations_are_short_and_exact_enough() {
        assert_eq!((count(0), count(999), count(1_234_567)), ("0".into(), "999".into(), "1,234,567".into()));
        assert_eq!((short_count(9_999), short_count(12_345)), ("9,999".into(), "12.3k".into()));
        for (ms, shown) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_500, "1.5s"),
            (20_000, "20s"),
            (200_000, "3m 20s"),
            (3_600_000, "1h"),
            (90_061_000, "1d 1h"),
        ] {
            assert_eq!(duration(ms), shown);
        }
        assert_eq!((bytes(1_023), bytes(1_536)), ("1023 B".into(), "1.5 KiB".into()));
    }

    #[test]
    fn a_moment_is_past_or_to_come() {
        let relative = |ms| Moment::of(ms, 100_000).relative;
        assert_eq!(
            (relative(99_500), relative(40_000), relative(160_000)),
            ("just now".into(), "1m ago".into(), "in 1m".into())
        );
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(u64::MAX), "");
    }

    #[test]
    fn bytes_that_are_no_text_are_escaped() {
        assert_eq!(
            (text("ä\n".as_bytes()), text(b"\xff"), text(b"a\0")),
            ("ä\n".into(), "\\xff".into(), "a\\x00".into())
        );
        assert_eq!(
            (beginning("one\ntwo", 9), beginning("abc", 2), beginning("abc", 3)),
            ("one…".into(), "ab…".into(), "abc".into())
        );
    }
}
