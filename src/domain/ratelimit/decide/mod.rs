//! What each command answers and what it would change. Nothing is changed here.

pub(crate) mod acquire;
pub(crate) mod budget;
pub(crate) mod check;
pub(crate) mod in_place;
pub(crate) mod refund;
pub(crate) mod request;
pub(crate) mod verdict;
