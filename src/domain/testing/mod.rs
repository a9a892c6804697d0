//! What the unit tests of all families share.

pub(crate) mod primary_and_replica;
pub(crate) mod saved_form;
