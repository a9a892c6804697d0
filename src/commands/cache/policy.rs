//! CACHE.POLICY: what rules the keys that begin with a prefix.

use crate::domain::cache;
use crate::domain::cache::{CachePolicies, CachePolicy};
use crate::domain::refusal::Refusal;
use crate::module_api::command::Call;
use crate::module_api::reply::Reply;
use crate::runtime::handler::Handler;

use crate::commands::args::{ArgReader, unknown};
use crate::commands::setting_value::reply_setting;
use crate::runtime::global_tables;

/// `CACHE.POLICY SET prefix [TTL d] [GRACE d] [JITTER pct] [ABSENTTL d] [LEASE d] [EARLY beta]
/// [COMPRESS bytes] [MAXVALUE bytes]`
pub struct CachePolicySet;

impl Handler for CachePolicySet {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        words.next_arg("subcommand")?;
        let prefix = words.next_arg("prefix")?;
        let mut policy = CachePolicy::default();
        while let Some(field) = words.option()? {
            let value = words.peek();
            match policy.set_field(field.folded(), value.unwrap_or_default()) {
                Ok(None) => return Err(unknown(&field)),
                known => {
                    words.next_arg("value")?;
                    known?;
                }
            }
        }
        global_tables::write::<CachePolicies, _>(call.ctx, |policies, _, _| {
            cache::decide_set_policy(policies, prefix, policy)
        })?;
        call.reply.ok();
        Ok(())
    }
}

/// `CACHE.POLICY DEL prefix`
pub struct CachePolicyDelete;

impl Handler for CachePolicyDelete {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let prefix = call.args.get(2).unwrap_or_default();
        let deleted = global_tables::write::<CachePolicies, _>(call.ctx, |policies, _, _| {
            Ok(cache::decide_delete_policy(policies, prefix))
        })?;
        call.reply.int(i64::from(deleted));
        Ok(())
    }
}

/// `CACHE.POLICY GET prefix`
pub struct CachePolicyGet;

impl Handler for CachePolicyGet {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let prefix = call.args.get(2).unwrap_or_default();
        global_tables::read::<CachePolicies, _>(|policies| match policies.get(prefix) {
            Some(policy) => fields(policy, call.reply),
            None => call.reply.null(),
        });
        Ok(())
    }
}

/// `CACHE.POLICY LIST`
pub struct CachePolicyList;

impl Handler for CachePolicyList {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        global_tables::read::<CachePolicies, _>(|policies| {
            let all = policies.iter();
            call.reply.map(all.len());
            for (prefix, policy) in all {
                call.reply.bulk(prefix);
                fields(policy, call.reply);
            }
        });
        Ok(())
    }
}

fn fields(policy: &CachePolicy, reply: Reply<'_>) {
    let given_fields = policy.given_fields();
    reply.map(given_fields.len());
    for (name, value) in given_fields {
        reply_setting(name, &value, reply);
    }
}
