//! What COMMAND DOCS and COMMAND INFO show of a command.

use std::ffi::{CStr, CString, c_char, c_int};

use super::spec::{Access, Arg, ArgType, Behind, Container, Keys, Spec, text};
use crate::module_api::raw;

/// The tips of what must reach every primary.
const EVERY_SHARD: &CStr = c"request_policy:all_shards response_policy:all_succeeded";

/// Hands over what COMMAND DOCS shows.
pub(crate) fn document(command: *mut raw::RedisModuleCommand, spec: &'static Spec) {
    let Some(set_info) =
        // SAFETY: the table is only read after it was filled.
        (unsafe { raw::RedisModule_SetCommandInfo })
    else {
        return;
    };
    let (summary, complexity, since) = (text(spec.summary), text(spec.complexity), text(spec.since));
    let words: Vec<CString>;
    let mut key_specs = match spec.keys {
        Keys::None | Keys::EveryShard => vec![],
        Keys::At(position, access) => vec![key_spec(position, 0, access), no_key_spec()],
        Keys::AtAndBehind(position, behind, access) => {
            words = behind.iter().map(|behind| text(behind.word())).collect();
            let behind = behind.iter().zip(&words);
            let behind = behind.map(|(behind, word)| key_spec_behind(*behind, word, position, access));
            let mut specs = vec![key_spec(position, 0, access)];
            specs.extend(behind);
            specs.push(no_key_spec());
            specs
        }
        Keys::From(position, access) => vec![key_spec(position, -1, access), no_key_spec()],
    };
    let mut kept = Vec::new();
    let args = arguments(spec.args, &mut kept);
    let info = raw::RedisModuleCommandInfo {
        version: &INFO_VERSION,
        summary: summary.as_ptr(),
        complexity: complexity.as_ptr(),
        since: since.as_ptr(),
        history: std::ptr::null_mut(),
        tips: match spec.keys {
            Keys::EveryShard => EVERY_SHARD.as_ptr(),
            Keys::None | Keys::At(..) | Keys::AtAndBehind(..) | Keys::From(..) => std::ptr::null(),
        },
        arity: spec.arity,
        key_specs: if key_specs.is_empty() { std::ptr::null_mut() } else { key_specs.as_mut_ptr() },
        args,
    };
    // SAFETY: the server copies everything it is shown; `kept` holds the argument tree until then.
    unsafe { set_info(command, &info) };
}

/// What COMMAND DOCS shows of a command that only holds others.
pub(crate) fn document_container(command: *mut raw::RedisModuleCommand, container: &Container) {
    // No policy for the response: redis-py 8.1 knows none and fails at each, when all primaries
    // have answered.
    let tips =
        if container.reaches_every_shard { c"request_policy:all_shards".as_ptr() } else { std::ptr::null() };
    describe(command, container.summary, "Depends on subcommand", -2, tips);
}

/// What COMMAND DOCS shows of a HELP.
pub(crate) fn document_help(command: *mut raw::RedisModuleCommand) {
    describe(command, "Shows the subcommands and their arguments", "O(1)", 2, std::ptr::null());
}

/// For a command without keys and arguments of its own.
fn describe(
    command: *mut raw::RedisModuleCommand,
    summary: &str,
    complexity: &str,
    arity: c_int,
    tips: *const c_char,
) {
    // SAFETY: the table is only read after it was filled.
    let Some(set_info) = (unsafe { raw::RedisModule_SetCommandInfo }) else { return };
    let (summary, complexity) = (text(summary), text(complexity));
    let info = raw::RedisModuleCommandInfo {
        version: &INFO_VERSION,
        summary: summary.as_ptr(),
        complexity: complexity.as_ptr(),
        since: c"0.1.0".as_ptr(),
        history: std::ptr::null_mut(),
        tips,
        arity,
        key_specs: std::ptr::null_mut(),
        args: std::ptr::null_mut(),
    };
    // SAFETY: the server copies everything it is shown.
    unsafe { set_info(command, &info) };
}

/// The sizes of what [`document`] hands over: the header's own constant is private to C.
static INFO_VERSION: raw::RedisModuleCommandInfoVersion = raw::RedisModuleCommandInfoVersion {
    version: 1,
    sizeof_historyentry: size_of::<raw::RedisModuleCommandHistoryEntry>(),
    sizeof_keyspec: size_of::<raw::RedisModuleCommandKeySpec>(),
    sizeof_arg: size_of::<raw::RedisModuleCommandArg>(),
};

