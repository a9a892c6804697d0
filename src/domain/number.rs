//! Whole numbers as clients write them.

use super::refusal::{Refusal, shown};

/// A whole number, digits only, within a range. `what` names the argument in the error.
pub fn integer(what: &str, text: &[u8], least: u64, most: u64) -> Result<u64, Refusal> {
    let canonical = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let number = canonical.then(|| std::str::from_utf8(text).ok()?.parse::<u64>().ok()).flatten();
    match number {
        Some(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(Refusal::err(format!(
            "{what} '{}': must be a whole number between {least} and {most}",
            shown(text)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_digits_within_its_range() {
        assert_eq!(integer("COUNT", b"1000", 1, 1000), Ok(1000));
        for text in ["", "0", "1001", "-1", "+1", " 1", "1.0", "18446744073709551616", "x"] {
            let refusal = integer("COUNT", text.as_bytes(), 1, 1000).unwrap_err();
            assert!(refusal.text.contains("between 1 and 1000"), "{text}: {refusal}");
        }
    }
}
