//! RATELIMIT: limits and quotas.

use crate::domain::ratelimit::{self, Request, Row, Subject, Verdict, is_limit};
use crate::domain::refusal::Refusal;
use crate::server::command::{Call, Handler};
use crate::server::name::Name;
use crate::server::reply::Reply;

use super::arguments::{Words, unknown};
use super::commit;

/// BRIEF's answer when a call can never pass: the least integer that every client language holds.
const NEVER: i64 = -((1 << 53) - 1);

/// How much a reply says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Plain,
    Detail,
    Brief,
}

/// `RATELIMIT.CHECK key limit [limit …] [COST n | COST name=n[,name=n]] [DETAIL | BRIEF]`
pub struct Check;

impl Handler for Check {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let (key, request, shape) = read(call, true)?;
        let verdict = commit::write::<Subject, _>(call.ctx, key, |subject, now, _| {
            ratelimit::decide_check(subject, &request, now)
        })?;
        answer(&verdict, shape, call.reply);
        Ok(())
    }
}

/// `RATELIMIT.PEEK key [limit …] [COST …] [DETAIL]`
pub struct Peek;

impl Handler for Peek {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let (key, request, shape) = read(call, false)?;
        let reply = call.reply;
        commit::read::<Subject, _>(call.ctx, key, |subject, now| {
            let verdict = ratelimit::peek(subject, &request, now)?;
            if request.asks().is_empty() {
                rows(&verdict, reply);
            } else {
                answer(&verdict, shape, reply);
            }
            Ok(())
        })
    }
}

/// Limits come first; the first argument that is none begins the options.
fn read<'a>(call: Call<'a>, brief: bool) -> Result<(Name<'a>, Request<'a>, Shape), Refusal> {
    let mut words = Words::of(call.args);
    let key = words.name("key")?;
    let mut request = Request::parse(std::iter::from_fn(|| words.next_if(is_limit)))?;
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

fn answer(verdict: &Verdict<'_>, shape: Shape, reply: Reply<'_>) {
    let Some(row) = verdict.binding() else { return reply.array(0) };
    if shape == Shape::Brief {
        return reply.int(match row.retry_after_ms {
            0 => row.remaining as i64,
            -1 => NEVER,
            retry => -retry,
        });
    }
    let several = verdict.rows().len() > 1;
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
