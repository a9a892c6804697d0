//! Limits that were read lately, by their text: applications send the same few again and again.

use super::rule::Rule;
use super::spec::Limit;
use crate::domain::refusal::Refusal;

/// Longer texts are read each time.
const LONGEST: usize = 40;

const SLOTS: usize = 64;

#[derive(Clone, Copy)]
struct Slot {
    text: [u8; LONGEST],
    length: usize,
    /// How many bytes of the text are the name.
    name: Option<usize>,
    rule: Rule,
}

/// A text has one slot, which it shares with others: the last one that was read has it.
pub struct Recent([Option<Slot>; SLOTS]);

impl Recent {
    pub const fn empty() -> Self {
        Recent([None; SLOTS])
    }

    /// As [`Limit::parse`], which is asked only for what is not remembered.
    pub fn parse<'a>(&mut self, text: &'a [u8]) -> Result<Limit<'a>, Refusal> {
        if text.is_empty() || text.len() > LONGEST {
            return Limit::parse(text);
        }
        let slot = &mut self.0[place(text)];
        if let Some(known) = slot
            && known.text[..known.length] == *text
        {
            return Ok(Limit { name: known.name.map(|length| &text[..length]), rule: known.rule });
        }
        let limit = Limit::parse(text)?;
        let mut bytes = [0; LONGEST];
        bytes[..text.len()].copy_from_slice(text);
        *slot = Some(Slot {
            text: bytes,
            length: text.len(),
            name: limit.name.map(<[u8]>::len),
            rule: limit.rule,
        });
        Ok(limit)
    }
}

fn place(text: &[u8]) -> usize {
    let at = |index: usize| usize::from(text[index]);
    (text.len() + at(0) + 5 * at(text.len() / 3) + 7 * at(text.len() / 2) + 3 * at(text.len() - 1)) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_what_would_be_read() {
        let mut recent = Recent::empty();
        let long = format!("{}=1/1s", "n".repeat(60));
        let texts = ["10/1m", "a=10/1m", "b=10/1m", "7/1h:burst=9", "1/day@UTC", "x=3/1d:fixed", &long];
        let wrong = ["", "10/0s", "@p", "a b=1/1s", "10/1m:x", "=1/1s"];
        for _ in 0..3 {
            for text in texts.iter().chain(&wrong) {
                assert_eq!(recent.parse(text.as_bytes()), Limit::parse(text.as_bytes()), "{text}");
            }
        }
    }

    #[test]
    fn texts_that_share_a_slot_are_told_apart() {
        let mut recent = Recent::empty();
        let texts: Vec<String> = (1..2_000).map(|count| format!("{count}/1m")).collect();
        for text in texts.iter().chain(texts.iter().rev()) {
            assert_eq!(recent.parse(text.as_bytes()), Limit::parse(text.as_bytes()));
        }
    }
}
