//! The server as one call sees it.

use std::ffi::{CStr, CString, c_int};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use crate::module_api::{api, raw};

/// A context of the module's own, for what is called without one. Made once, while loading.
static DETACHED: AtomicPtr<raw::RedisModuleCtx> = AtomicPtr::new(std::ptr::null_mut());

/// Whether this server was a primary outside of a cluster that was not loading when it was last
/// asked. [`role_may_change`] clears it. Asking the server takes 131 instructions a command.
static IS_PLAIN_PRIMARY: AtomicBool = AtomicBool::new(false);

/// The server is about to load, or its role has changed.
pub(crate) fn role_may_change() {
    IS_PLAIN_PRIMARY.store(false, Ordering::Relaxed);
}

/// How far the clock was moved, which tests do.
#[cfg(feature = "test-commands")]
pub static CLOCK_AHEAD_MS: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(0);

/// Whether the commands of clients are taken for those of a primary that hands over a slot.
#[cfg(feature = "test-commands")]
pub static IMPORTS: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// Borrowed for the length of one call from the server.
#[derive(Clone, Copy)]
pub struct Ctx<'a> {
    raw: *mut raw::RedisModuleCtx,
    call: PhantomData<&'a ()>,
}

/// Where a command comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A client of a primary.
    Client,
    /// A client of a primary that is part of a cluster: another one may import the key's slot, and
    /// gets the commands that name its keys alone.
    ClientOfCluster,
    /// A client of a replica that lets clients write: what it writes is no part of the primary's
    /// history.
    ClientOfReplica,
    /// The primary's link or the append-only file: what a primary has decided.
    ReplicationOrAof,
    /// Another primary that hands over a slot to this one.
    Import,
}

/// How urgent a line in the server's log is.
#[derive(Clone, Copy)]
pub enum Level {
    Notice,
    Warning,
}

impl<'a> Ctx<'a> {
    /// # Safety
    /// `raw` must be a context that the server keeps alive for `'a`.
    pub(crate) unsafe fn new(raw: *mut raw::RedisModuleCtx) -> Self {
        Ctx { raw, call: PhantomData }
    }

    /// The context of the module's own loading.
    pub fn of_load(context: &'a redis_module::Context) -> Self {
        Ctx { raw: context.ctx, call: PhantomData }
    }

    /// For callbacks that get no context: answers only what the server says without one.
    pub(crate) fn no_context() -> Self {
        Ctx { raw: std::ptr::null_mut(), call: PhantomData }
    }

    /// A context that belongs to no call: good for arming timers.
    pub fn detached() -> Self {
        Ctx { raw: DETACHED.load(Ordering::Relaxed), call: PhantomData }
    }

    /// Makes the context of [`Ctx::detached`]; called once, while loading.
    pub fn init_detached(self) {
        // SAFETY: the context is alive; the new one is kept for the life of the process.
        let home = unsafe { api!(RedisModule_GetDetachedThreadSafeContext)(self.raw) };
        DETACHED.store(home, Ordering::Relaxed);
    }

    /// The server's version as `0x00MMmmpp`; of a Valkey, that of the Redis whose module API it
    /// offers. `None` where the server is too old to say.
    pub fn server_version(self) -> Option<u32> {
        // SAFETY: the table is only read after it was filled.
        let version = unsafe { raw::RedisModule_GetServerVersion }?;
        // SAFETY: takes nothing and only reads.
        Some(unsafe { version() } as u32)
    }

    /// Sets what the module promises to the server: it checks for I/O errors while loading (without
    /// which a damaged RESTORE ends the server) and signals changes of keys itself.
    ///
    /// On Valkey 9 and newer also that its values may move with their slot as a whole (CLUSTER
    /// MIGRATESLOTS).
    pub fn set_module_options(self) {
        // Of Valkey's header alone.
        const HANDLE_ATOMIC_SLOT_MIGRATION: u32 = 1 << 5;
        let mut options =
            raw::REDISMODULE_OPTIONS_HANDLE_IO_ERRORS | raw::REDISMODULE_OPTION_NO_IMPLICIT_SIGNAL_MODIFIED;
        if valkey_version().is_some_and(|(major, _)| major >= 9) {
            options |= HANDLE_ATOMIC_SLOT_MIGRATION;
            MOVES_SLOTS_AS_A_WHOLE.store(true, Ordering::Relaxed);
        }
        // SAFETY: the context is alive.
        unsafe { api!(RedisModule_SetModuleOptions)(self.raw, options as c_int) };
    }

