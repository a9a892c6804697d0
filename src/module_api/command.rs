//! Registration of commands from one table: handler, flags, keys, ACL category and the texts of
//! COMMAND DOCS.

use std::ffi::{CStr, CString, c_char, c_int};
use std::fmt::Display;

use super::args::Args;
use super::context::{Ctx, Level};
use super::panic_guard::{catch_panic, catch_panic_or};
use super::reply::Reply;
use crate::module_api::{api, raw};

/// One call of a command.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub ctx: Ctx<'a>,
    pub args: Args<'a>,
    pub reply: Reply<'a>,
}

/// What the server runs for a command. It either has replied in full or returns the error to reply with.
pub trait Program {
    type Refusal: Display;

    fn run(call: Call<'_>) -> Result<(), Self::Refusal>;
}

/// The function that the server calls; made by [`entry`].
pub type Entry =
    unsafe extern "C" fn(*mut raw::RedisModuleCtx, *mut *mut raw::RedisModuleString, c_int) -> c_int;

/// The entry from C of a program.
pub const fn entry<P: Program>() -> Entry {
    enter::<P>
}

/// A command whose keys have no fixed positions. Key specs tell so to clients and, from 7.2 on, to the
/// server; 7.0 asks the handler itself when it looks for the slot.
pub trait FindsKeys {
    /// Hands over the position of each key; of a malformed call those that can be told.
    fn find_keys(args: Args<'_>, found: &mut dyn FnMut(usize));
}

/// Like [`entry`], but for a command with the flag `getkeys-api`.
pub const fn entry_finding_keys<P: Program, K: FindsKeys>() -> Entry {
    find_keys_or_enter::<P, K>
}

unsafe extern "C" fn find_keys_or_enter<P: Program, K: FindsKeys>(
    ctx: *mut raw::RedisModuleCtx,
    argv: *mut *mut raw::RedisModuleString,
    argc: c_int,
) -> c_int {
    // SAFETY: the context is alive for this call.
    if unsafe { api!(RedisModule_IsKeysPositionRequest)(ctx) } == 0 {
        // SAFETY: as the server called this one.
        return unsafe { enter::<P>(ctx, argv, argc) };
    }
    catch_panic_or((), || {
        // SAFETY: the server keeps context and arguments alive for this call.
        let args = unsafe { Args::new(argv, argc) };
        // SAFETY: the server asked for positions, each of which is one of an argument.
        K::find_keys(args, &mut |position| unsafe { api!(RedisModule_KeyAtPos)(ctx, position as c_int) });
    });
    raw::REDISMODULE_OK as c_int
}

unsafe extern "C" fn enter<P: Program>(
    ctx: *mut raw::RedisModuleCtx,
    argv: *mut *mut raw::RedisModuleString,
    argc: c_int,
) -> c_int {
    // SAFETY: the server keeps context and arguments alive for this call.
    let (ctx, args) = unsafe { (Ctx::new(ctx), Args::new(argv, argc)) };
    let reply = Reply::to(ctx);
    Reply::begin();
    catch_panic(
        || {
            if let Err(refusal) = P::run(Call { ctx, args, reply }) {
                reply.error(&refusal.to_string());
            }
        },
        |cause| {
            ctx.log(Level::Warning, &format!("workgate: a command panicked: {cause}"));
            if Reply::has_begun() {
                // A second reply, or half of one, would be taken for the answer to the next command.
                ctx.hang_up();
            } else {
                reply.error(&format!("ERR internal error in workgate, please report it: {cause}"));
            }
        },
    );
    raw::REDISMODULE_OK as c_int
}

/// What a command does with its keys, for ACLs and clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads the value.
    Read,
    /// Reads and changes it; may create or delete it.
    Update,
}

/// The positions of a command's keys. Positions count from 1, the command's name being 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    None,
    /// None, and it changes what every primary of a cluster holds on its own: a client that heeds the
    /// tips sends it to all of them.
    EveryShard,
    /// One key at this position.
    At(u8, Access),
    /// One key at this position, and those that follow a keyword and their number: `ALSO n key …`.
    AtAndBehind(u8, &'static str, Access),
    /// All arguments from this position on.
    From(u8, Access),
}

/// The type of an argument in COMMAND DOCS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgType {
    Key,
    /// One of those that [`Keys::AtAndBehind`] finds behind the word.
    FurtherKey,
    Text,
    Integer,
    /// A keyword without a value.
    Token,
    /// Exactly one of the sub-arguments.
    OneOf,
    /// All sub-arguments, one after the other.
    Block,
}

/// One argument, as COMMAND DOCS shows it.
#[derive(Debug, Clone, Copy)]
pub struct Arg {
    pub name: &'static str,
    pub kind: ArgType,
    /// The word before the value, such as `TTL`.
    pub token: Option<&'static str>,
    pub optional: bool,
    pub multiple: bool,
    pub parts: &'static [Arg],
}

/// One row of the command table.
pub struct Spec {
    /// Upper case, as the docs show it; a subcommand's follows its container's: `FAMILY.CONFIG|SET`.
    pub name: &'static str,
    /// The server's flag words.
    pub flags: &'static str,
    /// As Redis counts: with the name, negative when more may follow.
    pub arity: i32,
    pub keys: Keys,
    pub summary: &'static str,
    pub complexity: &'static str,
    pub since: &'static str,
    pub args: &'static [Arg],
    pub entry: Entry,
}

