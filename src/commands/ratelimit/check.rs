//! CHECK and PEEK.

use crate::domain::ratelimit;
use crate::domain::ratelimit::{
    Check, CheckRequest, CheckVerdict, Lockout, MAX_FACTOR, MAX_HOLD_ID_LEN, Subject, is_limit,
};
use crate::domain::refusal::{Refusal, shown};
use crate::module_api::command::Call;
use crate::module_api::context::Origin;
use crate::module_api::reply::Reply;
use crate::module_api::server_string::ServerStr;
use crate::runtime::handler::{Handler, VerbatimHandler};

use super::limit_args::NamedPolicies;
use super::limit_rows::reply_rows;
use crate::commands::args::{ArgReader, Keyword, unknown};
use crate::commands::ratelimit::limit_args;
use crate::runtime::commit;
use crate::runtime::commit::{ReplicateAs, Write};
use crate::runtime::counters::{ALLOWED, DENIED};
use crate::runtime::eviction;

/// The BRIEF reply to a call that can never pass: below every other answer, and of 14 digits.
const BRIEF_NEVER: i64 = -99_999_999_999_999;

/// The form of the reply.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReplyShape {
    /// The five numbers of the binding limit.
    Plain,
    /// And the name of the binding limit.
    Named,
    /// And a row for each limit.
    Detail,
    /// One integer.
    Brief,
}

impl ReplyShape {
    /// Adds the name for a call that could bind by more than one limit. The words of the call decide
    /// it, never the state: clients read elements by their position.
    fn for_call(self, request: &CheckRequest<'_>, policies: &NamedPolicies) -> Self {
        let is_several = request.items().len() > 1 || policies.get().is_some();
        if self == ReplyShape::Plain && is_several { ReplyShape::Named } else { self }
    }
}

/// `RATELIMIT.CHECK key limit|@policy [limit|@policy …] [COST n | COST name=n[,name=n]] [UPTO] [LOCKOUT d [FACTOR f MAX d]]
/// [SHADOW] [HOLD id d] [DETAIL | BRIEF]`
pub struct CheckLimits;

impl VerbatimHandler for CheckLimits {
    fn run(call: Call<'_>, origin: Origin) -> Result<(), Refusal> {
        let policies = NamedPolicies::new();
        let (key, check, shape) = read_check(call, &policies)?;
        let is_plain = policies.get().is_none() && check.is_plain();
        let how = Write::replicated_as(ReplicateAs::choose(origin, is_plain));
        let shape = shape.for_call(&check.request, &policies);
        commit::write_with::<Subject, _>(call.ctx, key, how, |subject, now, _| {
            let decision = ratelimit::decide_check(subject, &check, now)?;
            eviction::refuse_if_full(call.ctx, subject, decision.effect.as_ref())?;
            Ok(decision.map(|verdict| {
                (if verdict.allowed() { &ALLOWED } else { &DENIED }).add(1);
                reply_verdict(&verdict, verdict.taken_cost(), shape, call.reply);
            }))
        })
    }

    /// Charges what the primary has allowed, without deciding again.
    fn replay(call: Call<'_>, origin: Origin) -> Result<(), Refusal> {
        let policies = NamedPolicies::new();
        let (key, check, _) = read_check(call, &policies)?;
        if policies.get().is_some() || !check.is_plain() {
            return Err(commit::not_replicable_verbatim());
        }
        let taken = |_: Option<&Subject>, now| Some(ratelimit::check_effect(&check.request, now));
        commit::apply_verbatim(call.ctx, key, origin, taken)?;
        call.reply.ok();
        Ok(())
    }
}

/// `RATELIMIT.PEEK key [limit|@policy …] [COST …] [DETAIL]`
pub struct Peek;

impl Handler for Peek {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let policies = NamedPolicies::new();
        let (key, request, shape) = read_peek(call, &policies)?;
        let reply = call.reply;
        commit::read::<Subject, _>(call.ctx, key, |subject, now| {
            let rebased = Subject::rebased(subject, now);
            let subject = rebased.as_ref().or(subject);
            let verdict = ratelimit::current_rows(subject, &request, now)?;
            if request.items().is_empty() {
                reply_rows(&verdict, reply);
            } else {
                let shape = shape.for_call(&request, &policies);
                reply_verdict(&verdict, u64::from(verdict.allowed()), shape, reply);
            }
            Ok(())
        })
    }
}

