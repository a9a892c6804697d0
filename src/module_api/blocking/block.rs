//! Blocks the client of a call.

use std::cell::{Cell, RefCell};
use std::ffi::c_int;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::waiter::{CannotBlock, KeyName, Request, State, WaitFor, Waiter};
use super::{callbacks, dispatch, registry};
use crate::module_api::api;
use crate::module_api::context::Ctx;
use crate::module_api::server_string::ServerStr;

/// The server ends a wait by its clock. One that it has not ended this much later, as the clock was
/// set back, the module ends by a clock that nobody sets.
const SLACK: Duration = Duration::from_secs(1);

/// A bound for sums of times, beyond every wait that a client may ask for.
const LONGEST_WAIT_MS: u64 = 1 << 48;

/// Blocks the client of this call for up to `timeout_ms` and puts it at the end of the list of each
/// of the keys, which are different ones. With each comes the time at which to check it again
/// without a command.
///
/// An error means that the client must be answered at once: inside MULTI and scripts, on a replica,
/// or when too many wait already.
pub fn block(
    ctx: Ctx<'_>,
    keys: &[(ServerStr<'_>, Option<u64>)],
    wait_for: WaitFor,
    timeout_ms: u64,
    request: Box<dyn Request>,
) -> Result<(), CannotBlock> {
    let db = ctx.db();
    let names: Box<[KeyName]> = keys.iter().map(|(key, _)| key.bytes().into()).collect();
    if names.is_empty() || ctx.must_not_block() || !ctx.is_primary() || registry::is_full(db, &names) {
        return Err(CannotBlock);
    }
    let waiter = Rc::new(Waiter {
        number: registry::next_number(),
        db,
        rounds: names.iter().map(|_| Cell::new(0)).collect(),
        keys: names,
        wait_for,
        client: ctx.client_id(),
        handle: Cell::new(std::ptr::null_mut()),
        request,
        state: RefCell::new(State::Waiting),
        ends: Instant::now() + Duration::from_millis(timeout_ms.min(LONGEST_WAIT_MS)) + SLACK,
        disconnected: Cell::new(false),
        freed: Cell::new(false),
        standing: Cell::new(0),
    });
    let data = Rc::into_raw(Rc::clone(&waiter)).cast_mut();
    let mut names: Vec<_> = keys.iter().map(|(key, _)| key.raw()).collect();
    // SAFETY: the context is alive, so are the names, and `data` is a counted reference that the
    // free callback takes back.
    let handle = unsafe {
        let handle = api!(RedisModule_BlockClientOnKeys)(
            ctx.raw(),
            Some(callbacks::reply),
            Some(callbacks::timeout),
            Some(callbacks::free),
            i64::try_from(timeout_ms).unwrap_or(i64::MAX),
            names.as_mut_ptr(),
            names.len() as c_int,
            data.cast(),
        );
        api!(RedisModule_SetDisconnectCallback)(handle, Some(callbacks::disconnect));
        handle
    };
    waiter.handle.set(handle);
    let untils: Vec<_> = keys.iter().map(|(_, until)| *until).collect();
    registry::join(&waiter, &untils);
    dispatch::rearm(ctx, false);
    Ok(())
}
