//! What each command answers and what it would change. Nothing is changed here.

pub(crate) mod admin;
pub(crate) mod batch;
pub(crate) mod group;
pub(crate) mod linger;
pub(crate) mod log;
pub(crate) mod pop;
pub(crate) mod push;
pub(crate) mod rate_charge;
pub(crate) mod schedule;
pub(crate) mod settings;
pub(crate) mod settle;
pub(crate) mod update;
