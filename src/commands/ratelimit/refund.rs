//! REFUND, SETTLE and RESET.

use crate::domain::ratelimit;
use crate::domain::ratelimit::{CounterKey, MAX_HOLD_ID_LEN, Subject};
use crate::domain::refusal::Refusal;
use crate::module_api::command::Call;
use crate::runtime::handler::Handler;

use super::limit_args::NamedPolicies;
use super::limit_rows::reply_rows;
use crate::commands::args::{ArgReader, unknown};
use crate::commands::ratelimit::limit_args;
use crate::runtime::commit;

/// `RATELIMIT.REFUND key limit|@policy [limit|@policy …] COST n | COST name=n[,name=n]`
pub struct Refund;

impl Handler for Refund {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let policies = NamedPolicies::new();
        let mut request = limit_args::read_limits(&mut words, &policies)?;
        if request.items().is_empty() {
            return Err(Refusal::err("no limit given: expected [name=]count/period such as 10/1m"));
        }
        request.set_cost_with_default(cost(&mut words)?, 0)?;
        let at = commit::write::<Subject, _>(call.ctx, key, |subject, now, _| {
            Ok(ratelimit::decide_refund(subject, &request, now)?.map(|()| now))
        })?;
        request.set_cost(b"1")?;
        // At the same time, at which nothing was refused.
        commit::read::<Subject, _>(call.ctx, key, |subject, _| {
            let rebased = Subject::rebased(subject, at);
            reply_rows(&ratelimit::current_rows(rebased.as_ref().or(subject), &request, at)?, call.reply);
            Ok(())
        })
    }
}

/// `RATELIMIT.SETTLE key hold-id COST n | COST name=n[,name=n]`
pub struct Settle;

impl Handler for Settle {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let id = words.id_of("hold id", MAX_HOLD_ID_LEN)?;
        let costs = cost(&mut words)?;
        let at = commit::write::<Subject, _>(call.ctx, key, |subject, now, _| {
            Ok(ratelimit::decide_settle(subject, id, costs, now)?.map(|()| now))
        })?;
        // At the same time, at which the hold was open.
        commit::read::<Subject, _>(call.ctx, key, |subject, _| {
            let rebased = Subject::rebased(subject, at);
            reply_rows(&ratelimit::hold_rows(rebased.as_ref().or(subject), id, at)?, call.reply);
            Ok(())
        })
    }
}

/// Reads COST, the only option. It is required.
fn cost<'a>(words: &mut ArgReader<'a>) -> Result<&'a [u8], Refusal> {
    let mut cost = None;
    while let Some(option) = words.option()? {
        match option.folded() {
            b"COST" => cost = Some(words.next_arg("COST")?),
            _ => return Err(unknown(&option)),
        }
    }
    cost.ok_or_else(|| Refusal::err("COST is missing: expected COST n or COST name=n[,name=n]"))
}

/// The maximum number of names of a RESET. A key holds at most 16 limits.
const MAX_NAMES: usize = 1_000;

/// `RATELIMIT.RESET key [name …]`
pub struct Reset;

impl Handler for Reset {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let given = call.args.len() - 2;
        if given > MAX_NAMES {
            return Err(Refusal::err(format!("{given} names: at most {MAX_NAMES} are allowed in a call")));
        }
        let names = std::iter::from_fn(|| words.next_if(|_| true));
        let counters = names.map(ratelimit::parse_counter).collect::<Result<Vec<CounterKey>, _>>()?;
        let forgotten = commit::write::<Subject, _>(call.ctx, key, |subject, now, _| {
            Ok(ratelimit::decide_reset(subject, &counters, now))
        })?;
        call.reply.uint(forgotten);
        Ok(())
    }
}
