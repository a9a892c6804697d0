//! What the server calls for a blocked client.

use std::ffi::{c_int, c_void};
use std::rc::Rc;

use super::dispatch::{client_is_there, key_ready, rearm};
use super::registry;
use super::waiter::{State, Waiter};
use crate::module_api::context::Ctx;
use crate::module_api::panic_guard::catch_panic_or;
use crate::module_api::reply::Reply;
use crate::module_api::server_string::{ServerStr, ServerString};
use crate::module_api::{api, raw};

const OK: c_int = raw::REDISMODULE_OK as c_int;
const ERR: c_int = raw::REDISMODULE_ERR as c_int;

/// # Safety
/// `ctx` must be the context of a callback for a client blocked by
/// [`block()`](crate::module_api::blocking::block()).
unsafe fn waiter_of<'a>(ctx: *mut raw::RedisModuleCtx) -> &'a Waiter {
    // SAFETY: the private data is the counted reference that `block` gave, alive until `free`.
    unsafe { &*api!(RedisModule_GetBlockedClientPrivateData)(ctx).cast::<Waiter>() }
}

/// A key was created, renamed to, swapped in or signalled: its lists are looked at, in the order of
/// blocking, so this one never answers. The server calls it for each waiter of the key: to look at
/// all its lists every time would take the square of their number.
pub(crate) unsafe extern "C" fn reply(
    ctx: *mut raw::RedisModuleCtx,
    _: *mut *mut raw::RedisModuleString,
    _: c_int,
) -> c_int {
    catch_panic_or((), || {
        // SAFETY: called by the server for one of our blocked clients; the name, where it gives
        // one, is alive for the call.
        let (waiter, ready) = unsafe {
            let key = api!(RedisModule_GetBlockedClientReadyKey)(ctx);
            (waiter_of(ctx), (!key.is_null()).then(|| ServerStr::new(key)))
        };
        for (at, key) in waiter.keys.iter().enumerate() {
            if ready.is_none_or(|ready| ready.bytes() == &key[..]) && registry::begins_round(waiter, at) {
                key_ready(waiter.db, key);
            }
        }
    });
    ERR
}

/// The time is up, or `UnblockClient` delivers. Only here is a waiter marked as delivered.
pub(crate) unsafe extern "C" fn timeout(
    ctx: *mut raw::RedisModuleCtx,
    _: *mut *mut raw::RedisModuleString,
    _: c_int,
) -> c_int {
    catch_panic_or((), || {
        // SAFETY: called by the server for one of our blocked clients, with a live context.
        let (waiter, ctx) = unsafe { (waiter_of(ctx), Ctx::new(ctx)) };
        let reply = Reply::to(ctx);
        let before = std::mem::replace(&mut *waiter.state.borrow_mut(), State::Delivered(None));
        match before {
            State::Waiting => {
                registry::leave(waiter);
                rearm(Ctx::detached(), false);
                let first = ServerString::new(&waiter.keys[0]);
                waiter.request.on_timeout(ctx, first.borrow(), reply);
            }
            State::Handed(handed) => {
                handed.delivery.send(ServerString::new(&handed.key).borrow(), reply);
                *waiter.state.borrow_mut() = State::Delivered(Some(handed));
            }
            State::Delivered(_) | State::Left => *waiter.state.borrow_mut() = before,
        }
    });
    OK
}

/// The client is killed, closes, is unblocked with an error or redirected. Not called for timeouts.
pub(crate) unsafe extern "C" fn disconnect(
    ctx: *mut raw::RedisModuleCtx,
    _: *mut raw::RedisModuleBlockedClient,
) {
    catch_panic_or((), || {
        // SAFETY: called by the server for one of our blocked clients.
        let waiter = unsafe { waiter_of(ctx) };
        waiter.disconnected.set(true);
        if waiter.waits() {
            *waiter.state.borrow_mut() = State::Left;
            registry::leave(waiter);
            rearm(Ctx::detached(), false);
        }
    });
}

/// The server is done with the client. What it was handed is put back unless it has surely gone
/// out: a reply that was written to a client that has since vanished has not.
pub(crate) unsafe extern "C" fn free(ctx: *mut raw::RedisModuleCtx, data: *mut c_void) {
    catch_panic_or((), || {
        // SAFETY: the counted reference that `block` gave, taken back once.
        let waiter = unsafe { Rc::from_raw(data.cast::<Waiter>().cast_const()) };
        // SAFETY: the server keeps the context alive for the call.
        let ctx = unsafe { Ctx::new(ctx) };
        waiter.freed.set(true);
        let before = std::mem::replace(&mut *waiter.state.borrow_mut(), State::Left);
        let unused = match before {
            State::Waiting => {
                registry::leave(&waiter);
                None
            }
            State::Handed(handed) => Some(handed),
            State::Delivered(handed) => {
                handed.filter(|_| waiter.disconnected.get() && !client_is_there(waiter.client))
            }
            State::Left => None,
        };
        registry::forget(&waiter, unused);
        rearm(ctx, false);
    });
}
