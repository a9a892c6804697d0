//! The way from the server's C call into a command.

use std::ffi::c_int;
use std::fmt::Display;

use crate::module_api::args::Args;
use crate::module_api::context::{Ctx, Level};
use crate::module_api::own_files;
use crate::module_api::panic_guard::{catch_panic, catch_panic_or};
use crate::module_api::reply::Reply;
use crate::module_api::{api, raw};

/// One call of a command.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub ctx: Ctx<'a>,
    pub args: Args<'a>,
    pub reply: Reply<'a>,
}

/// What the server runs for a command. It either has replied in full or returns the error to reply
/// with.
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

/// A command whose keys have no fixed positions. Key specs tell so to clients and, from 7.2 on, to
/// the server; 7.0 asks the handler itself when it looks for the slot.
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
                own_files::refuse_damaged_command(ctx, args, &refusal);
                reply.error(&refusal.to_string());
            }
        },
        |cause| {
            ctx.log(Level::Warning, &format!("workgate: a command panicked: {cause}"));
            own_files::refuse_damaged_command(ctx, args, &cause);
            if Reply::has_begun() {
                // A second reply, or half of one, would be taken for the answer to the next
                // command.
                ctx.hang_up();
            } else {
                reply.error(&format!("ERR internal error in workgate, please report it: {cause}"));
            }
        },
    );
    raw::REDISMODULE_OK as c_int
}
