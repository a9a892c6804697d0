//! WORKGATE.DIGEST: one number for all that the module holds, to compare servers with.

use sha2::{Digest as _, Sha256};

use crate::domain::refusal::Refusal;
use crate::domain::{breaker, cache, idemp, jobq, ratelimit};
use crate::module_api::command::Call;
use crate::module_api::context::Ctx;
use crate::module_api::data_type::DataType;
use crate::module_api::key::Key;
use crate::module_api::keyspace;
use crate::module_api::server_string::ServerStr;
use crate::runtime::handler::Handler;

use crate::runtime::{global_state, in_use};

type Sum = [u8; 32];

pub struct Digest;

impl Handler for Digest {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let Call { ctx, args, reply } = call;
        if args.len() > 2 {
            return Err(Refusal::err("wrong number of arguments for 'workgate.digest' command"));
        }
        let sum = if args.len() == 2 {
            // Without the name and the database, so that a copy can be compared with its original.
            of_key(ctx, args.name(1), &mut Sha256::new()).unwrap_or_default()
        } else {
            of_everything(ctx)
        };
        reply.bulk(hex(&sum).as_bytes());
        Ok(())
    }
}

/// The keys' digests are joined by XOR, so that the order in which they are met does not matter.
fn of_everything(ctx: Ctx<'_>) -> Sum {
    let (mut sum, mut has_keys) = (Sum::default(), false);
    keyspace::every_key(ctx, &mut |ctx, db, name| {
        let mut hash = Sha256::new();
        hash.update(db.to_le_bytes());
        hash.update((name.bytes().len() as u64).to_le_bytes());
        hash.update(name.bytes());
        let Some(of_key) = of_key(ctx, name, &mut hash) else { return };
        has_keys = true;
        sum.iter_mut().zip(of_key).for_each(|(all, one)| *all ^= one);
    });
    let mut hash = Sha256::new();
    hash.update(sum);
    // A value that has left its key but is not freed yet does not count.
    let states = if has_keys || in_use::has_tables() { global_state::saved() } else { Vec::new() };
    for state in states {
        hash.update(state.name.to_bytes_with_nul());
        hash.update((state.bytes.len() as u64).to_le_bytes());
        hash.update(state.bytes);
    }
    hash.finalize().into()
}

/// `None` when the key is missing, has run out, or is not of ours.
fn of_key(ctx: Ctx<'_>, name: ServerStr<'_>, hash: &mut Sha256) -> Option<Sum> {
    let key = Key::open_no_touch(ctx, name);
    if key.expiry().is_some_and(|at| at <= ctx.now_ms()) {
        return None;
    }
    let known = add::<ratelimit::Subject>(&key, name, hash)
        || add::<idemp::Record>(&key, name, hash)
        || add::<idemp::SeenIds>(&key, name, hash)
        || add::<jobq::Queue>(&key, name, hash)
        || add::<cache::CacheEntry>(&key, name, hash)
        || add::<breaker::Breaker>(&key, name, hash);
    known.then(|| hash.finalize_reset().into())
}

fn add<T: DataType>(key: &Key<'_>, name: ServerStr<'_>, hash: &mut Sha256) -> bool {
    let Ok(Some(value)) = key.value::<T>() else { return false };
    hash.update(T::TYPE_NAME.to_bytes());
    hash.update(key.expiry().map_or(u64::MAX, |at| at).to_le_bytes());
    // As it counts, whether or not anyone has written it down since it was invalidated.
    value.self_contained(name.bytes()).as_ref().unwrap_or(value).save(&mut |block| {
        hash.update((block.len() as u64).to_le_bytes());
        hash.update(block);
    });
    true
}

fn hex(sum: &Sum) -> String {
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}
