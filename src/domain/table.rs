//! State that belongs to no key: one table for the whole server, whatever the database.

use super::codec::Corrupt;
use super::value::Effect;

/// A table that the module holds beside the keys. It changes by effects, as values do.
pub trait Table: Default {
    type Effect: Effect;

    /// The number of the binary form of [`Table::save`]; rises when the form changes.
    const ENCODING: u32;

    /// Changes the table. Total, as that of a value.
    fn apply(&mut self, effect: Self::Effect);

    /// An empty table is not saved.
    fn is_empty(&self) -> bool;

    /// The canonical form: equal tables give equal bytes, of which the digest is taken.
    fn save(&self) -> Vec<u8>;

    /// Reads what [`Table::save`] wrote; `encoding` is that of the writer and at most
    /// [`Table::ENCODING`]. Checks every length before allocating.
    fn load(encoding: u32, bytes: &[u8]) -> Result<Self, Corrupt>;
}
