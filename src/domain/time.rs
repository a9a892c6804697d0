//! Durations as clients write them: a whole number with its unit.

use super::refusal::{Refusal, shown};
use super::token::EPOCH_MS;

/// Milliseconds since the Unix epoch.
pub type UnixMs = u64;

pub const SECOND: u64 = 1_000;
pub const MINUTE: u64 = 60 * SECOND;
pub const HOUR: u64 = 60 * MINUTE;
pub const DAY: u64 = 24 * HOUR;

/// The longest duration a command takes: 3650 days.
pub const LONGEST: u64 = 3_650 * DAY;

/// Whether a decoded time may be one of this server or of its primary, whose clocks may be wrong:
/// at most twenty years ahead. A key that had seen a later time would wait for it. A clock that is
/// reset at power-on counts as of 2026.
pub fn is_near(time: UnixMs, now: UnixMs) -> bool {
    time <= now.max(EPOCH_MS).saturating_add(2 * LONGEST)
}

/// Units, largest first.
const UNITS: [(&str, u64); 5] = [("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 1)];

/// What is wrong with a duration, without the argument's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    NoUnit,
    Malformed,
    Range,
}

/// Reads `250ms`, `30s`, `15m`, `24h` or `7d`. Zero and more than 3650d are faults of range.
fn read(text: &[u8]) -> Result<u64, Fault> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(Fault::Malformed);
    }
    if unit.is_empty() {
        return Err(Fault::NoUnit);
    }
    let (_, size) =
        UNITS.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(unit)).ok_or(Fault::Malformed)?;
    let number =
        number.iter().try_fold(0u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
    match number.and_then(|n| n.checked_mul(*size)) {
        Some(ms) if ms <= LONGEST => Ok(ms),
        _ => Err(Fault::Range),
    }
}

/// A duration of 1 ms to 3650d, in milliseconds. `what` names the argument in the error.
pub fn duration(what: &str, text: &[u8]) -> Result<u64, Refusal> {
    duration_within(what, text, 1, LONGEST)
}

/// Like [`duration`], but `0s` is allowed too (DELAY, KEEP, GRACE).
pub fn duration_or_zero(what: &str, text: &[u8]) -> Result<u64, Refusal> {
    duration_within(what, text, 0, LONGEST)
}

/// Like [`duration`], but within a range of its own. A bare number is refused with those of its
/// readings that are allowed.
pub fn duration_within(what: &str, text: &[u8], least: u64, most: u64) -> Result<u64, Refusal> {
    let is_allowed = |ms: &u64| (least..=most).contains(ms);
    let fault = match read(text) {
        Ok(ms) if is_allowed(&ms) => return Ok(ms),
        Ok(_) => Fault::Range,
        Err(fault) => fault,
    };
    let given = shown(text);
    let readings: Vec<String> = match fault {
        Fault::NoUnit => {
            let as_unit = |unit: &str| [text, unit.as_bytes()].concat();
            let allowed =
                ["s", "ms"].into_iter().filter(|unit| read(&as_unit(unit)).is_ok_and(|ms| is_allowed(&ms)));
            allowed.map(|unit| format!("{given}{unit}")).collect()
        }
        Fault::Malformed | Fault::Range => Vec::new(),
    };
    Err(Refusal::err(match fault {
        Fault::Malformed => {
            format!("{what} '{given}': expected a duration such as 250ms, 30s, 15m, 24h or 7d")
        }
        Fault::NoUnit if !readings.is_empty() => format!("{what} '{given}': write {}", readings.join(" or ")),
        Fault::NoUnit | Fault::Range => {
            let least = if least == 0 { "0s".to_owned() } else { written(least) };
            format!("{what} '{given}': must be between {least} and {}", written(most))
        }
    }))
}

/// The shortest way to write a duration: `60000` is `1m`, `1500` is `1500ms`.
pub fn written(ms: u64) -> String {
    let (unit, size) =
        UNITS.iter().find(|(_, size)| ms != 0 && ms.is_multiple_of(*size)).unwrap_or(&("ms", 1));
    format!("{}{unit}", ms / size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_unit_is_read() {
        for (text, ms) in [("250ms", 250), ("30s", 30_000), ("15m", 900_000), ("24h", DAY), ("7D", 7 * DAY)] {
            assert_eq!(duration("TTL", text.as_bytes()), Ok(ms), "{text}");
        }
        assert_eq!(duration("TTL", b"3650d"), Ok(LONGEST));
    }

    #[test]
    fn a_bare_number_is_refused_with_both_readings() {
        let refusal = duration("TTL", b"3600").unwrap_err();
        assert_eq!(refusal.to_string(), "ERR TTL '3600': write 3600s or 3600ms");
    }

    #[test]
    fn a_bare_number_is_not_answered_by_what_would_be_refused_too() {
        let refused =
            |text: &str, least, most| duration_within("d", text.as_bytes(), least, most).unwrap_err().text;
        assert_eq!(refused("0", 1, LONGEST), "d '0': must be between 1ms and 3650d");
        assert_eq!(refused("0", 0, LONGEST), "d '0': write 0s or 0ms");
        assert_eq!(refused("5", 1_000, LONGEST), "d '5': write 5s");
        assert_eq!(refused("90000000000", 1, LONGEST), "d '90000000000': write 90000000000ms");
        let most = "99999999999999999999999";
        assert_eq!(refused(most, 1, LONGEST), format!("d '{most}': must be between 1ms and 3650d"));
        assert_eq!(refused("7000", 1, 6_000), "d '7000': must be between 1ms and 6s");
    }

    #[test]
    fn zero_is_for_those_that_allow_it() {
        assert_eq!(duration_or_zero("DELAY", b"0s"), Ok(0));
        let refusal = duration("LEASE", b"0s").unwrap_err();
        assert_eq!(refusal.to_string(), "ERR LEASE '0s': must be between 1ms and 3650d");
    }

    #[test]
    fn nonsense_negative_and_overflowing_durations_are_refused() {
        for text in ["", "s", "-1s", "1.5s", "1 s", "1w", "+1s", "1sm"] {
            let refusal = duration("TTL", text.as_bytes()).unwrap_err();
            assert!(refusal.text.contains("expected a duration"), "{text}: {refusal}");
        }
        for text in ["3651d", "18446744073709551616ms", "99999999999999999999999999d"] {
            let refusal = duration("TTL", text.as_bytes()).unwrap_err();
            assert!(refusal.text.contains("must be between"), "{text}: {refusal}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(ms in 1..=LONGEST) {
            prop_assert_eq!(duration("d", written(ms).as_bytes()), Ok(ms));
        }

        #[test]
        fn what_an_error_tells_to_write_is_accepted(number: u64, least in 0..LONGEST, span in 0..LONGEST) {
            let most = (least + span).min(LONGEST);
            let refusal = duration_within("d", number.to_string().as_bytes(), least, most).unwrap_err();
            if let Some((_, advice)) = refusal.text.split_once("write ") {
                for told in advice.split(" or ") {
                    prop_assert!(duration_within("d", told.as_bytes(), least, most).is_ok(), "{}", refusal);
                }
            }
        }

        #[test]
        fn no_input_panics(text in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = duration("d", &text);
        }
    }
}
