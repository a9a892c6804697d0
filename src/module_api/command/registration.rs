//! Registration of commands from one table: handler, flags, keys, ACL categories and the texts of COMMAND DOCS.

use std::ffi::c_int;

use super::acl_categories::{categorise, set_categories};
use super::documentation::document;
use super::spec::{CHECKS_PREFIXES, INTERNAL, Keys, Spec, text};
use crate::module_api::context::Ctx;
use crate::module_api::{api, raw};

/// Registers one command; false when the server refuses, because another module has it or by its rules.
pub fn register(ctx: Ctx<'_>, category: Option<&str>, spec: &'static Spec) -> bool {
    // Of the words that are no flags everywhere, a server that knows none of them refuses the command.
    let with_internal = spec.has_flag(INTERNAL) && create(ctx, category, spec, &[CHECKS_PREFIXES]);
    if !with_internal && !create(ctx, category, spec, &[CHECKS_PREFIXES, INTERNAL]) {
        return false;
    }
    let name = text(&spec.name.to_ascii_lowercase());
    // SAFETY: the name is the one just registered.
    let command = unsafe { api!(RedisModule_GetCommand)(ctx.raw(), name.as_ptr()) };
    document(command, spec);
    categorise(command, category, spec);
    true
}

fn create(ctx: Ctx<'_>, category: Option<&str>, spec: &'static Spec, left_out: &[&str]) -> bool {
    let full_name = spec.name.to_ascii_lowercase();
    let flags = text(&spec.flags_without(left_out));
    let (first, last) = match spec.keys {
        Keys::None | Keys::EveryShard => (0, 0),
        Keys::At(position, _) | Keys::AtAndBehind(position, ..) => {
            (c_int::from(position), c_int::from(position))
        }
        Keys::From(position, _) => (c_int::from(position), -1),
    };
    let (entry, step) = (Some(spec.entry), c_int::from(first != 0));
    let created = match full_name.split_once('|') {
        None => {
            let name = text(&full_name);
            // SAFETY: the server copies the texts.
            unsafe {
                api!(RedisModule_CreateCommand)(
                    ctx.raw(),
                    name.as_ptr(),
                    entry,
                    flags.as_ptr(),
                    first,
                    last,
                    step,
                )
            }
        }
        Some((container, own_name)) => {
            let (container, own_name) = (container_of_subcommands(ctx, category, container), text(own_name));
            if container.is_null() {
                return false;
            }
            // SAFETY: the container is registered; the server copies the texts.
            unsafe {
                api!(RedisModule_CreateSubcommand)(
                    container,
                    own_name.as_ptr(),
                    entry,
                    flags.as_ptr(),
                    first,
                    last,
                    step,
                )
            }
        }
    };
    created == raw::REDISMODULE_OK as c_int
}

/// The command that only holds subcommands, made with the first of them; null when the server refuses.
fn container_of_subcommands(
    ctx: Ctx<'_>,
    category: Option<&str>,
    name: &str,
) -> *mut raw::RedisModuleCommand {
    let name = text(name);
    // SAFETY: looks the name up among the module's own commands; the server copies the texts.
    unsafe {
        let known = api!(RedisModule_GetCommand)(ctx.raw(), name.as_ptr());
        if !known.is_null() {
            return known;
        }
        api!(RedisModule_CreateCommand)(ctx.raw(), name.as_ptr(), None, c"".as_ptr(), 0, 0, 0);
        let made = api!(RedisModule_GetCommand)(ctx.raw(), name.as_ptr());
        if let (false, Some(category)) = (made.is_null(), category) {
            set_categories(made, category);
        }
        made
    }
}
