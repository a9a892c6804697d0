//! The binary form of an entry, and the ranges that its fields and those of effects must keep.

use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::time::{LONGEST, UnixMs};
use crate::domain::token;

use super::entry::{Entry, NEVER};
use super::lease::Lease;

/// First byte of an entry's block: which parts follow.
const HAS_VALUE: u8 = 1;
const HAS_LEASE: u8 = 2;

/// Times are below 2^53 (the year 287396), so that no sum with a span overflows a signed integer.
const TIME_BOUND: UnixMs = 1 << 53;

pub(super) fn read_token(r: &mut Reader<'_>) -> Result<u64, Corrupt> {
    r.int().and_then(|token| if (1..token::BOUND).contains(&token) { Ok(token) } else { Err(Corrupt) })
}

pub(super) fn read_time(r: &mut Reader<'_>) -> Result<UnixMs, Corrupt> {
    r.int().and_then(|time| if time < TIME_BOUND { Ok(time) } else { Err(Corrupt) })
}

pub(super) fn read_span(r: &mut Reader<'_>) -> Result<u64, Corrupt> {
    r.int().and_then(|span| if span <= LONGEST { Ok(span) } else { Err(Corrupt) })
}

/// The one block of an entry that holds something.
pub(super) fn write(entry: &Entry) -> Vec<u8> {
    let mut w = Writer::new();
    w.byte(
        if entry.value.is_some() { HAS_VALUE } else { 0 } | if entry.lease.is_some() { HAS_LEASE } else { 0 },
    );
    if let Some(lease) = &entry.lease {
        w.int(lease.token);
        w.int(lease.since);
        w.int(lease.span);
    }
    if let Some(value) = &entry.value {
        w.int(entry.grant);
        w.option((entry.fresh_until != NEVER).then_some(entry.fresh_until), Writer::int);
        w.int(entry.grace);
        w.bytes(value);
    }
    w.finish()
}

pub(super) fn read(block: &[u8]) -> Result<Entry, Corrupt> {
    let mut r = Reader::new(block);
    let parts = r.byte()?;
    if !(1..=HAS_VALUE | HAS_LEASE).contains(&parts) {
        return Err(Corrupt);
    }
    let mut entry = Entry::default();
    if parts & HAS_LEASE != 0 {
        let token = read_token(&mut r)?;
        let since = read_time(&mut r)?;
        let span = read_span(&mut r)?;
        entry.lease = Some(Box::new(Lease { token, since, span }));
    }
    if parts & HAS_VALUE != 0 {
        entry.grant = read_token(&mut r)?;
        entry.fresh_until = r.option(read_time)?.unwrap_or(NEVER);
        entry.grace = read_span(&mut r)?;
        entry.value = Some(Box::from(r.bytes()?));
    }
    r.end()?;
    Ok(entry)
}
