//! CACHE.SET with tags.

use crate::domain::cache::effect::Effect;
use crate::domain::cache::invalidation::log::Invalidation;
use crate::domain::cache::state::entry::CacheEntry;
use crate::domain::cache::state::tags::Tags;
use crate::domain::cache::state::value_meta::Annotations;
use crate::domain::decision::Decision;
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;

/// Gives the tags to the value that a decision stores, if it stores one.
pub fn attach_tags<R>(decision: Decision<R, Effect>, tags: Tags) -> Decision<R, Effect> {
    if tags.is_empty() {
        return decision;
    }
    let effect = decision.effect.map(|effect| match effect {
        Effect::Set { meta, bytes } => {
            Effect::SetAnnotated { meta, annotations: Annotations { tags, client_meta: None }, bytes }
        }
        Effect::SetAnnotated { meta, annotations, bytes } => {
            Effect::SetAnnotated { meta, annotations: Annotations { tags, ..annotations }, bytes }
        }
        other => other,
    });
    Decision { reply: decision.reply, effect }
}

/// Decides a SET with tags; `decide` decides the same SET without tags. `invalidation` is the
/// newest one of its tags.
///
/// A load that began before it stores nothing, and its lease ends, so that the next reader loads.
/// Sent again with the token of a value that is stored already it may not add a tag: whether that
/// one was invalidated in between may have been forgotten.
pub fn decide_set_with_tags(
    state: Option<&CacheEntry>,
    tags: Tags,
    token: Option<u64>,
    invalidation: Option<Invalidation>,
    now: UnixMs,
    decide: impl FnOnce() -> Result<Decision<bool, Effect>, Refusal>,
) -> Result<Decision<bool, Effect>, Refusal> {
    let decision = decide()?;
    let Some(token) = token.filter(|_| decision.effect.is_some()) else {
        return Ok(attach_tags(decision, tags));
    };
    let leased = state.is_some_and(|entry| entry.lease().is_some_and(|lease| lease.token == token));
    Ok(if invalidation.is_some_and(|invalidation| invalidation.token > token) {
        let release = Effect::Release { token, at: now, delay: 0 };
        if leased { Decision::change(false, release) } else { Decision::answer(false) }
    } else if leased || state.is_some_and(|entry| tags.is_subset_of(entry.tags())) {
        attach_tags(decision, tags)
    } else {
        Decision::answer(false)
    })
}
