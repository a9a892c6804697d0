//! The ids of jobs: chosen by their pushers, or automatic: `#` and the serial in base 36.

use crate::domain::integer::spelt;
use crate::domain::jobq::state::serial::Serial;
use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

/// A `#` and the digits of the largest serial.
const MAX_AUTOMATIC_ID_BYTES: usize = 14;

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
    pub fn of(serial: Serial) -> Self {
        let (mut text, mut start, mut rest) = ([0; MAX_AUTOMATIC_ID_BYTES], MAX_AUTOMATIC_ID_BYTES, serial);
        loop {
            start -= 1;
            text[start] = b"0123456789abcdefghijklmnopqrstuvwxyz"[(rest % 36) as usize];
            rest /= 36;
            if rest == 0 {
                break;
            }
        }
        start -= 1;
        text[start] = b'#';
        AutomaticId { text, start: start as u8 }
    }

    /// The serial of an automatic id.
    pub fn serial(id: &[u8]) -> Option<Serial> {
        let digits = id.strip_prefix(b"#")?;
        // There is one way of writing it.
        let leads_with_zero = digits.len() > 1 && digits[0] == b'0';
        if leads_with_zero { None } else { spelt(digits, 36) }
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

    #[test]
    fn an_automatic_id_has_one_spelling() {
        for (serial, spelt) in [(0, "#0"), (35, "#z"), (36, "#10"), (u64::MAX, "#3w5e11264sgsf")] {
            assert_eq!(*AutomaticId::of(serial), *spelt.as_bytes());
            assert_eq!(AutomaticId::serial(spelt.as_bytes()), Some(serial));
        }
        for id in ["", "#", "#01", "#+1", "#A", "1", "#-1", "#zzzzzzzzzzzzzz", "#\u{e9}"] {
            assert_eq!(AutomaticId::serial(id.as_bytes()), None, "{id}");
        }
    }
}