/// Registers one command; false when the server refuses, because another module has it or by its rules.
pub fn register(ctx: Ctx<'_>, category: Option<&str>, spec: &'static Spec) -> bool {
    let full_name = spec.name.to_ascii_lowercase();
    let name = text(&full_name);
    let flags = text(spec.flags);
    let (first, last) = match spec.keys {
        Keys::None | Keys::EveryShard => (0, 0),
        Keys::At(position, _) | Keys::AtAndBehind(position, ..) => {
            (c_int::from(position), c_int::from(position))
        }
        Keys::From(position, _) => (c_int::from(position), -1),
    };
    let step = c_int::from(first != 0);
    let created = match full_name.split_once('|') {
        // SAFETY: the server copies the texts.
        None => unsafe {
            api!(RedisModule_CreateCommand)(
                ctx.raw(),
                name.as_ptr(),
                Some(spec.entry),
                flags.as_ptr(),
                first,
                last,
                step,
            )
        },
        Some((container, own_name)) => {
            let (container, own_name) = (container_of_subcommands(ctx, category, container), text(own_name));
            if container.is_null() {
                raw::REDISMODULE_ERR as c_int
            } else {
                // SAFETY: the container is registered; the server copies the texts.
                unsafe {
                    api!(RedisModule_CreateSubcommand)(
                        container,
                        own_name.as_ptr(),
                        Some(spec.entry),
                        flags.as_ptr(),
                        first,
                        last,
                        step,
                    )
                }
            }
        }
    };
    if created != raw::REDISMODULE_OK as c_int {
        return false;
    }
    // SAFETY: the name is the one just registered.
    let command = unsafe { api!(RedisModule_GetCommand)(ctx.raw(), name.as_ptr()) };
    document(command, spec);
    categorise(command, category, spec.flags);
    true
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
        if let (false, Some(set), Some(category)) =
            (made.is_null(), raw::RedisModule_SetCommandACLCategories, category)
        {
            set(made, text(category).as_ptr());
        }
        made
    }
}

/// Adds an ACL category of our own where the server can (Redis 7.4, Valkey 8); tells whether it did.
pub fn add_category(ctx: Ctx<'_>, name: &CStr) -> bool {
    // SAFETY: the table is only read after it was filled; the server copies the name.
    unsafe {
        raw::RedisModule_AddACLCategory
            .is_some_and(|add| add(ctx.raw(), name.as_ptr()) == raw::REDISMODULE_OK as c_int)
    }
}

/// Puts the command into the ACL categories that one of the server's own with these flags is in:
/// servers that let modules choose (Redis 7.4, Valkey 8) put it into none by themselves.
fn categorise(command: *mut raw::RedisModuleCommand, own: Option<&str>, flags: &str) {
    // SAFETY: the table is only read after it was filled.
    let Some(set) = (unsafe { raw::RedisModule_SetCommandACLCategories }) else { return };
    let has = |flag| flags.split(' ').any(|word| word == flag);
    let categories: Vec<&str> = own
        .into_iter()
        .chain([if has("readonly") { "read" } else { "write" }])
        .chain([if has("fast") { "fast" } else { "slow" }])
        .chain(has("blocking").then_some("blocking"))
        .chain(has("admin").then_some("admin dangerous"))
        .collect();
    let categories = text(&categories.join(" "));
    // SAFETY: the command is registered; the server copies the names. A refusal leaves the command
    // in the categories that its flags give it.
    unsafe { set(command, categories.as_ptr()) };
}

/// Hands over what COMMAND DOCS shows.
fn document(command: *mut raw::RedisModuleCommand, spec: &'static Spec) {
    let Some(set_info) =
        // SAFETY: the table is only read after it was filled.
        (unsafe { raw::RedisModule_SetCommandInfo })
    else {
        return;
    };
    let (summary, complexity, since) = (text(spec.summary), text(spec.complexity), text(spec.since));
    let behind_word;
    let mut key_specs = match spec.keys {
        Keys::None | Keys::EveryShard => vec![],
        Keys::At(position, access) => vec![key_spec(position, 0, access), no_key_spec()],
        Keys::AtAndBehind(position, word, access) => {
            behind_word = text(word);
            let behind = key_spec_behind(&behind_word, position, access);
            vec![key_spec(position, 0, access), behind, no_key_spec()]
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
            Keys::EveryShard => c"request_policy:all_shards response_policy:all_succeeded".as_ptr(),
            Keys::None | Keys::At(..) | Keys::AtAndBehind(..) | Keys::From(..) => std::ptr::null(),
        },
        arity: spec.arity,
        key_specs: if key_specs.is_empty() { std::ptr::null_mut() } else { key_specs.as_mut_ptr() },
        args,
    };
    // SAFETY: the server copies everything it is shown; `kept` holds the argument tree until then.
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

/// Keys behind `word` and their number, anywhere after `position`.
fn key_spec_behind(word: &CStr, position: u8, access: Access) -> raw::RedisModuleCommandKeySpec {
    let mut spec = no_key_spec();
    spec.flags = key_flags(access);
    spec.begin_search_type = raw::RedisModuleKeySpecBeginSearchType_REDISMODULE_KSPEC_BS_KEYWORD;
    spec.bs.keyword.keyword = word.as_ptr();
    spec.bs.keyword.startfrom = c_int::from(position) + 1;
    spec.find_keys_type = raw::RedisModuleKeySpecFindKeysType_REDISMODULE_KSPEC_FK_KEYNUM;
    spec.fk.keynum.keynumidx = 0;
    spec.fk.keynum.firstkey = 1;
    spec.fk.keynum.keystep = 1;
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
                ArgType::FurtherKey => 1,
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
        ArgType::Key | ArgType::FurtherKey => raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_KEY,
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

/// The table holds no NUL bytes.
fn text(value: &str) -> CString {
    CString::new(value).expect("texts of the command table hold no NUL")
}
