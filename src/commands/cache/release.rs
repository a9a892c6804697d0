//! CACHE.RELEASE: the load failed.

use crate::domain::cache;
use crate::domain::cache::CacheEntry;
use crate::domain::refusal::{Code, Refusal};
use crate::module_api::command::Call;
use crate::runtime::handler::Handler;

use crate::commands::args::ArgReader;
use crate::commands::cache::stats;
use crate::runtime::commit;

/// `CACHE.RELEASE key token [DELAY d]`
pub struct CacheRelease;

impl Handler for CacheRelease {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let token = words.token()?;
        let delay = words.last_delay()?;
        let released = commit::write::<CacheEntry, _>(call.ctx, key, |entry, now, _| {
            cache::decide_release(entry, token, delay, now)
        });
        if released.as_ref().is_err_and(|refusal| refusal.code == Code::Fenced) {
            stats::count_fenced(stats::class_of(key.bytes()));
        }
        released?;
        call.reply.ok();
        Ok(())
    }
}
