//! CHECK … BLOCK: waits until every limit allows.

use crate::domain::decision::Decision;
use crate::domain::ratelimit;
use crate::domain::ratelimit::{Charge, Check, CheckVerdict, Effect, Subject};
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::module_api;
use crate::module_api::blocking::WantedName;
use crate::module_api::command::Call;
use crate::module_api::context::Ctx;
use crate::module_api::reply::Reply;
use crate::module_api::server_string::ServerStr;

use super::kept_reply::KeptReply;
use super::limit_args::NamedPolicies;
use super::stats::Outcome;
use super::verdict_reply::{ReplyShape, reply_verdict};
use crate::commands::ratelimit::{limit_args, stats};
use crate::runtime::blocking;
use crate::runtime::blocking::{Decided, Waitable};
use crate::runtime::commit;
use crate::runtime::commit::Write;

/// BLOCK of a call.
#[derive(Clone, Copy)]
pub struct Wait<'a> {
    pub timeout: u64,
    pub cost: Option<&'a [u8]>,
}

/// Answers at once what is granted, refused or can never pass, and waits for all else. `check` is
/// the call as it stands now.
pub fn check_or_wait(
    call: Call<'_>,
    key: ServerStr<'_>,
    check: &Check<'_>,
    shape: ReplyShape,
    wait: Wait<'_>,
) -> Result<(), Refusal> {
    let ctx = call.ctx;
    let request = WaitingCheck::new(call, check, shape, wait);
    let may_wait = !ctx.must_not_block() && ctx.is_primary();
    if may_wait && module_api::blocking::stands_behind_others(ctx, key, &request.wants) {
        let denied = commit::read::<Subject, _>(ctx, key, |subject, now| {
            let decision = request.decide(subject, now, &TokenClock::new())?;
            let must_wait = decision.effect.is_some() || decision.reply.must_wait;
            if must_wait { request.timeout_reply(subject, now).map(Some) } else { Ok(None) }
        })?;
        if let Some(denied) = denied {
            blocking::wait(call, &[key], request, denied, wait.timeout);
            return Ok(());
        }
    }
    blocking::answer(call, key, request, Some(wait.timeout))
}

/// A CHECK that may wait. It holds the words of the call, since policies may change in the
/// meantime.
struct WaitingCheck {
    db: i32,
    limits: Vec<Box<[u8]>>,
    cost: Option<Box<[u8]>>,
    upto: bool,
    hold: Option<(Box<[u8]>, u64)>,
    shape: ReplyShape,
    wants: Vec<WantedName>,
}

/// The answer, freed from the state.
struct CheckAnswer {
    reply: KeptReply,
    outcome: Outcome,
    /// It was denied, and may pass later.
    must_wait: bool,
    retry_after_ms: u64,
    /// What to give back if the client has gone, and when it was taken.
    charges: Vec<Charge>,
    taken_at: UnixMs,
}

impl WaitingCheck {
    fn new(call: Call<'_>, check: &Check<'_>, shape: ReplyShape, wait: Wait<'_>) -> Self {
        let words = (2..call.args.len()).map_while(|at| call.args.get(at));
        // What costs nothing of a limit does not stand in its line.
        let wanted = check.request.items().iter().filter(|item| item.cost > 0);
        let mut wants: Vec<WantedName> =
            wanted.map(|item| WantedName::of(item.limit.display_name().as_bytes())).collect();
        wants.sort_unstable();
        WaitingCheck {
            db: call.ctx.db(),
            limits: words.take_while(|word| ratelimit::is_limit(word)).map(Box::from).collect(),
            cost: wait.cost.map(Box::from),
            upto: check.upto,
            hold: check.hold.map(|(id, length)| (id.into(), length)),
            shape,
            wants,
        }
    }

    /// Calls `body` with the check as the policies are now, and with the state as of `now`.
    fn with_check<R>(
        &self,
        subject: Option<&Subject>,
        now: UnixMs,
        body: impl FnOnce(Option<&Subject>, &Check<'_>) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        let policies = NamedPolicies::new();
        let limits = self.limits.iter().map(|limit| &limit[..]).collect();
        let mut check = Check::plain(limit_args::expand(limits, &policies)?);
        if let Some(cost) = &self.cost {
            check.request.set_cost(cost)?;
        }
        check.upto = self.upto;
        check.hold = self.hold.as_ref().map(|(id, length)| (&id[..], *length));
        let rebased = Subject::rebased(subject, now);
        body(rebased.as_ref().or(subject), &check)
    }

    fn answer(&self, verdict: &CheckVerdict<'_>, effect: Option<&Effect>) -> CheckAnswer {
        let retry = verdict.binding().map_or(0, |row| row.retry_after_ms);
        let mut reply = KeptReply::default();
        reply_verdict(verdict, verdict.taken_cost(), self.shape, &mut reply);
        // Who comes again with its hold gets the same answer, so that one stays.
        let (charges, taken_at) = match effect {
            Some(Effect::Taken { charges, hold: None, now }) => (charges.as_slice().to_vec(), *now),
            _ => (Vec::new(), 0),
        };
        CheckAnswer {
            reply,
            outcome: Outcome::of(verdict),
            must_wait: retry > 0,
            retry_after_ms: u64::try_from(retry).unwrap_or(0),
            charges,
            taken_at,
        }
    }
}

impl Waitable for WaitingCheck {
    type Value = Subject;
    type Answer<'s> = CheckAnswer;

    fn wants(&self) -> &[WantedName] {
        &self.wants
    }

    fn decide<'s>(&self, subject: Option<&'s Subject>, now: UnixMs, _: &TokenClock) -> Decided<'s, Self> {
        self.with_check(subject, now, |subject, check| {
            let Decision { reply: verdict, effect } = ratelimit::decide_check(subject, check, now)?;
            Ok(Decision { reply: self.answer(&verdict, effect.as_ref()), effect })
        })
    }

    fn is_empty(answer: &CheckAnswer) -> bool {
        answer.must_wait
    }

    fn into_owned(answer: CheckAnswer) -> CheckAnswer {
        answer
    }

    /// When the limits allow if nobody takes from them, and no lock holds.
    fn next_due(&self, subject: &Subject, now: UnixMs) -> Option<UnixMs> {
        let decision = self.decide(Some(subject), now, &TokenClock::new());
        Some(now.saturating_add(decision.ok()?.reply.retry_after_ms))
    }

    fn timeout_reply(&self, subject: Option<&Subject>, now: UnixMs) -> Result<CheckAnswer, Refusal> {
        self.with_check(subject, now, |subject, check| {
            let present = ratelimit::named_rows(subject, &check.request, now)?;
            Ok(self.answer(&present.denied(), None))
        })
    }

    fn reply(&self, answer: &CheckAnswer, key: ServerStr<'_>, reply: Reply<'_>) {
        stats::count(answer.outcome, || self.db, key.bytes());
        let policies =
            self.limits.iter().map(|limit| &**limit).filter(|limit| ratelimit::is_policy_name(limit));
        stats::count_for_policies(answer.outcome, self.db, key.bytes(), policies);
        answer.reply.send(reply);
    }

    fn undo(&self, answer: &CheckAnswer, ctx: Ctx<'_>, key: ServerStr<'_>) {
        let give_back = |subject: Option<&Subject>, now, _: &TokenClock| {
            Ok(ratelimit::decide_give_back(subject, &answer.charges, answer.taken_at, now))
        };
        // Refused if another value is under the key by now: then there is nothing to give back.
        let _ = commit::write_with::<Subject, _>(ctx, key, Write::without_serving(), give_back);
    }
}