    pub(crate) fn raw(self) -> *mut raw::RedisModuleCtx {
        self.raw
    }

    pub(crate) fn flags(self) -> u32 {
        // SAFETY: the context is alive for 'a, or null, which is allowed here.
        unsafe { api!(RedisModule_GetContextFlags)(self.raw) as u32 }
    }

    /// Milliseconds since the Unix epoch by the server's clock; the cached one where the server
    /// has it, so that all commands of one transaction see the same time.
    pub fn now_ms(self) -> u64 {
        // SAFETY: the table is only read after it was filled.
        let now = match unsafe { raw::RedisModule_CachedMicroseconds } {
            // SAFETY: takes nothing and only reads.
            Some(cached) => (unsafe { cached() } as u64) / 1000,
            // SAFETY: takes nothing and only reads.
            None => unsafe { api!(RedisModule_Milliseconds)() as u64 },
        };
        #[cfg(feature = "test-commands")]
        let now = now.saturating_add_signed(CLOCK_AHEAD_MS.load(Ordering::Relaxed));
        now
    }

    /// Whether a client of this call must be answered at once (MULTI, scripts).
    pub fn must_not_block(self) -> bool {
        self.flags() & raw::REDISMODULE_CTX_FLAGS_DENY_BLOCKING != 0
    }

    /// Whether this call comes from the primary's link or from loading the AOF.
    pub fn is_replay(self) -> bool {
        self.flags() & (raw::REDISMODULE_CTX_FLAGS_REPLICATED | raw::REDISMODULE_CTX_FLAGS_LOADING) != 0
    }

    /// Where this call comes from, asked once for all that a hot command needs to know of it.
    #[inline]
    pub fn origin(self) -> Origin {
        #[cfg(feature = "test-commands")]
        if IMPORTS.load(Ordering::Relaxed) {
            role_may_change();
        }
        if IS_PLAIN_PRIMARY.load(Ordering::Relaxed) {
            return Origin::Client;
        }
        let origin = self.ask_origin();
        IS_PLAIN_PRIMARY.store(origin == Origin::Client, Ordering::Relaxed);
        origin
    }

    fn ask_origin(self) -> Origin {
        let flags = self.flags();
        let has = |flag| flags & flag != 0;
        let primary = has(raw::REDISMODULE_CTX_FLAGS_MASTER);
        #[cfg(feature = "test-commands")]
        if primary && IMPORTS.load(Ordering::Relaxed) {
            return Origin::Import;
        }
        if has(raw::REDISMODULE_CTX_FLAGS_LOADING) || has(raw::REDISMODULE_CTX_FLAGS_REPLICATED) && !primary {
            Origin::ReplicationOrAof
        } else if has(raw::REDISMODULE_CTX_FLAGS_REPLICATED) {
            Origin::Import
        } else if primary && has(raw::REDISMODULE_CTX_FLAGS_CLUSTER) {
            Origin::ClientOfCluster
        } else if primary {
            Origin::Client
        } else {
            Origin::ClientOfReplica
        }
    }

    /// Whether a script or a function calls.
    pub fn is_script(self) -> bool {
        self.flags() & raw::REDISMODULE_CTX_FLAGS_LUA != 0
    }

    /// Whether the client of this call speaks RESP3.
    pub fn is_resp3(self) -> bool {
        self.flags() & raw::REDISMODULE_CTX_FLAGS_RESP3 != 0
    }

    pub fn is_cluster(self) -> bool {
        self.flags() & raw::REDISMODULE_CTX_FLAGS_CLUSTER != 0
    }

    pub fn is_primary(self) -> bool {
        IS_PLAIN_PRIMARY.load(Ordering::Relaxed) || self.flags() & raw::REDISMODULE_CTX_FLAGS_MASTER != 0
    }

