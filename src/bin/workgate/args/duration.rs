//! Durations with their unit, as the commands take them; the worker links nothing of the module,
//! not even this.

use std::time::Duration;

/// Units in milliseconds, largest first.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The longest that a command takes: 3650 days.
const LONGEST_MS: u64 = 3_650 * 86_400_000;

/// Reads `250ms`, `30s`, `15m`, `24h` or `7d`, 1 ms to 3650 days.
pub fn read(text: &str) -> Result<Duration, String> {
    match read_or_zero(text)? {
        Duration::ZERO => Err(format!("'{text}' must be between 1ms and 3650d")),
        duration => Ok(duration),
    }
}

/// Like [`read`], but `0s` is allowed too.
pub fn read_or_zero(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if unit.is_empty() && !number.is_empty() {
        return Err(format!("write {text}s or {text}ms"));
    }
    let size = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, size)| size);
    let (Some(size), false) = (size, number.is_empty()) else {
        return Err(format!("'{text}': expected a duration such as 250ms, 30s, 15m, 24h or 7d"));
    };
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(*size)) {
        Some(ms) if ms <= LONGEST_MS => Ok(Duration::from_millis(ms)),
        _ => Err(format!("'{text}' must be at most 3650d")),
    }
}

/// As a command takes it, in the largest unit that leaves it whole; less than a millisecond is one.
pub fn written(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).map_or(LONGEST_MS, |ms| ms.clamp(1, LONGEST_MS));
    let (unit, size) = UNITS.iter().find(|(_, size)| ms.is_multiple_of(*size)).unwrap_or(&("ms", 1));
    format!("{}{unit}", ms / size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_reads_back(ms in 1..=LONGEST_MS) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(read(&written(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in ".{0,30}") {
            let _ = read(&text);
        }
    }

    #[test]
    fn every_unit_is_read_and_a_bare_number_is_not() {
        for (text, ms) in
            [("250ms", 250), ("30s", 30_000), ("15M", 900_000), ("24h", 86_400_000), ("7d", 604_800_000)]
        {
            assert_eq!(read(text), Ok(Duration::from_millis(ms)));
        }
        assert_eq!(read("30").unwrap_err(), "write 30s or 30ms");
        for text in ["", "s", "-1s", "1.5s", "1 s", "1w", "ä"] {
            assert!(read(text).unwrap_err().contains("expected a duration"), "{text}");
        }
        for text in ["3651d", "99999999999999999999s", "18446744073709551615d"] {
            assert!(read(text).unwrap_err().contains("at most 3650d"), "{text}");
        }
    }

    #[test]
    fn zero_is_for_those_that_allow_it() {
        assert_eq!(read_or_zero("0s"), Ok(Duration::ZERO));
        assert!(read("0s").unwrap_err().contains("between 1ms and 3650d"));
    }
}
