//! POP: of one queue or of several, and at the rates that queues share.

pub(crate) mod at_rate;
pub(crate) mod command;
pub(crate) mod request;
