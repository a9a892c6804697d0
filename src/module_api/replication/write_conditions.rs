//! What makes the server refuse the writes of its clients though it is a primary: too few replicas,
//! a disk error.
//!
//! The module API has no question for it. So the settings are read when one changes, and what they
//! depend on is read from INFO, and only where a setting asks for it.

use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::module_api::config::server_setting;
use crate::module_api::context::Ctx;
use crate::module_api::{api, raw};

static MIN_REPLICAS: AtomicU64 = AtomicU64::new(0);
static STOPS_AT_SAVE_ERROR: AtomicBool = AtomicBool::new(false);

/// Reads the settings: after the module was loaded and whenever one has changed.
pub fn read_settings(ctx: Ctx<'_>) {
    // Where CONFIG was renamed, the settings count as on: INFO shows replicas only where their
    // number matters, and a grant can wait for a save that goes well.
    let min_replicas = server_setting(ctx, c"min-replicas-to-write");
    let min_replicas = min_replicas.map_or(1, |text| text.parse().unwrap_or(0));
    MIN_REPLICAS.store(min_replicas, Ordering::Relaxed);
    let stops = server_setting(ctx, c"stop-writes-on-bgsave-error").is_none_or(|text| text == "yes");
    let saves = server_setting(ctx, c"save").is_none_or(|text| !text.is_empty());
    STOPS_AT_SAVE_ERROR.store(stops && saves, Ordering::Relaxed);
}

/// Whether the server would refuse a write that a client sends now, as NOREPLICAS or MISCONF.
pub fn refuse_writes() -> bool {
    has_too_few_replicas() || has_disk_error()
}

fn has_too_few_replicas() -> bool {
    let min = MIN_REPLICAS.load(Ordering::Relaxed);
    // The field is there only where both settings of it are on.
    min > 0
        && Info::of(c"replication").number(c"min_slaves_good_slaves").is_some_and(|replicas| replicas < min)
}

fn has_disk_error() -> bool {
    let info = Info::of(c"persistence");
    let save_failed =
        STOPS_AT_SAVE_ERROR.load(Ordering::Relaxed) && info.says(c"rdb_last_bgsave_status", c"err");
    let is_aof_on = info.number(c"aof_enabled").is_some_and(|enabled| enabled != 0);
    save_failed || is_aof_on && info.says(c"aof_last_write_status", c"err")
}

/// A section of INFO.
struct Info(*mut raw::RedisModuleServerInfoData);

impl Info {
    fn of(section: &CStr) -> Self {
        // SAFETY: a null context is allowed; the data is freed on drop.
        Info(unsafe { api!(RedisModule_GetServerInfo)(std::ptr::null_mut(), section.as_ptr()) })
    }

    fn number(&self, field: &CStr) -> Option<u64> {
        let mut error = 0;
        // SAFETY: the data is alive, and so are name and error for the call.
        let number =
            unsafe { api!(RedisModule_ServerInfoGetFieldUnsigned)(self.0, field.as_ptr(), &mut error) };
        (error == 0).then_some(number)
    }

    fn says(&self, field: &CStr, word: &CStr) -> bool {
        // SAFETY: the data is alive, and the text lives as long as the data.
        let text = unsafe { api!(RedisModule_ServerInfoGetFieldC)(self.0, field.as_ptr()) };
        // SAFETY: the server ends its texts with NUL.
        !text.is_null() && unsafe { CStr::from_ptr(text) } == word
    }
}

impl Drop for Info {
    fn drop(&mut self) {
        // SAFETY: got from the server and freed once.
        unsafe { api!(RedisModule_FreeServerInfo)(std::ptr::null_mut::<raw::RedisModuleCtx>(), self.0) };
    }
}
