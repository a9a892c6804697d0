//! What each command answers and what it would change. Nothing is changed here.

pub(crate) mod admin;
pub(crate) mod allow;
pub(crate) mod report;
