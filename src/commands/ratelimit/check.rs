//! CHECK and PEEK.

use crate::domain::ratelimit;
use crate::domain::ratelimit::{
    Check, CheckRequest, Limit, Lockout, MAX_FACTOR, MAX_HOLD_ID_LEN, RequestedLimit, Subject, is_limit,
};
use crate::domain::refusal::{Refusal, shown};
use crate::module_api::command::Call;
use crate::module_api::context::Origin;
use crate::module_api::server_string::ServerStr;
use crate::runtime::handler::{Handler, VerbatimHandler};

use super::check_wait::Wait;
use super::limit_args::NamedPolicies;
use super::limit_rows::reply_rows;
use super::stats::Outcome;
use super::verdict_reply::{ReplyShape, reply_one, reply_verdict};
use crate::commands::args::{ArgReader, Keyword, unknown};
use crate::commands::ratelimit::{check_wait, limit_args, stats};
use crate::runtime::commit;
use crate::runtime::commit::{ReplicateAs, Write};

/// `RATELIMIT.CHECK key limit|@policy [limit|@policy …] [COST n | COST name=n[,name=n]] [UPTO]
/// [LOCKOUT d [FACTOR f MAX d]] [SHADOW] [HOLD id d] [BLOCK d] [DETAIL | BRIEF]`
pub struct CheckLimits;

impl VerbatimHandler for CheckLimits {
    fn run(call: Call<'_>, origin: Origin) -> Result<(), Refusal> {
        let short = if origin == Origin::Client { limit_args::read_one_cached(call.args) } else { None };
        if let Some((limit, is_brief)) = short {
            let shape = if is_brief { ReplyShape::Brief } else { ReplyShape::Plain };
            return check_one(call, &limit, shape);
        }
        let policies = NamedPolicies::new();
        let CheckCall { key, check, shape, block } = read_check(call, &policies)?;
        if let Some(block) = block {
            return check_wait::check_or_wait(
                call,
                key,
                &check,
                shape.for_call(&check.request, &policies),
                block,
            );
        }
        let is_plain = policies.get().is_none() && check.is_plain();
        let how = Write::replicated_as(ReplicateAs::choose(origin, is_plain)).replying();
        let shape = shape.for_call(&check.request, &policies);
        commit::write_with::<Subject, _>(call.ctx, key, how, |subject, now, _| {
            let decision = ratelimit::decide_check(subject, &check, now)?;
            commit::refuse(call.ctx, subject, decision.effect.as_ref())?;
            Ok(decision.map(|verdict| {
                let outcome = Outcome::of(&verdict);
                stats::count(outcome, || call.ctx.db(), key.bytes());
                if policies.get().is_some() {
                    let named = stats::policies_of(call.args);
                    stats::count_for_policies(outcome, call.ctx.db(), key.bytes(), named);
                }
                reply_verdict(&verdict, verdict.taken_cost(), shape, call.reply);
            }))
        })
    }

    /// Charges what the primary has allowed, without deciding again.
    fn replay(call: Call<'_>, origin: Origin) -> Result<(), Refusal> {
        let policies = NamedPolicies::new();
        let CheckCall { key, check, block, .. } = read_check(call, &policies)?;
        if policies.get().is_some() || !check.is_plain() || block.is_some() {
            return Err(commit::not_replicable_verbatim());
        }
        let taken = |_: Option<&Subject>, now| Some(ratelimit::check_effect(&check.request, now));
        commit::apply_verbatim(call.ctx, key, origin, taken)?;
        call.reply.ok();
        Ok(())
    }
}

/// A call of one limit without a name, of cost 1, and with no option but BRIEF: most are like this.
fn check_one(call: Call<'_>, limit: &Limit<'_>, shape: ReplyShape) -> Result<(), Refusal> {
    let key = call.args.name(1);
    let answered = |outcome| stats::count(outcome, || call.ctx.db(), key.bytes());
    commit::write_in_place::<Subject, _, _>(
        call.ctx,
        key,
        |subject, now| {
            let (answer, change) = ratelimit::decide_in_place(subject, limit, 1, now)?;
            answered(if answer.taken > 0 { Outcome::Allowed } else { Outcome::Denied });
            reply_one(&answer, shape, call.reply);
            Some(((), change))
        },
        Subject::change_in_place,
        |subject, now, _| {
            let check = Check::plain(CheckRequest::one(RequestedLimit { limit: *limit, cost: 1 }));
            let decision = ratelimit::decide_check(subject, &check, now)?;
            commit::refuse(call.ctx, subject, decision.effect.as_ref())?;
            Ok(decision.map(|verdict| {
                answered(Outcome::of(&verdict));
                reply_verdict(&verdict, verdict.taken_cost(), shape, call.reply);
            }))
        },
    )
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

struct CheckCall<'a> {
    key: ServerStr<'a>,
    check: Check<'a>,
    shape: ReplyShape,
    /// How long the client waits for a grant, and the text of COST, which is read again at each
    /// try.
    block: Option<Wait<'a>>,
}

fn read_check<'a>(call: Call<'a>, policies: &'a NamedPolicies) -> Result<CheckCall<'a>, Refusal> {
    let mut words = ArgReader::of(call.args);
    let key = words.name("key")?;
    let mut check = Check::plain(limit_args::read_limits(&mut words, policies)?);
    let mut shape = ReplyShape::Plain;
    let (mut by_name, mut lockout) = (false, LockoutOptions::default());
    let (mut given_cost, mut block) = (None, None);
    while let Some(option) = words.option()? {
        match option.folded() {
            b"COST" => {
                let cost = words.next_arg("COST")?;
                by_name = cost.contains(&b'=');
                given_cost = Some(cost);
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
            b"BLOCK" => block = words.duration("BLOCK")?.into(),
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
    if block.is_some() && (check.shadow || check.lockout.is_some()) {
        return Err(Refusal::err(
            "BLOCK goes with neither SHADOW nor LOCKOUT: a call that waits is not denied",
        ));
    }
    let block = block.map(|timeout| Wait { timeout, cost: given_cost });
    Ok(CheckCall { key, check, shape, block })
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
