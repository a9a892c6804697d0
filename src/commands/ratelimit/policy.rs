//! RATELIMIT.POLICY: limits that the server stores under a name.

use crate::domain::ratelimit;
use crate::domain::ratelimit::{LimitPolicies, LimitPolicy};
use crate::domain::refusal::Refusal;
use crate::module_api::blocking;
use crate::module_api::command::Call;
use crate::module_api::reply::Reply;
use crate::runtime::handler::Handler;

use crate::commands::args::ArgReader;
use crate::commands::ratelimit::stats;
use crate::runtime::global_tables;

/// `RATELIMIT.POLICY SET name limit [limit …]`
pub struct Set;

impl Handler for Set {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        words.next_arg("subcommand")?;
        let name = words.next_arg("name")?;
        let limits: Vec<&[u8]> = std::iter::from_fn(|| words.next_if(|_| true)).collect();
        global_tables::write::<LimitPolicies, _>(call.ctx, |policies, _, _| {
            ratelimit::decide_set_policy(policies, name, &limits)
        })?;
        blocking::turns_stale(call.ctx);
        call.reply.ok();
        Ok(())
    }
}

/// `RATELIMIT.POLICY DEL name`
pub struct Delete;

impl Handler for Delete {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let name = call.args.get(2).unwrap_or_default();
        let deleted = global_tables::write::<LimitPolicies, _>(call.ctx, |policies, _, _| {
            ratelimit::decide_delete_policy(policies, name)
        })?;
        stats::forget(name);
        blocking::turns_stale(call.ctx);
        call.reply.int(i64::from(deleted));
        Ok(())
    }
}

/// `RATELIMIT.POLICY GET name`
pub struct Get;

impl Handler for Get {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let name = call.args.get(2).unwrap_or_default();
        global_tables::read::<LimitPolicies, _>(|policies| match policies.get(name) {
            Some(policy) => reply_limits(policy, call.reply),
            None => call.reply.null(),
        });
        Ok(())
    }
}

/// `RATELIMIT.POLICY LIST`
pub struct List;

impl Handler for List {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        global_tables::read::<LimitPolicies, _>(|policies| {
            let all = policies.iter();
            call.reply.map(all.len());
            for (name, policy) in all {
                call.reply.bulk(name);
                reply_limits(policy, call.reply);
            }
        });
        Ok(())
    }
}

fn reply_limits(policy: &LimitPolicy, reply: Reply<'_>) {
    let texts = policy.texts();
    reply.array(texts.len());
    texts.for_each(|text| reply.bulk(&text));
}
