//! The binary form of an entry.

use crate::domain::bounds::{read_span, read_time, read_token};
use crate::domain::codec::{Corrupt, Reader, Writer};

use super::entry::{Entry, NEVER};
use super::lease::Lease;

/// First byte of an entry's block: which parts follow.
const HAS_VALUE: u8 = 1;
const HAS_LEASE: u8 = 2;

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