fn read_check<'a>(
    call: Call<'a>,
    policies: &'a NamedPolicies,
) -> Result<(ServerStr<'a>, Check<'a>, ReplyShape), Refusal> {
    let mut words = ArgReader::of(call.args);
    let key = words.name("key")?;
    let mut check = Check::plain(limit_args::read_limits(&mut words, policies)?);
    let mut shape = ReplyShape::Plain;
    let (mut by_name, mut lockout) = (false, LockoutOptions::default());
    while let Some(option) = words.option()? {
        match option.folded() {
            b"COST" => {
                let cost = words.next_arg("COST")?;
                by_name = cost.contains(&b'=');
                check.request.set_cost(cost)?;
            }
            b"UPTO" => check.upto = true,
            b"SHADOW" => check.shadow = true,
            b"LOCKOUT" => lockout.length = Some(words.duration("LOCKOUT")?),
            b"FACTOR" => lockout.factor = Some(words.integer("FACTOR", 1, MAX_FACTOR)?),
            b"MAX" => lockout.most = Some(words.duration("MAX")?),
            b"HOLD" => {
                let id = words.id_of("the id of HOLD", MAX_HOLD_ID_LEN)?;
                check.hold = Some((id, words.duration("the duration of HOLD")?));
            }
            b"DETAIL" if shape == ReplyShape::Plain => shape = ReplyShape::Detail,
            b"BRIEF" if shape == ReplyShape::Plain => shape = ReplyShape::Brief,
            b"BRIEF" | b"DETAIL" => {
                return Err(Refusal::err("give either DETAIL or BRIEF, not both"));
            }
            _ => return Err(refuse_unknown_option(&option)),
        }
    }
    check.lockout = lockout.read()?;
    let brief = shape == ReplyShape::Brief;
    if check.upto && (by_name || brief) {
        return Err(Refusal::err("UPTO goes with one COST for all limits and not with BRIEF"));
    }
    if check.shadow && brief {
        return Err(Refusal::err("SHADOW does not go with BRIEF, which could not tell what was denied"));
    }
    Ok((key, check, shape))
}

/// The error for an unknown option, or for a limit among the options.
fn refuse_unknown_option(option: &Keyword<'_>) -> Refusal {
    if is_limit(option.given()) {
        let limit = shown(option.given());
        return Refusal::err(format!("limit '{limit}' stands behind an option: limits come first"));
    }
    unknown(option)
}

/// LOCKOUT and its sub-options, as far as they were given.
#[derive(Default)]
struct LockoutOptions {
    length: Option<u64>,
    factor: Option<u64>,
    most: Option<u64>,
}

impl LockoutOptions {
    fn read(&self) -> Result<Option<Lockout>, Refusal> {
        match (self.length, self.factor, self.most) {
            (length, None, None) => Ok(length.map(Lockout::steady)),
            (Some(length), Some(factor), Some(most)) => Lockout::growing(length, factor, most).map(Some),
            _ => {
                Err(Refusal::err("FACTOR and MAX go together, and with LOCKOUT: LOCKOUT d [FACTOR f MAX d]"))
            }
        }
    }
}

fn read_peek<'a>(
    call: Call<'a>,
    policies: &'a NamedPolicies,
) -> Result<(ServerStr<'a>, CheckRequest<'a>, ReplyShape), Refusal> {
    let mut words = ArgReader::of(call.args);
    let key = words.name("key")?;
    let mut request = limit_args::read_limits(&mut words, policies)?;
    let mut shape = ReplyShape::Plain;
    while let Some(option) = words.option()? {
        match option.folded() {
            b"COST" => request.set_cost_with_default(words.next_arg("COST")?, 1)?,
            b"DETAIL" => shape = ReplyShape::Detail,
            _ => return Err(refuse_unknown_option(&option)),
        }
    }
    Ok((key, request, shape))
}

/// `[first, limit, remaining, retry_after_ms, reset_after_ms]` of the binding limit, and what the
/// shape adds.
fn reply_verdict(verdict: &CheckVerdict<'_>, first: u64, shape: ReplyShape, reply: Reply<'_>) {
    let Some(row) = verdict.binding() else { return reply.array(0) };
    if shape == ReplyShape::Brief {
        return reply.int(match row.retry_after_ms {
            0 => row.remaining as i64,
            -1 => BRIEF_NEVER,
            retry => -retry,
        });
    }
    let has_name = shape != ReplyShape::Plain;
    let detail = shape == ReplyShape::Detail;
    reply.array(5 + usize::from(has_name) + usize::from(detail));
    reply.uint(first);
    reply.uint(row.capacity);
    reply.uint(row.remaining);
    reply.int(row.retry_after_ms);
    reply.uint(row.reset_after_ms);
    if has_name {
        reply.bulk(&row.name());
    }
    if detail {
        reply_rows(verdict, reply);
    }
}
