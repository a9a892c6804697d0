//! CACHE.SET and CACHE.ABSENT: what was loaded, or that there is nothing.

use crate::domain::cache;
use crate::domain::cache::{Entry, Tags};
use crate::domain::refusal::Refusal;
use crate::module_api::command::{Call, Handler};
use crate::module_api::server_string::Name;

use crate::commands::args::{Words, unknown};
use crate::runtime::commit;

use crate::commands::cache::{effective_policy, invalidate, stats, tag_args};

/// `CACHE.SET key value [TOKEN t] [TTL d] [GRACE d] [TAGS n tag …]`
pub struct Set;

impl Handler for Set {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let key = words.name("key")?;
        let value = words.word("value")?;
        let mut with = Tags::default();
        let mut set = cache::Set { value: Some(value), token: None, ttl: None, grace: None };
        while let Some(option) = words.option()? {
            match option.folded() {
                b"TOKEN" => set.token = Some(words.token()?),
                b"TTL" => set.ttl = Some(words.duration("TTL")?),
                b"GRACE" => set.grace = Some(words.duration_or_zero("GRACE")?),
                b"TAGS" => with = tag_args::read(&mut words)?,
                _ => return Err(unknown(&option)),
            }
        }
        store(call, key, &set, with)
    }
}

/// `CACHE.ABSENT key [TOKEN t] [TTL d]`
pub struct Absent;

impl Handler for Absent {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let key = words.name("key")?;
        let mut set = cache::Set { value: None, token: None, ttl: None, grace: None };
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

fn store(call: Call<'_>, key: Name<'_>, set: &cache::Set<'_>, tags: Tags) -> Result<(), Refusal> {
    let (terms, class) = effective_policy::of(key);
    let stored = commit::write_over_string::<Entry, _>(call.ctx, key, |entry, now, tokens| {
        let decide = || cache::decide_set(entry, set, &terms, now, tokens);
        if tags.is_empty() {
            return decide();
        }
        let mark = invalidate::newest(key.bytes(), &tags);
        cache::decide_tagged(entry, tags, set.token, mark, now, decide)
    })?;
    if !stored {
        stats::note(class, |stats| stats.fenced += 1);
    }
    call.reply.int(i64::from(stored));
    Ok(())
}