    /// Whether this process is a child that saves.
    pub fn is_child(self) -> bool {
        self.flags() & raw::REDISMODULE_CTX_FLAGS_IS_CHILD != 0
    }

    pub fn is_loading(self) -> bool {
        self.flags() & raw::REDISMODULE_CTX_FLAGS_LOADING != 0
    }

    pub fn db(self) -> i32 {
        // SAFETY: the context is alive for 'a.
        unsafe { api!(RedisModule_GetSelectedDb)(self.raw) }
    }

    /// False when there is no such database.
    pub fn select(self, db: i32) -> bool {
        // SAFETY: the context is alive for 'a.
        unsafe { api!(RedisModule_SelectDb)(self.raw, db as c_int) == raw::REDISMODULE_OK as c_int }
    }

    /// Whether writes outside a client's command must wait (CLIENT PAUSE, failover, shutdown):
    /// replicating them would abort the server.
    pub fn must_not_replicate(self) -> bool {
        // SAFETY: the table is only read after it was filled.
        match unsafe { raw::RedisModule_AvoidReplicaTraffic } {
            // SAFETY: takes nothing and only reads.
            Some(avoid) => unsafe { avoid() != 0 },
            None => false,
        }
    }

    /// Ends the connection of the current client, whose reply cannot be finished.
    pub fn hang_up(self) {
        let id = self.client_id();
        // SAFETY: the context is alive; an unknown client is answered with an error.
        unsafe { api!(RedisModule_DeauthenticateAndCloseClient)(self.raw, id) };
    }

    pub fn client_id(self) -> u64 {
        // SAFETY: the context is alive for 'a.
        unsafe { api!(RedisModule_GetClientId)(self.raw) }
    }

    /// Whether the append-only file sends this command.
    pub fn is_append_only_file(self) -> bool {
        const CLIENT_ID_AOF: u64 = u64::MAX;
        self.client_id() == CLIENT_ID_AOF
    }

    pub fn log(self, level: Level, text: &str) {
        log(self.raw, level, text);
    }
}

static MOVES_SLOTS_AS_A_WHOLE: AtomicBool = AtomicBool::new(false);

/// Whether a slot may move to another node as a whole (Valkey 9). The node that imports it hands
/// what comes for it to its replicas byte by byte, and no tick comes with it. So it must follow
/// from its bytes alone what it does.
pub fn moves_slots_as_a_whole() -> bool {
    MOVES_SLOTS_AS_A_WHOLE.load(Ordering::Relaxed)
}

/// The first two numbers of the version of a Valkey.
pub fn valkey_version() -> Option<(u32, u32)> {
    // SAFETY: a null context is allowed; the text is read before the data is freed.
    let version = unsafe {
        let info = api!(RedisModule_GetServerInfo)(std::ptr::null_mut(), c"server".as_ptr());
        let version = api!(RedisModule_ServerInfoGetFieldC)(info, c"valkey_version".as_ptr());
        let text = (!version.is_null()).then(|| CStr::from_ptr(version).to_string_lossy().into_owned());
        api!(RedisModule_FreeServerInfo)(std::ptr::null_mut::<raw::RedisModuleCtx>(), info);
        text
    };
    let version = version?;
    let mut numbers = version.split('.').map_while(|number| number.parse().ok());
    Some((numbers.next()?, numbers.next()?))
}

/// A line in the server's log from where there is no context at hand.
pub fn log_anywhere(level: Level, text: &str) {
    log(std::ptr::null_mut(), level, text);
}

fn log(ctx: *mut raw::RedisModuleCtx, level: Level, text: &str) {
    let level = match level {
        Level::Notice => c"notice",
        Level::Warning => c"warning",
    };
    let Ok(text) = CString::new(text.replace('\0', " ")) else { return };
    // SAFETY: the table is only read after it was filled; unit tests have no server to log to.
    let Some(log) = (unsafe { raw::RedisModule_Log }) else { return };
    // SAFETY: a null context is allowed; the format takes exactly one string.
    unsafe { log(ctx, level.as_ptr(), c"%s".as_ptr(), text.as_ptr()) };
}
