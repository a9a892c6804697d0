//! State that belongs to no key: one table for the whole server, whatever the database.

use std::collections::BTreeMap;

use super::codec::{Corrupt, Reader, Writer};
use super::value::Effect;

/// What a table holds by names, in their order.
pub type Named<V> = BTreeMap<Box<[u8]>, V>;

/// A table that the module holds beside the keys. It changes by effects, as values do.
pub trait Table: Default {
    type Effect: Effect;

    /// The number of the binary form of [`Table::save`]; rises when the form changes.
    const ENCODING: u32;

    /// Whether the effect makes the server hold more, which one that is full refuses.
    fn adds(&self, effect: &Self::Effect) -> bool;

    /// Changes the table. Total, as that of a value.
    fn apply(&mut self, effect: Self::Effect);

    /// An empty table is not saved.
    fn is_empty(&self) -> bool;

    /// The canonical form: equal tables give equal bytes, of which the digest is taken.
    fn save(&self) -> Vec<u8>;

    /// The highest fencing token in the table, 0 if none.
    fn highest_token(&self) -> u64 {
        0
    }

    /// Reads what [`Table::save`] wrote; `encoding` is that of the writer and at most
    /// [`Table::ENCODING`]. Checks every length before allocating.
    fn load(encoding: u32, bytes: &[u8]) -> Result<Self, Corrupt>;
}

/// The canonical form of what a table holds by names.
pub fn save_named<V>(entries: &Named<V>, write: impl Fn(&V, &mut Writer)) -> Vec<u8> {
    let mut w = Writer::new();
    w.int(entries.len() as u64);
    for (name, entry) in entries {
        w.bytes(name);
        write(entry, &mut w);
    }
    w.finish()
}

/// Reads what [`save_named`] wrote: names that `is_name` allows, in their order.
pub fn load_named<V>(
    bytes: &[u8],
    is_name: impl Fn(&[u8]) -> bool,
    read: impl Fn(&[u8], &mut Reader<'_>) -> Result<V, Corrupt>,
) -> Result<Named<V>, Corrupt> {
    let mut r = Reader::new(bytes);
    let mut entries: Named<V> = Named::new();
    for _ in 0..r.int()? {
        let name = r.bytes()?;
        let in_order = entries.last_key_value().is_none_or(|(last, _)| **last < *name);
        if !is_name(name) || !in_order {
            return Err(Corrupt);
        }
        entries.insert(name.into(), read(name, &mut r)?);
    }
    r.end()?;
    Ok(entries)
}
