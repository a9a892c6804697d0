//! The internal commands that carry effects to replicas and through the AOF.
//!
//! `FAMILY._APPLY key blob [payload]` applies one effect; `FAMILY._APPLY key BLOCK encoding last
//! block` rebuilds a value from a rewritten AOF. Ordinary clients are refused.

use std::marker::PhantomData;

use crate::domain::codec::{Corrupt, Reader};
use crate::domain::integer::integer;
use crate::domain::refusal::Refusal;
use crate::domain::time;
use crate::domain::value::{Effect, Value};
use crate::module_api::command::Call;
use crate::module_api::context::Origin;
use crate::module_api::data_type::DataType;
use crate::module_api::key::Key;
use crate::module_api::own_files;
use crate::module_api::replication;
use crate::runtime::handler::Handler;

use super::value_type::ValueType;
use crate::runtime::commit;
use crate::runtime::{global_state, global_tables, replicated_clock, token_clock};

pub struct Apply<V>(PhantomData<V>);

impl<V: ValueType> Handler for Apply<V> {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let Call { ctx, args, reply } = call;
        if !ctx.is_replay() {
            return Err(Refusal::err("this command is only for replication and loading"));
        }
        let mut key = Key::for_writing(ctx, args.name(1));
        // A cache entry may be stored over one of the server's own strings.
        if !key.is_string() {
            key.value::<V>()?;
        }
        let word = |index: usize| args.get(index).unwrap_or_default();
        match args.len() {
            3 | 4 => {
                let mut head = Reader::new(word(2));
                let effect = V::Effect::read(&mut head, args.get(3)).map_err(|_| damaged())?;
                let now = ctx.now_ms();
                if !token_clock::admits(effect.highest_token(), now)
                    || !time::is_near(head.latest_time(), now)
                {
                    return Err(damaged());
                }
                match head.highest_long_token() {
                    Some(token) if effect.highest_token() > 0 => replicated_clock::note_long_token(token),
                    _ => replicated_clock::note_token(effect.highest_token()),
                }
                commit::apply::<V>(&mut key, effect);
            }
            6 => {
                let encoding = integer("encoding", word(3), 0, u64::from(<V as Value>::ENCODING))?;
                let last = integer("last", word(4), 0, 1)? == 1;
                add_block::<V>(call, &mut key, encoding as u32, last, word(5))?;
                key.changed();
            }
            _ => return Err(damaged()),
        }
        replication::verbatim(ctx);
        reply.ok();
        Ok(())
    }
}

/// `WORKGATE._APPLY table effect` changes what belongs to no key; `WORKGATE._APPLY table STATE
/// encoding bytes` rebuilds it from a rewritten AOF.
pub struct ApplyWorld;

impl Handler for ApplyWorld {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let Call { ctx, args, reply } = call;
        if !ctx.is_replay() {
            return Err(Refusal::err("this command is only for replication and loading"));
        }
        let word = |index: usize| args.get(index).unwrap_or_default();
        if ctx.origin() == Origin::Import || args.len() == 5 && !ctx.is_loading() {
            // What the exporter of a slot holds beside the keys stays its own; a replica of the
            // importer hears of it too. The values bring the tokens that matter.
            reply.ok();
            return Ok(());
        }
        match args.len() {
            3 if replicated_clock::is_tick(word(1)) => replicated_clock::take(word(1), word(2), ctx.now_ms()),
            3 if word(1) == global_tables::START.to_bytes() => {
                global_tables::start_history();
                Ok(())
            }
            3 => global_tables::apply_named(word(1), word(2), ctx.now_ms()),
            5 => {
                let encoding = integer("encoding", word(3), 0, u64::from(u32::MAX))?;
                global_state::load(word(1), encoding as u32, word(4))
            }
            _ => Err(Corrupt),
        }
        .map_err(|_| damaged())?;
        replication::verbatim(ctx);
        reply.ok();
        Ok(())
    }
}

fn add_block<V: ValueType>(
    call: Call<'_>,
    key: &mut Key<'_>,
    encoding: u32,
    last: bool,
    block: &[u8],
) -> Result<(), Refusal> {
    if key.is_missing() {
        key.put(V::default());
    }
    let name = key.name();
    let value = key.value_mut::<V>()?.ok_or_else(damaged)?;
    value.uncount();
    own_files::note_block(call.ctx.db(), name, last);
    let sound = (block.is_empty() || value.load_block(encoding, block))
        && (!last || value.finish_load(call.ctx, Some((call.ctx.db(), name))));
    if sound { Ok(()) } else { Err(damaged()) }
}

fn damaged() -> Refusal {
    Refusal::err("damaged effect")
}
