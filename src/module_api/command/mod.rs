//! Commands: what the server runs for one, and their registration from one table.

pub(crate) mod acl_categories;
pub(crate) mod documentation;
pub(crate) mod entry;
pub(crate) mod help;
pub(crate) mod registration;
pub(crate) mod spec;

pub use acl_categories::add_category;
pub use entry::{Call, Entry, FindsKeys, Program, entry, entry_finding_keys};
pub use registration::register;
pub use spec::{Access, Arg, ArgType, Behind, Container, Keys, Spec};
