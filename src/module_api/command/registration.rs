//! Registration of commands from one table: handler, flags, keys, ACL categories and the texts of
//! COMMAND DOCS.

use std::ffi::c_int;

use super::acl_categories::{categorise, set_categories};
use super::documentation::{document, document_container, document_help};
use super::entry::entry;
use super::help;
use super::help::Help;
use super::spec::{CHECKS_PREFIXES, Container, INTERNAL, Keys, Spec, text};
use crate::module_api::context::Ctx;
use crate::module_api::{api, raw};

/// Registers one command; false when the server refuses, because another module has it or by its
/// rules.
///
/// `containers` are those of all subcommands.
pub fn register(
    ctx: Ctx<'_>,
    category: Option<&str>,
    containers: &'static [Container],
    spec: &'static Spec,
) -> bool {
    let found = containers.iter().find(|container| spec.is_held_by(container));
    if let Some(container) = found
        && !create_container(ctx, category, container)
    {
        return false;
    }
    // Of the words that are no flags everywhere, a server that knows none of them refuses the
    // command.
    let with_internal = spec.has_flag(INTERNAL) && create(ctx, spec, &[CHECKS_PREFIXES]);
    if !with_internal && !create(ctx, spec, &[CHECKS_PREFIXES, INTERNAL]) {
        return false;
    }
    let command = command_named(ctx, &spec.name.to_ascii_lowercase());
    document(command, spec);
    help::remember(spec);
    categorise(command, category, spec);
    true
}

fn create(ctx: Ctx<'_>, spec: &'static Spec, left_out: &[&str]) -> bool {
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
            let (container, own_name) = (command_named(ctx, container), text(own_name));
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

/// The command that only holds subcommands, and its HELP; false when the server refuses one of
/// them.
fn create_container(ctx: Ctx<'_>, category: Option<&str>, container: &'static Container) -> bool {
    let lower = container.name.to_ascii_lowercase();
    if !command_named(ctx, &lower).is_null() {
        return true;
    }
    let name = text(&lower);
    // SAFETY: the server copies the texts.
    unsafe { api!(RedisModule_CreateCommand)(ctx.raw(), name.as_ptr(), None, c"".as_ptr(), 0, 0, 0) };
    let made = command_named(ctx, &lower);
    if made.is_null() {
        return false;
    }
    let (entry, flags) = (Some(entry::<Help>()), c"fast");
    // SAFETY: the container is registered; the server copies the texts.
    let status =
        unsafe { api!(RedisModule_CreateSubcommand)(made, c"help".as_ptr(), entry, flags.as_ptr(), 0, 0, 0) };
    let help = command_named(ctx, &format!("{lower}|help"));
    if status != raw::REDISMODULE_OK as c_int || help.is_null() {
        return false;
    }
    document_container(made, container);
    document_help(help);
    if let Some(category) = category {
        set_categories(made, category);
        set_categories(help, &format!("{category} fast"));
    }
    true
}

/// A command of the module by its name in lower case; null where there is none.
fn command_named(ctx: Ctx<'_>, name: &str) -> *mut raw::RedisModuleCommand {
    let name = text(name);
    // SAFETY: looks the name up.
    unsafe { api!(RedisModule_GetCommand)(ctx.raw(), name.as_ptr()) }
}
