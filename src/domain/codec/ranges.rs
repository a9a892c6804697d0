//! The ranges that decoded fields keep, whichever family they belong to: outside of them a sum of
//! two could overflow, or a client could not hold the number.

use crate::domain::codec::{Corrupt, Reader};
use crate::domain::time::{LONGEST, UnixMs};

/// Times are below 2^53 ms after the Unix epoch.
pub const TIME: UnixMs = 1 << 53;

/// A number below `bound`.
pub fn below(reader: &mut Reader<'_>, bound: u64) -> Result<u64, Corrupt> {
    reader.int().and_then(|number| if number < bound { Ok(number) } else { Err(Corrupt) })
}

/// A fencing token.
pub fn read_token(reader: &mut Reader<'_>) -> Result<u64, Corrupt> {
    read_token_or_zero(reader).and_then(|token| if token > 0 { Ok(token) } else { Err(Corrupt) })
}

/// A fencing token, or 0 where there is none.
pub fn read_token_or_zero(reader: &mut Reader<'_>) -> Result<u64, Corrupt> {
    let number = reader.int()?;
    reader.token(number)
}

/// A point in time, in Unix milliseconds.
pub fn read_time(reader: &mut Reader<'_>) -> Result<UnixMs, Corrupt> {
    let time = below(reader, TIME)?;
    reader.note_time(time);
    Ok(time)
}

/// A duration in milliseconds: at most the longest that a command takes.
pub fn read_span(reader: &mut Reader<'_>) -> Result<u64, Corrupt> {
    below(reader, LONGEST + 1)
}
