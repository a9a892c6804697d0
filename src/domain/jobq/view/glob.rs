//! Glob patterns over error texts, as Redis writes them: `*`, `?`, `[a-z]`, `[^a]` and `\\x`.
//!
//! A pattern is an automaton whose states are bits, so a match costs the same few steps for every
//! byte of the text, whatever the pattern. Backtracking would let `*a*a*a*b` hold the server's
//! thread.

use std::fmt;

/// The longest pattern.
pub const MAX_GLOB_BYTES: usize = 256;

/// States from 0 (nothing matched) to the number of the pattern's parts.
const WORDS: usize = MAX_GLOB_BYTES / 64 + 1;

type Bits = [u64; WORDS];

/// A pattern that matches a whole text.
#[derive(Clone, PartialEq, Eq)]
pub struct Glob {
    /// For each byte the states that it leads out of.
    steps: Box<[Bits; 256]>,
    /// The states that any byte leaves as they are: a `*` follows.
    loops: Bits,
    /// The state in which the whole pattern has matched.
    end: usize,
}

impl fmt::Debug for Glob {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Glob of {} parts", self.end)
    }
}

fn set(bits: &mut Bits, at: usize) {
    bits[at / 64] |= 1 << (at % 64);
}

impl Glob {
    /// Reads a pattern of at most [`MAX_GLOB_BYTES`]; a longer one is cut.
    pub fn new(pattern: &[u8]) -> Self {
        let mut glob = Glob { steps: Box::new([[0; WORDS]; 256]), loops: [0; WORDS], end: 0 };
        let mut rest = &pattern[..pattern.len().min(MAX_GLOB_BYTES)];
        while let Some((&first, behind)) = rest.split_first() {
            rest = behind;
            match first {
                b'*' => {
                    set(&mut glob.loops, glob.end);
                    continue;
                }
                b'?' => glob.accept(|_| true),
                b'[' => {
                    let (class, behind) = Class::read(rest);
                    rest = behind;
                    glob.accept(|byte| class.contains(byte));
                }
                b'\\' if !rest.is_empty() => {
                    let escaped = rest[0];
                    rest = &rest[1..];
                    glob.accept(|byte| byte == escaped);
                }
                plain => glob.accept(|byte| byte == plain),
            }
            glob.end += 1;
        }
        glob
    }

    /// The next part of the pattern takes the bytes that `takes` is true for.
    fn accept(&mut self, takes: impl Fn(u8) -> bool) {
        for byte in (0..=u8::MAX).filter(|byte| takes(*byte)) {
            set(&mut self.steps[usize::from(byte)], self.end);
        }
    }

    pub fn matches(&self, text: &[u8]) -> bool {
        let mut states = [0; WORDS];
        set(&mut states, 0);
        for byte in text {
            let step = &self.steps[usize::from(*byte)];
            let mut carry = 0;
            for (at, state) in states.iter_mut().enumerate() {
                let moved = *state & step[at];
                *state = (*state & self.loops[at]) | (moved << 1) | carry;
                carry = moved >> 63;
            }
            if states == [0; WORDS] {
                return false;
            }
        }
        states[self.end / 64] & (1 << (self.end % 64)) != 0
    }
}

/// A set of bytes between brackets.
struct Class {
    negated: bool,
    ranges: Vec<(u8, u8)>,
}

impl Class {
    /// Reads a class behind its `[`, up to its `]` or the end of the pattern.
    fn read(mut rest: &[u8]) -> (Self, &[u8]) {
        let negated = rest.first() == Some(&b'^');
        if negated {
            rest = &rest[1..];
        }
        let mut ranges = Vec::new();
        loop {
            rest = match rest {
                [] => break,
                [b']', behind @ ..] => {
                    rest = behind;
                    break;
                }
                [b'\\', byte, behind @ ..] => {
                    ranges.push((*byte, *byte));
                    behind
                }
                [first, b'-', last, behind @ ..] => {
                    ranges.push(((*first).min(*last), (*first).max(*last)));
                    behind
                }
                [byte, behind @ ..] => {
                    ranges.push((*byte, *byte));
                    behind
                }
            };
        }
        (Class { negated, ranges }, rest)
    }

    fn contains(&self, byte: u8) -> bool {
        self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&byte)) != self.negated
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By trying every way.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, _) => text.is_empty(),
            (Some((b'*', rest)), None) => naive(rest, text),
            (Some((b'*', rest)), Some((_, behind))) => naive(rest, text) || naive(pattern, behind),
            (Some((b'?', rest)), Some((_, behind))) => naive(rest, behind),
            (Some((first, rest)), Some((byte, behind))) => first == byte && naive(rest, behind),
            (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn a_pattern_matches_as_by_trying_every_way(
            pattern in prop::collection::vec(prop::sample::select(b"ab*?".to_vec()), 0..10),
            text in prop::collection::vec(prop::sample::select(b"ab".to_vec()), 0..12),
        ) {
            prop_assert_eq!(Glob::new(&pattern).matches(&text), naive(&pattern, &text));
        }
    }

    #[test]
    fn classes_and_escapes_are_those_of_redis() {
        for (pattern, text, expected) in [
            ("h[ae]llo", "hello", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hbllo", true),
            ("h[a-b]llo", "hcllo", false),
            ("50\\*", "50*", true),
            ("50\\*", "500", false),
            ("[\\]]", "]", true),
            ("[abc", "b", true),
            ("", "", true),
            ("", "x", false),
            ("timeout", "timeout after 3s", false),
            ("timeout*", "timeout after 3s", true),
        ] {
            assert_eq!(Glob::new(pattern.as_bytes()).matches(text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_of_the_greatest_length_matches_across_all_words() {
        let pattern = vec![b'a'; MAX_GLOB_BYTES];
        assert!(Glob::new(&pattern).matches(&pattern));
        assert!(!Glob::new(&pattern).matches(&pattern[1..]));
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_longer_than_its_text() {
        let pattern = b"*a".repeat(100);
        let text = vec![b'a'; 1 << 20];
        assert!(Glob::new(&pattern).matches(&text));
        assert!(!Glob::new(&[&pattern[..], b"b"].concat()).matches(&text));
    }
}
