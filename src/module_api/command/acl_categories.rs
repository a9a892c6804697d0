//! The ACL categories of commands, on servers that let modules choose (Redis 7.4, Valkey 8).

use std::ffi::{CStr, c_int};

use super::spec::{CHECKS_PREFIXES, INTERNAL, Spec, text};
use crate::module_api::context::Ctx;
use crate::module_api::{acl, raw};

/// Adds an ACL category of our own where the server can (Redis 7.4, Valkey 8); tells whether it
/// did.
pub fn add_category(ctx: Ctx<'_>, name: &CStr) -> bool {
    // SAFETY: the table is only read after it was filled; the server copies the name.
    unsafe {
        raw::RedisModule_AddACLCategory
            .is_some_and(|add| add(ctx.raw(), name.as_ptr()) == raw::REDISMODULE_OK as c_int)
    }
}

/// Puts the command into the ACL categories that one of the server's own like it is in: servers
/// that let modules choose put it into none by themselves. An internal command stays in none, so
/// that no category gives it to a user.
pub(crate) fn categorise(command: *mut raw::RedisModuleCommand, own: Option<&str>, spec: &Spec) {
    let has = |flag| spec.has_flag(flag);
    if has(INTERNAL) {
        return;
    }
    let is_dangerous = has("admin") || has(CHECKS_PREFIXES) && !acl::can_check_prefixes();
    let categories: Vec<&str> = own
        .into_iter()
        .chain([if has("readonly") { "read" } else { "write" }])
        .chain([if has("fast") { "fast" } else { "slow" }])
        .chain(has("blocking").then_some("blocking"))
        .chain(has("admin").then_some("admin"))
        .chain(is_dangerous.then_some("dangerous"))
        .collect();
    set_categories(command, &categories.join(" "));
}

/// A refusal leaves the command in the categories that its flags give it.
pub(crate) fn set_categories(command: *mut raw::RedisModuleCommand, categories: &str) {
    // SAFETY: the table is only read after it was filled.
    if let Some(set) = unsafe { raw::RedisModule_SetCommandACLCategories } {
        let categories = text(categories);
        // SAFETY: the command is registered; the server copies the names.
        unsafe { set(command, categories.as_ptr()) };
    }
}
