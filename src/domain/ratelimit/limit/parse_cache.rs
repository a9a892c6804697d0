//! A cache of parsed limits by their text. Applications send the same few limits again and again.

use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::limit::rule::Rule;
use crate::domain::refusal::Refusal;

/// Longer texts are not cached.
const MAX_TEXT_LEN: usize = 40;

const SLOTS: usize = 64;

#[derive(Clone, Copy)]
struct CachedLimit {
    text: [u8; MAX_TEXT_LEN],
    length: usize,
    /// How many bytes of the text belong to the name.
    name: Option<usize>,
    rule: Rule,
}

/// A direct-mapped cache: each text has one slot, and the last text that was parsed keeps it.
pub struct LimitParseCache([Option<CachedLimit>; SLOTS]);

impl LimitParseCache {
    pub const fn empty() -> Self {
        LimitParseCache([None; SLOTS])
    }

    /// Returns the cached limit of the text.
    #[inline]
    pub fn get<'a>(&self, text: &'a [u8]) -> Option<Limit<'a>> {
        let slot = self.0[slot_of(text)?].as_ref()?;
        let is_it = slot.length == text.len() && slot.text[..text.len()] == *text;
        is_it.then(|| Limit { name: slot.name.map(|length| &text[..length]), rule: slot.rule })
    }

    /// Like [`Limit::parse`], but caches the limit.
    pub fn parse<'a>(&mut self, text: &'a [u8]) -> Result<Limit<'a>, Refusal> {
        let limit = Limit::parse(text)?;
        if let Some(place) = slot_of(text) {
            let mut bytes = [0; MAX_TEXT_LEN];
            bytes[..text.len()].copy_from_slice(text);
            let name = limit.name.map(<[u8]>::len);
            self.0[place] = Some(CachedLimit { text: bytes, length: text.len(), name, rule: limit.rule });
        }
        Ok(limit)
    }
}

/// Returns the slot of a text; `None` if the text is too long.
#[inline]
fn slot_of(text: &[u8]) -> Option<usize> {
    let (first, last) = (text.first()?, text.last()?);
    let at = |byte: &u8| usize::from(*byte);
    let (third, half) = (&text[text.len() / 3], &text[text.len() / 2]);
    let mixed = text.len() + at(first) + 5 * at(third) + 7 * at(half) + 3 * at(last);
    (text.len() <= MAX_TEXT_LEN).then_some(mixed % SLOTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(recent: &mut LimitParseCache, text: &'a str) -> Result<Limit<'a>, Refusal> {
        let text = text.as_bytes();
        recent.get(text).map_or_else(|| recent.parse(text), Ok)
    }

    #[test]
    fn what_is_remembered_is_what_would_be_read() {
        let mut recent = LimitParseCache::empty();
        let long = format!("{}=1/1s", "n".repeat(60));
        let texts = ["10/1m", "a=10/1m", "b=10/1m", "7/1h:burst=9", "1/day@UTC", "x=3/1d:fixed", &long];
        let wrong = ["", "10/0s", "@p", "a b=1/1s", "10/1m:x", "=1/1s"];
        for _ in 0..3 {
            for text in texts.iter().chain(&wrong) {
                assert_eq!(read(&mut recent, text), Limit::parse(text.as_bytes()), "{text}");
            }
        }
        assert!(recent.get(b"a=10/1m").is_some());
        assert_eq!(recent.get(long.as_bytes()), None);
    }

    #[test]
    fn texts_that_share_a_slot_are_told_apart() {
        let mut recent = LimitParseCache::empty();
        let texts: Vec<String> = (1..2_000).map(|count| format!("{count}/1m")).collect();
        for text in texts.iter().chain(texts.iter().rev()) {
            assert_eq!(read(&mut recent, text), Limit::parse(text.as_bytes()));
        }
    }
}
