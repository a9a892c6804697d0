//! Commands of the module itself.

pub(crate) mod digest;
#[cfg(feature = "test-commands")]
pub(crate) mod test_hooks;
