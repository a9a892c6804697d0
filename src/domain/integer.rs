//! Whole numbers as clients write them.

use super::refusal::{Refusal, shown};

/// A whole number, digits only, within a range. `what` names the argument in the error.
pub fn integer(what: &str, text: &[u8], least: u64, most: u64) -> Result<u64, Refusal> {
    match spelt(text, 10) {
        Some(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(Refusal::err(format!(
            "{what} '{}': must be a whole number between {least} and {most}",
            shown(text)
        ))),
    }
}

/// What digits and small letters spell; nothing else is read, no sign and no space.
pub fn spelt(digits: &[u8], radix: u8) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'z' => byte - b'a' + 10,
            _ => return None,
        };
        if digit >= radix {
            return None;
        }
        number.checked_mul(radix.into())?.checked_add(digit.into())
    })
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
        assert_eq!(integer("token", b"18446744073709551615", 1, u64::MAX), Ok(u64::MAX));
        assert_eq!(integer("token", b"0007", 1, 9), Ok(7));
    }
}
