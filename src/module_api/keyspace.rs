//! Walking over all keys, for what looks at everything (WORKGATE.DIGEST); following values to new
//! names; keyspace events.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};

use super::context::{Ctx, valkey_version};
use super::data_type::DataType;
use super::key::Key;
use super::panic_guard::catch_panic_or;
use super::server_string::ServerStr;
use crate::module_api::{api, raw};

type Visit<'v> = dyn FnMut(Ctx<'_>, ServerStr<'_>) + 'v;

/// Calls `visit` with every key of every database. The call's database is selected again after it.
pub fn every_key(ctx: Ctx<'_>, visit: &mut dyn FnMut(Ctx<'_>, i32, ServerStr<'_>)) {
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
    let mut cursor = Cursor::new();
    while cursor.step(ctx, visit) {}
}

struct Cursor(*mut raw::RedisModuleScanCursor);

impl Cursor {
    fn new() -> Self {
        // SAFETY: takes nothing; the cursor is ours until it is destroyed.
        Cursor(unsafe { api!(RedisModule_ScanCursorCreate)() })
    }

    /// Visits a few keys of the selected database. Returns whether there are more.
    fn step(&mut self, ctx: Ctx<'_>, visit: &mut Visit<'_>) -> bool {
        let mut visit = visit;
        let data: *mut &mut Visit<'_> = &raw mut visit;
        // SAFETY: the cursor is alive; `data` outlives the call, and `seen` uses it only during the
        // call.
        unsafe { api!(RedisModule_Scan)(ctx.raw(), self.0, Some(seen), data.cast()) != 0 }
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        // SAFETY: made by `new` and destroyed once.
        unsafe { api!(RedisModule_ScanCursorDestroy)(self.0) };
    }
}

/// A walk over all keys of all databases, in steps between which the server does other things. It
/// visits each key that stays where it is.
pub struct Walk {
    db: i32,
    cursor: Cursor,
}

impl Walk {
    #[allow(clippy::new_without_default)] // a walk begins when it is made
    pub fn new() -> Self {
        Walk { db: 0, cursor: Cursor::new() }
    }

    /// Calls `visit` with a few keys. Returns whether there are more. Another database may be
    /// selected after it.
    pub fn step(&mut self, ctx: Ctx<'_>, visit: &mut dyn FnMut(Ctx<'_>, i32, ServerStr<'_>)) -> bool {
        let db = self.db;
        if !ctx.select(db) {
            return false;
        }
        if !self.cursor.step(ctx, &mut |ctx, name| visit(ctx, db, name)) {
            (self.db, self.cursor) = (db + 1, Cursor::new());
        }
        true
    }
}

extern "C" fn seen(
    ctx: *mut raw::RedisModuleCtx,
    name: *mut raw::RedisModuleString,
    _key: *mut raw::RedisModuleKey,
    data: *mut c_void,
) {
    catch_panic_or((), || {
        // SAFETY: `scan` passed this, and context and name are alive for the call.
        unsafe {
            let visit = &mut *data.cast::<&mut Visit<'_>>();
            visit(Ctx::new(ctx), ServerStr::new(name));
        }
    });
}

/// Whether [`follow`] would do harm: on Valkey 8.1 a module that listens leaves clients that MOVE
/// or COPY to another database there (valkey-io/valkey PR 4024).
pub fn following_moves_clients() -> bool {
    valkey_version() == Some((8, 1))
}

/// From now on values of this type are told ([`DataType::on_key_added`]) when a RENAME or MOVE has
/// brought them to another key. It costs every DEL and EXPIRE of any key a call, so it is asked for
/// when there is such a value.
pub fn follow<T: DataType>() -> bool {
    let generic = raw::REDISMODULE_NOTIFY_GENERIC as c_int;
    // SAFETY: the context is kept for the life of the process; `arrived` matches the callback's
    // type.
    let status = unsafe {
        api!(RedisModule_SubscribeToKeyspaceEvents)(Ctx::detached().raw(), generic, Some(arrived::<T>))
    };
    status == raw::REDISMODULE_OK as c_int
}

extern "C" fn arrived<T: DataType>(
    ctx: *mut raw::RedisModuleCtx,
    _kind: c_int,
    event: *const c_char,
    name: *mut raw::RedisModuleString,
) -> c_int {
    // SAFETY: the server passes a text that ends with NUL.
    let event = unsafe { CStr::from_ptr(event) };
    if event == c"rename_to" || event == c"move_to" {
        catch_panic_or((), || {
            // SAFETY: context and name are alive for the call.
            let (ctx, name) = unsafe { (Ctx::new(ctx), ServerStr::new(name)) };
            if let Ok(Some(value)) = Key::open_no_expire(ctx, name).value::<T>() {
                value.on_key_added(ctx.db(), name.bytes());
            }
        });
    }
    raw::REDISMODULE_OK as c_int
}

/// Whether the server's setting asks for events of modules (`notify-keyspace-events` with `d`).
static MODULE_EVENTS: AtomicBool = AtomicBool::new(false);

/// Reads the setting: after the module was loaded and whenever one has changed.
pub fn read_settings() {
    // SAFETY: takes nothing and only reads.
    let classes = unsafe { api!(RedisModule_GetNotifyKeyspaceEvents)() };
    MODULE_EVENTS.store(classes & raw::REDISMODULE_NOTIFY_MODULE != 0, Ordering::Relaxed);
}

/// Whether anybody may hear of [`EventClass::Module`].
#[inline]
pub fn wants_module_events() -> bool {
    MODULE_EVENTS.load(Ordering::Relaxed)
}

/// A class of keyspace events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventClass {
    /// What commands of any type do, such as `del`.
    Generic,
    Module,
}

/// Tells those who follow keyspace events what has happened to a key of the selected database.
pub fn notify(ctx: Ctx<'_>, class: EventClass, event: &CStr, key: ServerStr<'_>) {
    let class = match class {
        EventClass::Generic => raw::REDISMODULE_NOTIFY_GENERIC,
        EventClass::Module => raw::REDISMODULE_NOTIFY_MODULE,
    };
    // SAFETY: context, event and key are alive for the call.
    unsafe { api!(RedisModule_NotifyKeyspaceEvent)(ctx.raw(), class, event.as_ptr(), key.raw()) };
}
