//! What each command answers and what it would change. Nothing is changed here.

pub(crate) mod claim;
pub(crate) mod complete;
