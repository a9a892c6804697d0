//! CACHE.SET and CACHE.ABSENT: what was loaded, or that there is nothing.

use crate::domain::cache;
use crate::domain::cache::{CacheEntry, MAX_TAGS_PER_KEY, Tags};
use crate::domain::refusal::Refusal;
use crate::module_api::command::Call;
use crate::module_api::server_string::ServerStr;
use crate::runtime::handler::Handler;

use crate::commands::args::{ArgReader, unknown};
use crate::runtime::commit;
use crate::runtime::commit::Write;

use crate::commands::cache::{effective_policy, invalidate, stats};

/// `CACHE.SET key value [TOKEN t] [TTL d] [GRACE d] [META b] [TAGS n tag …]`
pub struct CacheSet;

impl Handler for CacheSet {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let value = words.next_arg("value")?;
        let mut with = Tags::default();
        let mut set =
            cache::SetRequest { value: Some(value), token: None, ttl: None, grace: None, client_meta: None };
        while let Some(option) = words.option()? {
            match option.folded() {
                b"TOKEN" => set.token = Some(words.token()?),
                b"TTL" => set.ttl = Some(words.duration("TTL")?),
                b"GRACE" => set.grace = Some(words.duration_or_zero("GRACE")?),
                b"META" => set.client_meta = Some(words.next_arg("META")?),
                b"TAGS" => with = read_tags(&mut words)?,
                _ => return Err(unknown(&option)),
            }
        }
        store(call, key, &set, with)
    }
}

/// `CACHE.ABSENT key [TOKEN t] [TTL d]`
pub struct CacheAbsent;

impl Handler for CacheAbsent {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let mut set =
            cache::SetRequest { value: None, token: None, ttl: None, grace: None, client_meta: None };
        while let Some(option) = words.option()? {
            match option.folded() {
                b"TOKEN" => set.token = Some(words.token()?),
                b"TTL" => set.ttl = Some(words.duration("TTL")?),
                _ => return Err(unknown(&option)),
            }
        }
        store(call, key, &set, Tags::default())
    }
}

fn store(call: Call<'_>, key: ServerStr<'_>, set: &cache::SetRequest<'_>, tags: Tags) -> Result<(), Refusal> {
    let (terms, class) = effective_policy::for_value(key);
    let stored =
        commit::write_with::<CacheEntry, _>(call.ctx, key, Write::over_string(), |entry, now, tokens| {
            let decide = || cache::decide_set(entry, set, &terms, now, tokens);
            if tags.is_empty() {
                return decide();
            }
            let invalidation = invalidate::newest_invalidation(key.bytes(), &tags);
            cache::decide_set_with_tags(entry, tags, set.token, invalidation, now, decide)
        })?;
    if !stored {
        stats::count_fenced(class);
    }
    call.reply.int(i64::from(stored));
    Ok(())
}

/// Reads what follows the word TAGS: `n tag …`.
pub fn read_tags(words: &mut ArgReader<'_>) -> Result<Tags, Refusal> {
    let count = words.integer("TAGS", 1, MAX_TAGS_PER_KEY as u64)?;
    let given = words.next_n(count, |words| words.next_arg("tag"))?;
    Tags::new(&given)
}
