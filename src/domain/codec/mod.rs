//! The binary form of effects and values: little-endian base-128 integers and counted bytes.
//!
//! Integers use the variable-length form of Protocol Buffers (seven bits a byte, low bits first).
//! A reader never trusts a length: it is checked against what is left before anything is allocated.

pub(crate) mod ranges;

use super::{long_token, token};

/// Decoded bytes that no writer of ours has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrupt;

/// Writes one effect or one block of a value.
#[derive(Debug, Clone)]
pub struct Writer {
    bytes: Vec<u8>,
}

/// Most effects fit into this: growing step by step cost a seventh of an allowed CHECK.
const USUAL: usize = 64;

impl Default for Writer {
    fn default() -> Self {
        Writer::with_room(0)
    }
}

impl Writer {
    pub fn new() -> Self {
        Self::default()
    }

    /// About the bytes that most effects take, and a few more.
    pub fn with_room(more: usize) -> Self {
        Writer { bytes: Vec::with_capacity(USUAL + more) }
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn byte(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// The first byte of an effect that carries tokens: which kind it is.
    pub fn kind(&mut self, kind: u8) {
        self.byte(kind | SHORT_TOKENS);
    }

    pub fn bool(&mut self, value: bool) {
        self.byte(u8::from(value));
    }

    /// An unsigned integer: one to ten bytes.
    pub fn int(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    /// A signed integer (zigzag: small magnitudes stay short).
    pub fn signed(&mut self, value: i64) {
        self.int(((value << 1) ^ (value >> 63)) as u64);
    }

    /// Bytes with their length before them.
    pub fn bytes(&mut self, value: &[u8]) {
        self.int(value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    /// Bytes without a length: for a field of fixed size.
    pub fn raw(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
    }

    /// A value that may be missing.
    pub fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.bool(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// What has been written so far.
    pub fn written(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets what has been written and keeps the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Returns what has been written so far and starts again.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

/// A bit of the first byte of effects. Those of before 0.1.0 lack it: their tokens are long ones.
const SHORT_TOKENS: u8 = 64;

/// Reads what a [`Writer`] wrote.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// The highest of the long tokens that were read, where the tokens are of before 0.1.0 (see
    /// [`crate::domain::long_token`]).
    highest_long_token: Option<u64>,
    /// The latest of the times that were noted.
    latest_time: u64,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes, highest_long_token: None, latest_time: 0 }
    }

    /// Reads a block whose encoding is of before 0.1.0 if `has_long_tokens`.
    pub fn of_block(bytes: &'a [u8], has_long_tokens: bool) -> Self {
        Reader { highest_long_token: has_long_tokens.then_some(0), ..Reader::new(bytes) }
    }

    /// What [`Writer::kind`] wrote.
    pub fn kind(&mut self) -> Result<u8, Corrupt> {
        let byte = self.byte()?;
        if byte & SHORT_TOKENS == 0 {
            self.highest_long_token = Some(0);
        }
        Ok(byte & !SHORT_TOKENS)
    }

    /// A token of today: `number` was read as one.
    pub fn token(&mut self, number: u64) -> Result<u64, Corrupt> {
        let token = match &mut self.highest_long_token {
            None => number,
            Some(_) if number >= long_token::BOUND => return Err(Corrupt),
            Some(highest) => {
                *highest = number.max(*highest);
                long_token::shorten(number)
            }
        };
        if token < token::BOUND { Ok(token) } else { Err(Corrupt) }
    }

    /// Notes that a time was read.
    pub fn note_time(&mut self, time: u64) {
        self.latest_time = self.latest_time.max(time);
    }

    /// The latest of the times that were read.
    pub fn latest_time(&self) -> u64 {
        self.latest_time
    }

    /// From now on, tokens are long ones.
    pub fn expect_long_tokens(&mut self) {
        self.highest_long_token.get_or_insert(0);
    }

    pub fn has_long_tokens(&self) -> bool {
        self.highest_long_token.is_some()
    }

    /// The highest of the long tokens that were read, if there were such.
    pub fn highest_long_token(&self) -> Option<u64> {
        self.highest_long_token.filter(|token| *token > 0)
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left: an upper bound for any count that follows.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    pub fn raw(&mut self, length: usize) -> Result<&'a [u8], Corrupt> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Corrupt)?;
        self.rest = rest;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8, Corrupt> {
        Ok(self.raw(1)?[0])
    }

    pub fn bool(&mut self) -> Result<bool, Corrupt> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Corrupt),
        }
    }

    /// Only the shortest form of an integer is read, so that equal values have equal bytes.
    pub fn int(&mut self) -> Result<u64, Corrupt> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Corrupt);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return if byte == 0 && shift > 0 { Err(Corrupt) } else { Ok(value) };
            }
        }
        Err(Corrupt)
    }

    /// An integer that must fit a narrower type.
    pub fn narrow<T: TryFrom<u64>>(&mut self) -> Result<T, Corrupt> {
        T::try_from(self.int()?).map_err(|_| Corrupt)
    }

    pub fn signed(&mut self) -> Result<i64, Corrupt> {
        let value = self.int()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub fn bytes(&mut self) -> Result<&'a [u8], Corrupt> {
        let length = self.narrow()?;
        self.raw(length)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        self.raw(N)?.try_into().map_err(|_| Corrupt)
    }

    pub fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Corrupt>,
    ) -> Result<Option<T>, Corrupt> {
        if self.bool()? { read(self).map(Some) } else { Ok(None) }
    }

    /// A count of items that take at least `least` bytes each; larger than the rest could hold is
    /// corrupt, so a count may be allocated for.
    pub fn count(&mut self, least: usize) -> Result<usize, Corrupt> {
        let count: usize = self.narrow()?;
        if count > self.left() / least.max(1) { Err(Corrupt) } else { Ok(count) }
    }

    /// Everything must have been read.
    pub fn end(&self) -> Result<(), Corrupt> {
        if self.is_empty() { Ok(()) } else { Err(Corrupt) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_reads_back(a in any::<u64>(), b in any::<i64>(), c in prop::collection::vec(any::<u8>(), 0..50), d in any::<Option<u64>>()) {
            let mut writer = Writer::new();
            writer.int(a);
            writer.signed(b);
            writer.bytes(&c);
            writer.option(d, Writer::int);
            let bytes = writer.finish();
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.int(), Ok(a));
            prop_assert_eq!(reader.signed(), Ok(b));
            prop_assert_eq!(reader.bytes(), Ok(&c[..]));
            prop_assert_eq!(reader.option(Reader::int), Ok(d));
            prop_assert_eq!(reader.end(), Ok(()));
        }

        #[test]
        fn no_bytes_panic_and_an_integer_has_one_form(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            let mut reader = Reader::new(&bytes);
            if let Ok(value) = reader.int() {
                let mut writer = Writer::new();
                writer.int(value);
                prop_assert_eq!(&writer.finish()[..], &bytes[..bytes.len() - reader.left()]);
            }
            let _ = Reader::new(&bytes).bytes();
            let _ = Reader::new(&bytes).signed();
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_corrupt() {
        let mut writer = Writer::new();
        writer.int(u64::MAX);
        let bytes = writer.finish();
        assert_eq!(Reader::new(&bytes).bytes(), Err(Corrupt));
        assert_eq!(Reader::new(&bytes).count(1), Err(Corrupt));
    }
}