fn key_flags(access: Access) -> u64 {
    let flags = match access {
        Access::Read => raw::REDISMODULE_CMD_KEY_RO | raw::REDISMODULE_CMD_KEY_ACCESS,
        Access::Update => {
            raw::REDISMODULE_CMD_KEY_RW | raw::REDISMODULE_CMD_KEY_ACCESS | raw::REDISMODULE_CMD_KEY_UPDATE
        }
    };
    flags.into()
}

/// `last` counts from the first key; -1 is the last argument.
fn key_spec(position: u8, last: c_int, access: Access) -> raw::RedisModuleCommandKeySpec {
    let mut spec = no_key_spec();
    spec.flags = key_flags(access);
    spec.begin_search_type = raw::RedisModuleKeySpecBeginSearchType_REDISMODULE_KSPEC_BS_INDEX;
    spec.bs.index.pos = position.into();
    spec.find_keys_type = raw::RedisModuleKeySpecFindKeysType_REDISMODULE_KSPEC_FK_RANGE;
    spec.fk.range.lastkey = last;
    spec.fk.range.keystep = 1;
    spec.fk.range.limit = 0;
    spec
}

/// Keys behind `word`, anywhere after `position`.
fn key_spec_behind(
    behind: Behind,
    word: &CStr,
    position: u8,
    access: Access,
) -> raw::RedisModuleCommandKeySpec {
    let mut spec = key_spec(position, 0, access);
    if let Behind::OneOfAmbiguous(_) = behind {
        spec.flags |= u64::from(raw::REDISMODULE_CMD_KEY_INCOMPLETE);
    }
    spec.begin_search_type = raw::RedisModuleKeySpecBeginSearchType_REDISMODULE_KSPEC_BS_KEYWORD;
    spec.bs.keyword.keyword = word.as_ptr();
    spec.bs.keyword.startfrom = c_int::from(position) + 1;
    if let Behind::Counted(_) = behind {
        spec.find_keys_type = raw::RedisModuleKeySpecFindKeysType_REDISMODULE_KSPEC_FK_KEYNUM;
        spec.fk.keynum.keynumidx = 0;
        spec.fk.keynum.firstkey = 1;
        spec.fk.keynum.keystep = 1;
    }
    spec
}

/// The all-zero entry that ends a list of key specs.
fn no_key_spec() -> raw::RedisModuleCommandKeySpec {
    // SAFETY: numbers, null pointers and unions of numbers: zero is valid for each.
    unsafe { std::mem::zeroed() }
}

/// What a list of arguments in C form points to, kept until the server has copied it.
struct Kept {
    _texts: Vec<CString>,
    _list: Vec<raw::RedisModuleCommandArg>,
}

/// A zero-ended list of arguments in C form; null for an empty one.
fn arguments(args: &'static [Arg], kept: &mut Vec<Kept>) -> *mut raw::RedisModuleCommandArg {
    if args.is_empty() {
        return std::ptr::null_mut();
    }
    let mut texts = Vec::new();
    let mut list: Vec<raw::RedisModuleCommandArg> = Vec::new();
    for arg in args {
        let parts = arguments(arg.parts, kept);
        let mut keep = |value: &str| -> *const c_char {
            texts.push(text(value));
            texts[texts.len() - 1].as_ptr()
        };
        list.push(raw::RedisModuleCommandArg {
            name: keep(arg.name),
            type_: arg_type(arg.kind),
            key_spec_index: match arg.kind {
                ArgType::Key => 0,
                ArgType::FurtherKey(nth) => nth.into(),
                _ => -1,
            },
            token: arg.token.map_or(std::ptr::null(), &mut keep),
            flags: arg_flags(arg),
            subargs: parts,
            ..no_argument()
        });
    }
    list.push(no_argument());
    let start = list.as_mut_ptr();
    kept.push(Kept { _texts: texts, _list: list });
    start
}

fn arg_type(kind: ArgType) -> raw::RedisModuleCommandArgType {
    match kind {
        ArgType::Key | ArgType::FurtherKey(_) => raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_KEY,
        ArgType::Text => raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_STRING,
        ArgType::Integer => raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_INTEGER,
        ArgType::Token => raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_PURE_TOKEN,
        ArgType::OneOf => raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_ONEOF,
        ArgType::Block => raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_BLOCK,
    }
}

fn arg_flags(arg: &Arg) -> c_int {
    let mut flags = raw::REDISMODULE_CMD_ARG_NONE;
    if arg.optional {
        flags |= raw::REDISMODULE_CMD_ARG_OPTIONAL;
    }
    if arg.multiple {
        flags |= raw::REDISMODULE_CMD_ARG_MULTIPLE;
    }
    flags as c_int
}

fn no_argument() -> raw::RedisModuleCommandArg {
    // SAFETY: numbers and null pointers: zero is valid for each.
    unsafe { std::mem::zeroed() }
}
