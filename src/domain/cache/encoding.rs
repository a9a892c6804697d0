//! The binary form of an entry.

use crate::domain::cache::state::entry::CacheEntry;
use crate::domain::cache::state::lease::Lease;
use crate::domain::cache::state::value_meta::{Annotations, ValueMeta, check_bytes};
use crate::domain::codec::ranges::{read_span, read_time, read_token};
use crate::domain::codec::{Corrupt, Reader, Writer};

/// First byte of an entry's block: which parts follow.
const HAS_VALUE: u8 = 1;
const HAS_LEASE: u8 = 2;
/// The lease has been given back.
const RELEASED: u8 = 4;
/// The value has tags or META; in encoding 1 it has tags.
const IS_ANNOTATED: u8 = 8;
/// The encoding that knew no META.
const WITHOUT_META: u32 = 1;
/// The last encoding of before 0.1.0.
const LAST_WITH_LONG_TOKENS: u32 = 2;

/// The one block of an entry that holds something.
pub(crate) fn write(entry: &CacheEntry) -> Vec<u8> {
    let mut w = Writer::new();
    let lease = match entry.lease() {
        Some(lease) if lease.released => HAS_LEASE | RELEASED,
        Some(_) => HAS_LEASE,
        None => 0,
    };
    let annotations = entry.rare.annotations().filter(|annotations| !annotations.is_empty());
    let annotated = if annotations.is_some() { IS_ANNOTATED } else { 0 };
    w.byte(if entry.bytes.is_some() { HAS_VALUE | annotated } else { 0 } | lease);
    if let Some(lease) = entry.lease() {
        w.int(lease.token);
        w.int(lease.since);
        w.int(lease.span);
    }
    if let (Some(meta), Some(bytes)) = (entry.meta(), &entry.bytes) {
        meta.write(&mut w);
        w.bytes(bytes);
        if let Some(annotations) = annotations {
            annotations.write(&mut w);
        }
    }
    w.finish()
}

pub(crate) fn read(encoding: u32, block: &[u8]) -> Result<CacheEntry, Corrupt> {
    let read_annotations = if encoding == WITHOUT_META { Annotations::read_tags } else { Annotations::read };
    let mut r = Reader::of_block(block, encoding <= LAST_WITH_LONG_TOKENS);
    let parts = r.byte()?;
    let has = |part| parts & part != 0;
    let known = parts <= HAS_VALUE | HAS_LEASE | RELEASED | IS_ANNOTATED;
    if !known || has(RELEASED) && !has(HAS_LEASE) || has(IS_ANNOTATED) && !has(HAS_VALUE) {
        return Err(Corrupt);
    }
    let mut lease = None;
    if has(HAS_LEASE) {
        let token = read_token(&mut r)?;
        let since = read_time(&mut r)?;
        let span = read_span(&mut r)?;
        lease = Some(Lease { token, since, span, released: has(RELEASED) });
    }
    let entry = if has(HAS_VALUE) {
        let meta = ValueMeta::read(&mut r)?;
        let bytes = check_bytes(&meta, r.bytes()?)?;
        let annotations = if has(IS_ANNOTATED) { read_annotations(&mut r)? } else { Annotations::default() };
        CacheEntry::with_value(meta, bytes, lease).annotated(annotations)
    } else {
        lease.map(CacheEntry::with_lease).ok_or(Corrupt)?
    };
    r.end()?;
    Ok(entry)
}
