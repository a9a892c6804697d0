//! CACHE.EXPIRE: what is there is no longer fresh.

use crate::domain::cache;
use crate::domain::cache::CacheEntry;
use crate::domain::decision::Decision;
use crate::domain::refusal::Refusal;
use crate::module_api::command::Call;
use crate::module_api::context::Ctx;
use crate::module_api::key::Key;
use crate::module_api::server_string::ServerStr;
use crate::runtime::handler::Handler;

use crate::commands::args::MAX_ITEMS;
use crate::runtime::commit;
use crate::runtime::commit::Write;

/// `CACHE.EXPIRE key [key …]`
pub struct CacheExpire;

impl Handler for CacheExpire {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let keys = call.args.len() - 1;
        if keys > MAX_ITEMS {
            return Err(Refusal::err(format!("at most {MAX_ITEMS} keys a call, {keys} were given")));
        }
        let names = || (1..call.args.len()).map(|at| call.args.name(at));
        // One wrong key leaves all of them as they are.
        for name in names() {
            let key = Key::open_no_touch(call.ctx, name);
            if !key.is_string() {
                key.value::<CacheEntry>()?;
            }
        }
        let mut expired = 0;
        for name in names() {
            expired += i64::from(expire(call.ctx, name)?);
        }
        call.reply.int(expired);
        Ok(())
    }
}

fn expire(ctx: Ctx<'_>, name: ServerStr<'_>) -> Result<bool, Refusal> {
    if Key::open_no_touch(ctx, name).is_string() {
        return commit::write_with::<CacheEntry, _>(ctx, name, Write::over_string(), |_, now, tokens| {
            Ok(Decision::change(true, cache::Effect::Drop { token: tokens.next(now) }))
        });
    }
    commit::write::<CacheEntry, _>(ctx, name, |entry, now, tokens| {
        Ok(cache::decide_expire(entry, now, tokens))
    })
}
