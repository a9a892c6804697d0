//! What each command answers and what it would change. Nothing is changed here.

pub(crate) mod getset;
pub(crate) mod release;
pub(crate) mod set;
pub(crate) mod tagged;
