//! RATELIMIT: limits and quotas.

use std::cell::OnceCell;
use std::rc::Rc;

use crate::domain::ratelimit::{
    self, Limit, Policies, Policy, Request, Row, Subject, Verdict, is_limit, is_policy_name,
};
use crate::domain::refusal::Refusal;
use crate::server::command::{Call, Handler};
use crate::server::name::Name;
use crate::server::reply::Reply;

use super::arguments::{Words, unknown};
use super::{commit, tables};

/// BRIEF's answer when a call can never pass: the least integer that every client language holds.
const NEVER: i64 = -((1 << 53) - 1);

/// How much a reply says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Plain,
    Detail,
    Brief,
}

/// `RATELIMIT.CHECK key limit|@policy [limit|@policy …] [COST n | COST name=n[,name=n]] [DETAIL | BRIEF]`
pub struct Check;

impl Handler for Check {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let policies = OnceCell::new();
        let (key, request, shape) = read(call, &policies, true)?;
        let verdict = commit::write::<Subject, _>(call.ctx, key, |subject, now, _| {
            ratelimit::decide_check(subject, &request, now)
        })?;
        answer(&verdict, shape, policies.get().is_some(), call.reply);
        Ok(())
    }
}

/// `RATELIMIT.PEEK key [limit|@policy …] [COST …] [DETAIL]`
pub struct Peek;

impl Handler for Peek {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let policies = OnceCell::new();
        let (key, request, shape) = read(call, &policies, false)?;
        let reply = call.reply;
        commit::read::<Subject, _>(call.ctx, key, |subject, now| {
            let verdict = ratelimit::peek(subject, &request, now)?;
            if request.asks().is_empty() {
                rows(&verdict, reply);
            } else {
                answer(&verdict, shape, policies.get().is_some(), reply);
            }
            Ok(())
        })
    }
}

/// Limits come first; the first argument that is none begins the options. `policies` keeps those that the
/// call names, if it does.
fn read<'a>(
    call: Call<'a>,
    policies: &'a Named,
    brief: bool,
) -> Result<(Name<'a>, Request<'a>, Shape), Refusal> {
    let mut words = Words::of(call.args);
    let key = words.name("key")?;
    let is_plain = |word: &[u8]| is_limit(word) && !is_policy_name(word);
    let mut request = Request::parse(std::iter::from_fn(|| words.next_if(is_plain)))?;
    if words.peek().is_some_and(is_policy_name) {
        words = Words::of(call.args);
        words.name("key")?;
        request = expanded(&mut words, policies)?;
    }
    let mut shape = Shape::Plain;
    while let Some(option) = words.option()? {
        match option.folded() {
            b"COST" => request.set_cost(words.word("COST")?)?,
            b"DETAIL" if shape == Shape::Plain => shape = Shape::Detail,
            b"BRIEF" if brief && shape == Shape::Plain => shape = Shape::Brief,
            b"BRIEF" | b"DETAIL" if brief => {
                return Err(Refusal::err("give either DETAIL or BRIEF, not both"));
            }
            _ => return Err(unknown(&option)),
        }
    }
    Ok((key, request, shape))
}

/// The policies that a call names, in their order. Most calls name none, and allocate nothing for it.
type Named = OnceCell<Vec<Rc<Policy>>>;

/// The limits of a call with each policy's in the place of its name.
fn expanded<'a>(words: &mut Words<'a>, policies: &'a Named) -> Result<Request<'a>, Refusal> {
    let texts: Vec<&[u8]> =
        std::iter::from_fn(|| words.next_if(is_limit)).take(ratelimit::MOST_LIMITS + 1).collect();
    let named = texts.iter().filter(|text| is_policy_name(text));
    let named = named.map(|text| tables::read(|all: &Policies| all.named(text).cloned()));
    let named = named.collect::<Result<Vec<_>, Refusal>>()?;
    let mut named = policies.get_or_init(|| named).iter();
    let mut limits = Vec::new();
    for text in texts {
        if is_policy_name(text) {
            limits.extend(named.next().into_iter().flat_map(|policy| policy.limits()).map(Ok));
        } else {
            limits.push(Limit::parse(text));
        }
    }
    Request::of(limits)
}

fn answer(verdict: &Verdict<'_>, shape: Shape, names_policy: bool, reply: Reply<'_>) {
    let Some(row) = verdict.binding() else { return reply.array(0) };
    if shape == Shape::Brief {
        return reply.int(match row.retry_after_ms {
            0 => row.remaining as i64,
            -1 => NEVER,
            retry => -retry,
        });
    }
    let several = names_policy || verdict.rows().len() > 1;
    let detail = shape == Shape::Detail;
    reply.array(5 + usize::from(several) + usize::from(detail));
    reply.uint(verdict.taken());
    reply.uint(row.capacity);
    reply.uint(row.remaining);
    reply.int(row.retry_after_ms);
    reply.uint(row.reset_after_ms);
    if several {
        reply.bulk(&row.name());
    }
    if detail {
        rows(verdict, reply);
    }
}

/// `[name, allowed, limit, remaining, retry_after_ms, reset_after_ms, used, period_ms, spec]` each.
fn rows(verdict: &Verdict<'_>, reply: Reply<'_>) {
    reply.array(verdict.rows().len());
    for row in verdict.rows() {
        one_row(row, reply);
    }
}

fn one_row(row: &Row<'_>, reply: Reply<'_>) {
    reply.array(9);
    reply.bulk(&row.name());
    reply.int(i64::from(row.allowed));
    reply.uint(row.capacity);
    reply.uint(row.remaining);
    reply.int(row.retry_after_ms);
    reply.uint(row.reset_after_ms);
    reply.uint(row.used);
    reply.uint(row.period_ms);
    reply.bulk(row.spec().as_bytes());
}
