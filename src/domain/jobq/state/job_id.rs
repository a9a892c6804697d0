//! The ids of jobs: chosen by their pushers, or automatic: `#`, the serial and the time of the
//! push.
//!
//! The time keeps an automatic id from coming again: a server that has lost the last pushes, in a
//! failover or a crash, gives their serials to other jobs, and so does a queue that was deleted and
//! begins again.

use crate::domain::integer::spelt;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::time::UnixMs;
use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

/// A `#`, two numbers and what parts them.
const MAX_AUTOMATIC_ID_BYTES: usize = 2 + 2 * 13;

const BASE: u64 = 36;

const DIGITS: &[u8; BASE as usize] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// The two digits of each number below `BASE` squared.
const PAIRS: [[u8; 2]; (BASE * BASE) as usize] = {
    let mut pairs = [[0; 2]; (BASE * BASE) as usize];
    let mut at = 0;
    while at < pairs.len() {
        pairs[at] = [DIGITS[at / BASE as usize], DIGITS[at % BASE as usize]];
        at += 1;
    }
    pairs
};

/// The value of each byte as a digit, [`NO_DIGIT`] for all others.
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut at = 0;
    while at < DIGITS.len() {
        values[DIGITS[at] as usize] = at as u8;
        at += 1;
    }
    values
};
const NO_DIGIT: u8 = u8::MAX;

/// So many digits, or other bytes taken for digits, make no number beyond 64 bits.
const SHORT_DIGITS: usize = 11;

/// What parts the serial from the time.
const SEPARATOR: u8 = b'-';

/// An id as its clients see it.
#[derive(Clone)]
pub enum JobId<'q> {
    Chosen(Cow<'q, [u8]>),
    Automatic(AutomaticId),
}

/// An automatic id, spelled without an allocation: every push, pop and ack needs one.
#[derive(Clone, Copy)]
pub struct AutomaticId {
    text: [u8; MAX_AUTOMATIC_ID_BYTES],
    start: u8,
}

impl AutomaticId {
    /// The id of the job with this serial that was pushed at `created`.
    pub fn of(serial: Serial, created: UnixMs) -> Self {
        let mut id = AutomaticId { text: [0; MAX_AUTOMATIC_ID_BYTES], start: MAX_AUTOMATIC_ID_BYTES as u8 };
        id.prepend_number(created);
        id.prepend(SEPARATOR);
        id.prepend_number(serial);
        id.prepend(b'#');
        id
    }

    fn prepend(&mut self, byte: u8) {
        self.start -= 1;
        self.text[usize::from(self.start)] = byte;
    }

    fn prepend_number(&mut self, mut number: u64) {
        // Two digits in one division.
        while number >= BASE {
            let start = usize::from(self.start) - 2;
            self.text[start..start + 2].copy_from_slice(&PAIRS[(number % (BASE * BASE)) as usize]);
            self.start = start as u8;
            number /= BASE * BASE;
            if number == 0 {
                return;
            }
        }
        self.prepend(PAIRS[number as usize][1]);
    }

    /// The serial and the time of the push of an automatic id.
    pub fn parse(id: &[u8]) -> Option<(Serial, UnixMs)> {
        let numbers = id.strip_prefix(b"#")?;
        let at = numbers.iter().position(|byte| *byte == SEPARATOR)?;
        Some((number(&numbers[..at])?, number(&numbers[at + 1..])?))
    }
}

/// There is one way of writing a number.
#[inline]
fn number(digits: &[u8]) -> Option<u64> {
    match digits {
        [] | [b'0', _, ..] => None,
        digits if digits.len() > SHORT_DIGITS => spelt(digits, BASE as u8),
        digits => {
            let (mut number, mut highest) = (0, 0);
            for byte in digits {
                let value = VALUES[usize::from(*byte)];
                highest = highest.max(value);
                number = number * BASE + u64::from(value);
            }
            (highest < NO_DIGIT).then_some(number)
        }
    }
}

impl Deref for AutomaticId {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.text[usize::from(self.start)..]
    }
}

impl JobId<'_> {
    /// Frees it from what it borrows.
    pub fn into_owned(self) -> JobId<'static> {
        match self {
            JobId::Chosen(id) => JobId::Chosen(Cow::Owned(id.into_owned())),
            JobId::Automatic(id) => JobId::Automatic(id),
        }
    }
}

impl Deref for JobId<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            JobId::Chosen(id) => id,
            JobId::Automatic(id) => id,
        }
    }
}

impl<'q> From<&'q [u8]> for JobId<'q> {
    fn from(id: &'q [u8]) -> Self {
        JobId::Chosen(Cow::Borrowed(id))
    }
}

impl From<Box<[u8]>> for JobId<'_> {
    fn from(id: Box<[u8]>) -> Self {
        JobId::Chosen(Cow::Owned(id.into()))
    }
}

impl From<JobId<'_>> for Box<[u8]> {
    fn from(id: JobId<'_>) -> Self {
        Box::from(&*id)
    }
}

impl PartialEq for JobId<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for JobId<'_> {}

impl fmt::Debug for JobId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(self), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_automatic_id_reads_back(serial: u64, created: u64, shift in 0u32..64, other in 0u32..64) {
            let (serial, created) = (serial >> shift, created >> other);
            prop_assert_eq!(AutomaticId::parse(&AutomaticId::of(serial, created)), Some((serial, created)));
        }

        #[test]
        fn what_is_no_automatic_id_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..30)) {
            let id = [b"#", &bytes[..]].concat();
            if let Some((serial, created)) = AutomaticId::parse(&id) {
                prop_assert_eq!(&*AutomaticId::of(serial, created), &id[..]);
            }
        }
    }

    #[test]
    fn an_automatic_id_has_one_spelling() {
        for (serial, created, spelt) in [
            (0, 0, "#0-0"),
            (35, 36, "#z-10"),
            (36, 1_800_000_000_000, "#10-mywpiww0"),
            (u64::MAX, u64::MAX, "#3w5e11264sgsf-3w5e11264sgsf"),
        ] {
            assert_eq!(AutomaticId::parse(spelt.as_bytes()), Some((serial, created)), "{spelt}");
            assert_eq!(*AutomaticId::of(serial, created), *spelt.as_bytes());
        }
        for id in
            ["", "#", "#1", "#1-", "#-1", "#01-1", "#1-01", "#+1-1", "#A-1", "1-1", "#1-1-1", "#\u{e9}-1"]
        {
            assert_eq!(AutomaticId::parse(id.as_bytes()), None, "{id}");
        }
    }
}
