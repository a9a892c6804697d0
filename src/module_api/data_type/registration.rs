//! Tells the server of a type.

use std::ffi::{CStr, c_int};

use crate::module_api::context::Ctx;
use crate::module_api::{api, raw};

pub(super) fn create(
    ctx: Ctx<'_>,
    name: &CStr,
    encoding: u32,
    methods: &mut raw::RedisModuleTypeMethods,
) -> *mut raw::RedisModuleType {
    assert_eq!(name.to_bytes().len(), 9, "the server takes type names of nine characters");
    // SAFETY: the server copies name and methods.
    unsafe { api!(RedisModule_CreateDataType)(ctx.raw(), name.as_ptr(), encoding as c_int, methods) }
}

pub(super) fn no_methods() -> raw::RedisModuleTypeMethods {
    // SAFETY: every field is an optional function or a number, for which zero is a valid value.
    unsafe { std::mem::zeroed() }
}

/// The line for a file that this module is too old for; it names both versions.
pub fn newer_encoding(what: &str, given: u32, known: u32) -> String {
    format!(
        "{what}: written by a newer workgate in encoding {given}; this one knows encodings up to {known}: upgrade the module"
    )
}
