//! CL.THROTTLE, compatible with redis-cell.

use crate::domain::ratelimit;
use crate::domain::ratelimit::{
    Check, CheckRequest, Limit, LimitKind, LimitRow, MAX_COUNT, RequestedLimit, Rule, Subject,
};
use crate::domain::refusal::{Refusal, shown};
use crate::domain::time::{LONGEST, SECOND};
use crate::module_api::command::Call;
use crate::runtime::handler::Handler;

use super::stats::Outcome;
use crate::commands::args::ArgReader;
use crate::commands::ratelimit::stats;
use crate::runtime::commit;

/// The name of the counter. All calls for a key share it, whatever their parameters.
const NAME: &[u8] = b"cl.throttle";

/// `CL.THROTTLE key max_burst count period [quantity]`
pub struct Throttle;

impl Handler for Throttle {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let burst = words.integer("max_burst", 0, MAX_COUNT - 1)? + 1;
        let count = words.integer("count", 1, MAX_COUNT)?;
        let period_ms = words.integer("period", 1, LONGEST / SECOND)? * SECOND;
        let (gives_back, quantity) = read_quantity(&mut words)?;
        if words.peek().is_some() {
            return Err(Refusal::err("wrong number of arguments for 'cl.throttle' command"));
        }
        let rule = Rule { count, period_ms, kind: LimitKind::Bucket { burst } };
        let item = RequestedLimit { limit: Limit { name: Some(NAME), rule }, cost: quantity.max(1) };
        let check = Check::plain(CheckRequest::one(item));
        if gives_back {
            commit::write::<Subject, _>(call.ctx, key, |subject, now, _| {
                ratelimit::decide_refund(subject, &check.request, now)
            })?;
        }
        if quantity == 0 || gives_back {
            return commit::read::<Subject, _>(call.ctx, key, |subject, now| {
                let rebased = Subject::rebased(subject, now);
                let subject = rebased.as_ref().or(subject);
                let verdict = ratelimit::current_rows(subject, &check.request, now)?;
                verdict.rows().first().into_iter().for_each(|row| reply_throttle(call, row, true));
                Ok(())
            });
        }
        let verdict = commit::write::<Subject, _>(call.ctx, key, |subject, now, _| {
            ratelimit::decide_check(subject, &check, now)
        })?;
        stats::count(Outcome::of(&verdict), || call.ctx.db(), key.bytes());
        verdict.binding().into_iter().for_each(|row| reply_throttle(call, row, row.allowed));
        Ok(())
    }
}

/// Reads the quantity, 1 if it is missing. A negative one is given back.
fn read_quantity(words: &mut ArgReader<'_>) -> Result<(bool, u64), Refusal> {
    let Some(text) = words.next_if(|_| true) else { return Ok((false, 1)) };
    let (is_negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let given = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let quantity = given.and_then(|text| text.parse().ok()).filter(|quantity| *quantity <= MAX_COUNT);
    let quantity = quantity.ok_or_else(|| {
        let given = shown(text);
        let range = format!("-{MAX_COUNT} and {MAX_COUNT}");
        Refusal::err(format!("quantity '{given}': must be a whole number between {range}"))
    })?;
    Ok((is_negative && quantity > 0, quantity))
}

/// `[limited, limit, remaining, retry_after, reset_after]` in seconds, rounded up. A retry_after of
/// -1 means that the call was allowed, or can never pass.
fn reply_throttle(call: Call<'_>, row: &LimitRow<'_>, allowed: bool) {
    let retry = if allowed { 0 } else { row.retry_after_ms };
    call.reply.array(5);
    call.reply.int(i64::from(!allowed));
    call.reply.uint(row.capacity);
    call.reply.uint(row.remaining);
    match u64::try_from(retry) {
        Ok(0) | Err(_) => call.reply.int(-1),
        Ok(retry) => call.reply.uint(retry.div_ceil(SECOND)),
    }
    call.reply.uint(row.reset_after_ms.div_ceil(SECOND));
}
