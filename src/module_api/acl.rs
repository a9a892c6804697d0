//! What the user of the current call may do with keys that the command does not name.

use std::ffi::{c_char, c_int, c_uint};
use std::sync::OnceLock;

use super::context::Ctx;
use super::server_string::{ServerStr, ServerString};
use crate::module_api::{api, raw};

/// For whom a command runs.
pub enum Caller {
    /// No user: another module, or the server itself.
    Trusted,
    User(User),
    /// A user that was deleted meanwhile.
    Gone,
}

/// A user of the server's ACL; freed on drop.
pub struct User(*mut raw::RedisModuleUser);

impl Caller {
    pub fn of(ctx: Ctx<'_>) -> Self {
        let Some(name) = user_name(ctx) else { return Caller::Trusted };
        // SAFETY: the name is alive; an unknown one gives null.
        let user = unsafe { api!(RedisModule_GetModuleUserFromUserName)(name.borrow().raw()) };
        if user.is_null() { Caller::Gone } else { Caller::User(User(user)) }
    }

    /// Whether the caller may read the value under `key`.
    pub fn may_read(&self, key: ServerStr<'_>) -> bool {
        let flags = raw::REDISMODULE_CMD_KEY_ACCESS as c_int;
        match self {
            Caller::Trusted => true,
            Caller::Gone => false,
            // SAFETY: user and key are alive.
            Caller::User(User(user)) => unsafe {
                api!(RedisModule_ACLCheckKeyPermissions)(*user, key.raw(), flags)
                    == raw::REDISMODULE_OK as c_int
            },
        }
    }

    /// Whether the caller may change every key that begins with `prefix`; true where the server
    /// cannot be asked. A refusal is noted in the server's ACL LOG.
    pub fn may_write_prefix(&self, ctx: Ctx<'_>, prefix: &[u8]) -> bool {
        let Some(check) = PrefixCheck::of_server() else { return true };
        match self {
            Caller::Trusted => true,
            Caller::Gone => false,
            Caller::User(User(user)) => {
                let name = prefix;
                let prefix = ServerString::new(name);
                let flags = raw::REDISMODULE_CMD_KEY_UPDATE;
                // SAFETY: user and prefix are alive, and each function gets what it takes.
                let status = unsafe {
                    match check {
                        PrefixCheck::Redis(check) => check(*user, prefix.borrow().raw(), flags as c_int),
                        PrefixCheck::Valkey(check) => check(*user, name.as_ptr().cast(), name.len(), flags),
                    }
                };
                let may = status == raw::REDISMODULE_OK as c_int;
                if !may {
                    let reason = raw::RedisModuleACLLogEntryReason_REDISMODULE_ACL_LOG_KEY;
                    // SAFETY: context, user and prefix are alive; the server copies what it keeps.
                    unsafe {
                        api!(RedisModule_ACLAddLogEntry)(ctx.raw(), *user, prefix.borrow().raw(), reason)
                    };
                }
                may
            }
        }
    }
}

/// Whether [`Caller::may_write_prefix`] can ask the server (Redis 8, Valkey 9).
pub fn can_check_prefixes() -> bool {
    PrefixCheck::of_server().is_some()
}

type RedisPrefixCheck =
    unsafe extern "C" fn(*mut raw::RedisModuleUser, *mut raw::RedisModuleString, c_int) -> c_int;
type ValkeyPrefixCheck =
    unsafe extern "C" fn(*mut raw::RedisModuleUser, *const c_char, usize, c_uint) -> c_int;

/// The function that tells whether a user may access all keys with a prefix. The two servers gave
/// it one name and different parameters.
#[derive(Clone, Copy)]
enum PrefixCheck {
    Redis(RedisPrefixCheck),
    Valkey(ValkeyPrefixCheck),
}

impl PrefixCheck {
    fn of_server() -> Option<Self> {
        static FOUND: OnceLock<Option<PrefixCheck>> = OnceLock::new();
        *FOUND.get_or_init(|| {
            let mut function: Option<ValkeyPrefixCheck> = None;
            let name = c"ValkeyModule_ACLCheckKeyPrefixPermissions";
            // SAFETY: the server writes the address of its function, or leaves it alone; only a
            // Valkey has this name.
            unsafe { api!(RedisModule_GetApi)(name.as_ptr(), (&raw mut function).cast()) };
            // SAFETY: the table is only read after it was filled.
            let redis = unsafe { raw::RedisModule_ACLCheckKeyPrefixPermissions };
            function.map(PrefixCheck::Valkey).or(redis.map(PrefixCheck::Redis))
        })
    }
}

/// The user of the client that called, or of the one whose script did.
fn user_name(ctx: Ctx<'_>) -> Option<ServerString> {
    // SAFETY: the context is alive; the names are ours to free, or null.
    unsafe {
        let name = api!(RedisModule_GetClientUserNameById)(ctx.raw(), ctx.client_id());
        if let Some(name) = ServerString::from_raw(ctx, name) {
            return Some(name);
        }
        // The client of a script has no id. Not asked elsewhere: Redis 7.0 does not survive the
        // question of a client without a user, which is what another module's call has.
        let name = if ctx.is_script() {
            api!(RedisModule_GetCurrentUserName)(ctx.raw())
        } else {
            std::ptr::null_mut()
        };
        ServerString::from_raw(ctx, name)
    }
}

impl Drop for User {
    fn drop(&mut self) {
        // SAFETY: got from the server and freed once; the user itself stays.
        unsafe { api!(RedisModule_FreeModuleUser)(self.0) };
    }
}
