//! Sections of INFO.

use std::ffi::{CString, c_int};
use std::sync::OnceLock;

use super::context::Ctx;
use super::panic_guard::catch_panic_or;
use crate::module_api::{api, raw};

/// A field's name and its value.
pub type Field = (&'static str, u64);

/// A section's name and where its fields come from.
pub struct Section {
    pub name: &'static str,
    pub fields: fn() -> Vec<Field>,
}

static SECTIONS: OnceLock<&'static [Section]> = OnceLock::new();

/// Registers the sections, shown as `workgate_<name>`.
pub fn register(ctx: Ctx<'_>, sections: &'static [Section]) -> bool {
    SECTIONS.get_or_init(|| sections);
    // SAFETY: the context is alive; `show` matches the callback's type.
    unsafe { api!(RedisModule_RegisterInfoFunc)(ctx.raw(), Some(show)) == raw::REDISMODULE_OK as c_int }
}

extern "C" fn show(ctx: *mut raw::RedisModuleInfoCtx, for_crash_report: c_int) {
    // The crash may have happened in the allocator, or while state was borrowed.
    if for_crash_report != 0 {
        return;
    }
    catch_panic_or((), || {
        for section in SECTIONS.get().copied().unwrap_or_default() {
            show_section(ctx, section);
        }
    });
}

fn show_section(ctx: *mut raw::RedisModuleInfoCtx, section: &Section) {
    let name = CString::new(section.name).unwrap_or_default();
    // SAFETY: the context is the server's for this call; it copies the name.
    let wanted = unsafe { api!(RedisModule_InfoAddSection)(ctx, name.as_ptr()) };
    if wanted != raw::REDISMODULE_OK as c_int {
        return;
    }
    for (field, value) in (section.fields)() {
        let field = CString::new(field).unwrap_or_default();
        // SAFETY: as above.
        unsafe { api!(RedisModule_InfoAddFieldULongLong)(ctx, field.as_ptr(), value) };
    }
}
