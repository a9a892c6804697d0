//! CACHE.POLICY: what rules the keys that begin with a prefix.

use crate::domain::cache;
use crate::domain::cache::{CachePolicies, CachePolicy};
use crate::domain::refusal::Refusal;
use crate::module_api::command::Call;
use crate::module_api::reply::Reply;
use crate::runtime::handler::Handler;

use crate::commands::args::{ArgReader, unknown};
use crate::commands::policy_commands::{DeleteDecision, PolicyTable};
use crate::commands::setting_value::reply_setting;
use crate::runtime::global_tables;

/// `CACHE.POLICY SET prefix [TTL d] [GRACE d] [JITTER pct] [ABSENTTL d] [LEASE d] [EARLY beta]
/// [COMPRESS bytes] [MAXVALUE bytes]`
pub struct SetPolicy;

impl Handler for SetPolicy {
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

/// GET, LIST and DEL of CACHE.POLICY.
pub struct CachePolicyTable;

impl PolicyTable for CachePolicyTable {
    type Table = CachePolicies;
    type Policy = CachePolicy;

    fn get<'t>(policies: &'t CachePolicies, prefix: &[u8]) -> Option<&'t CachePolicy> {
        policies.get(prefix)
    }

    fn all(policies: &CachePolicies) -> impl ExactSizeIterator<Item = (&[u8], &CachePolicy)> {
        policies.iter()
    }

    fn reply(policy: &CachePolicy, reply: Reply<'_>) {
        let given_fields = policy.given_fields();
        reply.map(given_fields.len());
        for (name, value) in given_fields {
            reply_setting(name, &value, reply);
        }
    }

    fn decide_delete(policies: &CachePolicies, prefix: &[u8]) -> DeleteDecision<CachePolicies> {
        Ok(cache::decide_delete_policy(policies, prefix))
    }
}
