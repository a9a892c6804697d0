//! Walking over all keys, for what looks at everything (WORKGATE.DIGEST).

use std::ffi::c_void;

use super::ctx::Ctx;
use super::guard::quietly;
use super::name::Name;
use super::{api, raw};

type Visit<'v> = dyn FnMut(Ctx<'_>, Name<'_>) + 'v;

/// Calls `visit` with every key of every database. The call's database is selected again after it.
pub fn every_key(ctx: Ctx<'_>, visit: &mut dyn FnMut(Ctx<'_>, i32, Name<'_>)) {
    let home = ctx.db();
    for db in 0.. {
        if !ctx.select(db) {
            break;
        }
        scan(ctx, &mut |ctx, name| visit(ctx, db, name));
    }
    ctx.select(home);
}

fn scan(ctx: Ctx<'_>, visit: &mut Visit<'_>) {
    let mut visit = visit;
    let data: *mut &mut Visit<'_> = &raw mut visit;
    // SAFETY: the cursor is ours until it is destroyed; `data` outlives the loop, and `seen` uses it
    // only during the calls.
    unsafe {
        let cursor = api!(RedisModule_ScanCursorCreate)();
        while api!(RedisModule_Scan)(ctx.raw(), cursor, Some(seen), data.cast()) != 0 {}
        api!(RedisModule_ScanCursorDestroy)(cursor);
    }
}

extern "C" fn seen(
    ctx: *mut raw::RedisModuleCtx,
    name: *mut raw::RedisModuleString,
    _key: *mut raw::RedisModuleKey,
    data: *mut c_void,
) {
    quietly((), || {
        // SAFETY: `scan` passed this, and context and name are alive for the call.
        unsafe {
            let visit = &mut *data.cast::<&mut Visit<'_>>();
            visit(Ctx::new(ctx), Name::new(name));
        }
    });
}
