//! RATELIMIT.POLICY: limits that the server stores under a name.

use crate::domain::ratelimit;
use crate::domain::ratelimit::{LimitPolicies, LimitPolicy};
use crate::domain::refusal::Refusal;
use crate::module_api::blocking;
use crate::module_api::command::Call;
use crate::module_api::reply::Reply;
use crate::runtime::handler::Handler;

use crate::commands::args::ArgReader;
use crate::commands::policy_commands::{DeleteDecision, PolicyTable};
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

/// GET, LIST and DEL of RATELIMIT.POLICY.
pub struct LimitPolicyTable;

impl PolicyTable for LimitPolicyTable {
    type Table = LimitPolicies;
    type Policy = LimitPolicy;

    fn get<'t>(policies: &'t LimitPolicies, name: &[u8]) -> Option<&'t LimitPolicy> {
        policies.get(name).map(|policy| &**policy)
    }

    fn all(policies: &LimitPolicies) -> impl ExactSizeIterator<Item = (&[u8], &LimitPolicy)> {
        policies.iter()
    }

    fn reply(policy: &LimitPolicy, reply: Reply<'_>) {
        let texts = policy.texts();
        reply.array(texts.len());
        texts.for_each(|text| reply.bulk(&text));
    }

    fn decide_delete(policies: &LimitPolicies, name: &[u8]) -> DeleteDecision<LimitPolicies> {
        ratelimit::decide_delete_policy(policies, name)
    }

    fn on_deleted(call: Call<'_>, name: &[u8]) {
        stats::forget(name);
        blocking::turns_stale(call.ctx);
    }
}
