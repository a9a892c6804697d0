//! MCHECK: CHECKs of several subjects in one step.

use std::collections::BTreeSet;

use crate::domain::ratelimit;
use crate::domain::ratelimit::{Check, CheckRequest, CheckVerdict, MAX_LIMITS, Subject};
use crate::domain::refusal::{Refusal, shown};
use crate::module_api::args::Args;
use crate::module_api::blocking;
use crate::module_api::command::{Call, FindsKeys};
use crate::module_api::context::Ctx;
use crate::module_api::reply::Reply;
use crate::module_api::server_string::ServerStr;
use crate::runtime::handler::Handler;

use super::limit_args::NamedPolicies;
use super::limit_rows::reply_rows;
use super::stats::Outcome;
use crate::commands::args::{ArgReader, unknown};
use crate::commands::ratelimit::{limit_args, stats};
use crate::runtime::commit;
use crate::runtime::commit::Write;
use crate::runtime::eviction;

/// The maximum number of keys behind ALSO.
const MAX_ALSO: u64 = 100;

/// `RATELIMIT.MCHECK key ALSO n key … m limit … [m limit …]… [COST n | COST name=n[,name=n]]
/// [DETAIL]`
pub struct CheckSeveral;

impl Handler for CheckSeveral {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let keys = read_keys(&mut words)?;
        let policies: Vec<NamedPolicies> = keys.iter().map(|_| NamedPolicies::new()).collect();
        let mut requests = Vec::with_capacity(keys.len());
        for policies in &policies {
            requests.push(limit_args::read_counted(&mut words, policies)?);
        }
        let limits: usize = requests.iter().map(|request| request.items().len()).sum();
        if limits > MAX_LIMITS {
            return Err(Refusal::err(format!("too many limits: at most {MAX_LIMITS} in a call")));
        }
        let mut detail = false;
        while let Some(option) = words.option()? {
            match option.folded() {
                b"COST" => CheckRequest::set_cost_of_all(&mut requests, words.next_arg("COST")?)?,
                b"DETAIL" => detail = true,
                _ => return Err(unknown(&option)),
            }
        }
        let verdicts = check_all(call.ctx, &keys, &requests)?;
        let binding = CheckVerdict::binding_of(&verdicts);
        let (outcome, subject) = (Outcome::of(&verdicts[binding]), keys[binding].bytes());
        stats::count(outcome, || call.ctx.db(), subject);
        if policies.iter().any(|policies| policies.get().is_some_and(|named| !named.is_empty())) {
            stats::count_for_policies(outcome, call.ctx.db(), subject, stats::policies_of(call.args));
        }
        reply_verdicts(&keys, &verdicts, detail, call.reply);
        Ok(())
    }
}

impl FindsKeys for CheckSeveral {
    fn find_keys(args: Args<'_>, found: &mut dyn FnMut(usize)) {
        found(1);
        if !args.get(2).is_some_and(is_also) {
            return;
        }
        let count = args.get(3).and_then(|count| std::str::from_utf8(count).ok()?.parse().ok());
        (4..args.len()).take(count.unwrap_or(0)).for_each(found);
    }
}

fn is_also(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"ALSO")
}

/// Reads `key ALSO n key …`; all keys differ.
fn read_keys<'a>(words: &mut ArgReader<'a>) -> Result<Vec<ServerStr<'a>>, Refusal> {
    let mut keys = vec![words.name("key")?];
    if words.next_if(is_also).is_none() {
        return Err(Refusal::err("ALSO is missing: expected MCHECK key ALSO n key ... m limit ..."));
    }
    let count = words.integer("the number of keys after ALSO", 1, MAX_ALSO)?;
    keys.extend(words.next_n(count, |words| words.name("a key after ALSO"))?);
    let mut seen = BTreeSet::new();
    match keys.iter().find(|key| !seen.insert(key.bytes())) {
        Some(twice) => Err(Refusal::err(format!("key '{}' is given twice", shown(twice.bytes())))),
        None => Ok(keys),
    }
}

/// Charges all subjects if all of them allow, else none. Returns a verdict for each.
fn check_all<'a>(
    ctx: Ctx<'_>,
    keys: &[ServerStr<'_>],
    requests: &[CheckRequest<'a>],
) -> Result<Vec<CheckVerdict<'a>>, Refusal> {
    // Waiting clients come first, at every key, so that nothing changes between the two passes.
    keys.iter().for_each(|&key| blocking::serve(ctx, key));
    let mut adds = Ok(());
    let present = keys.iter().zip(requests).map(|(&key, request)| {
        commit::read::<Subject, _>(ctx, key, |subject, now| {
            if request.has_cost() && adds.is_ok() {
                let effect = ratelimit::check_effect(request, now);
                adds = eviction::refuse_if_full(ctx, subject, Some(&effect));
            }
            let rebased = Subject::rebased(subject, now);
            ratelimit::named_rows(rebased.as_ref().or(subject), request, now)
        })
    });
    let present = present.collect::<Result<Vec<_>, Refusal>>()?;
    if !present.iter().all(CheckVerdict::allowed) {
        return Ok(present);
    }
    adds?;
    let charged = keys.iter().zip(requests).zip(present).map(|((&key, request), present)| {
        if !request.has_cost() {
            return Ok(present);
        }
        let check = Check::plain(request.clone());
        commit::write_with::<Subject, _>(ctx, key, Write::without_serving(), |subject, now, _| {
            ratelimit::decide_check(subject, &check, now)
        })
    });
    charged.collect()
}

/// `[taken, limit, remaining, retry_after_ms, reset_after_ms, name, key]` of the limit that binds,
/// with `detail` an eighth element: `[[key, rows] …]`.
fn reply_verdicts(keys: &[ServerStr<'_>], verdicts: &[CheckVerdict<'_>], detail: bool, reply: Reply<'_>) {
    let binding = CheckVerdict::binding_of(verdicts);
    let Some(row) = verdicts[binding].binding() else { return reply.array(0) };
    reply.array(7 + usize::from(detail));
    reply.uint(verdicts[binding].taken_cost());
    reply.uint(row.capacity);
    reply.uint(row.remaining);
    reply.int(row.retry_after_ms);
    reply.uint(row.reset_after_ms);
    reply.bulk(&row.name());
    reply.bulk(keys[binding].bytes());
    if detail {
        reply.array(keys.len());
        for (key, verdict) in keys.iter().zip(verdicts) {
            reply.array(2);
            reply.bulk(key.bytes());
            reply_rows(verdict, reply);
        }
    }
}
