//! Whether the module holds anything at all. A module that holds nothing saves nothing, so that a
//! server can leave it.

use std::sync::OnceLock;

use crate::module_api::data_type;

static HAS_TABLES: OnceLock<fn() -> bool> = OnceLock::new();

/// Takes the function that tells whether a table beside the keys holds what outlives them, such as
/// policies.
pub fn register(has_tables: fn() -> bool) {
    HAS_TABLES.get_or_init(|| has_tables);
}

/// Whether a table holds what outlives the keys.
pub fn has_tables() -> bool {
    HAS_TABLES.get().is_some_and(|has_tables| has_tables())
}

/// Whether there is a key of the module, or a table that outlives keys.
pub fn is_in_use() -> bool {
    data_type::has_live_values() || has_tables()
}
