//! PUSH and MPUSH.

use crate::domain::jobq::{self, Backoff, DEFAULT_RETRIES, Due, MOST_AT_ONCE, MOST_RETRIES, Pushed, Queue};
use crate::domain::refusal::{Code, Refusal};
use crate::server::command::{Call, Handler};
use crate::server::reply::Reply;

use super::small;
use crate::commands::arguments::{Keyword, Words, unknown, within_size};
use crate::commands::commit;
use crate::commands::settings::JOBQ_MAX_PAYLOAD;

/// All payloads of an MPUSH together.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// The latest time of AT: year 2255.
const LATEST: u64 = 9_000_000_000_000;

fn plain(payload: &[u8]) -> jobq::Push<'_> {
    jobq::Push {
        payload,
        id: None,
        must_match: false,
        name: None,
        meta: None,
        due: Due::After(0),
        priority: 0,
        lifo: false,
        retries: DEFAULT_RETRIES,
        backoff: None,
        lease: None,
    }
}

fn payload<'a>(words: &mut Words<'a>) -> Result<&'a [u8], Refusal> {
    within_size("payload", words.word("payload")?, JOBQ_MAX_PAYLOAD.get(), "")
}

/// An option that PUSH and MPUSH have in common; false when it is another one.
fn common<'a>(
    push: &mut jobq::Push<'a>,
    option: &Keyword<'_>,
    words: &mut Words<'a>,
) -> Result<bool, Refusal> {
    match option.folded() {
        b"MATCH" => push.must_match = true,
        b"NAME" => push.name = Some(words.id("NAME")?),
        b"DELAY" | b"AT" if push.due != Due::After(0) => {
            return Err(Refusal::err("give either DELAY or AT, not both"));
        }
        b"DELAY" => push.due = Due::After(words.duration_or_zero("DELAY")?),
        b"AT" => push.due = Due::At(words.integer("AT", 0, LATEST)?),
        b"PRIORITY" => push.priority = words.signed("PRIORITY")?,
        b"LIFO" => push.lifo = true,
        b"RETRIES" => push.retries = words.integer("RETRIES", 0, MOST_RETRIES.into())? as u32,
        b"BACKOFF" => push.backoff = Some(Backoff::parse(words.word("BACKOFF")?)?),
        b"LEASE" => push.lease = Some(words.duration("LEASE")?),
        b"META" => push.meta = Some(small("META", words)?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn chosen_id<'a>(words: &mut Words<'a>) -> Result<&'a [u8], Refusal> {
    let id = words.id("ID")?;
    if id.starts_with(b"#") {
        return Err(Refusal::err("ID must not begin with '#': those ids are given by the queue"));
    }
    Ok(id)
}

fn refuse_match_alone(push: &jobq::Push<'_>, has_ids: bool) -> Result<(), Refusal> {
    if push.must_match && !has_ids {
        return Err(Refusal::err("MATCH goes with an ID: it compares the payload of the job that has it"));
    }
    Ok(())
}

fn answer(pushed: &Pushed, reply: Reply<'_>) {
    let (id, outcome) = match pushed {
        Pushed::New(id) => (id, c"NEW"),
        Pushed::Duplicate(id) => (id, c"DUP"),
    };
    reply.array(2);
    reply.bulk(id);
    reply.simple(outcome);
}

/// `JOBQ.PUSH key payload [ID id [MATCH]] [NAME n] [DELAY d | AT unix_ms] [PRIORITY p] [LIFO] [RETRIES n] [BACKOFF spec] [LEASE d]
/// [META b]`
pub struct Push;

impl Handler for Push {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let key = words.name("key")?;
        let mut push = plain(payload(&mut words)?);
        while let Some(option) = words.option()? {
            match option.folded() {
                b"ID" => push.id = Some(chosen_id(&mut words)?),
                _ if common(&mut push, &option, &mut words)? => {}
                _ => return Err(unknown(&option)),
            }
        }
        refuse_match_alone(&push, push.id.is_some())?;
        let pushed =
            commit::write::<Queue, _>(call.ctx, key, |queue, now, _| jobq::decide_push(queue, &push, now))?;
        answer(&pushed, call.reply);
        Ok(())
    }
}

/// `JOBQ.MPUSH key n payload … [IDS n id …] [options of PUSH, for all of them]`
pub struct PushMany;

impl Handler for PushMany {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let key = words.name("key")?;
        let count = words.integer("the number of payloads", 1, MOST_AT_ONCE as u64)?;
        let payloads = (0..count).map(|_| payload(&mut words)).collect::<Result<Vec<_>, _>>()?;
        let bytes: usize = payloads.iter().map(|payload| payload.len()).sum();
        if bytes > MOST_BYTES {
            let text = format!(
                "the payloads have {bytes} bytes together, at most {MOST_BYTES} are allowed in a call"
            );
            return Err(Refusal::new(Code::TooBig, text));
        }
        let (mut all, mut ids) = (plain(b""), Vec::new());
        while let Some(option) = words.option()? {
            match option.folded() {
                b"IDS" => {
                    let given = words.integer("the number of IDS", 1, MOST_AT_ONCE as u64)?;
                    if given != count {
                        let text = format!("IDS {given}: there are {count} payloads, give an id for each");
                        return Err(Refusal::err(text));
                    }
                    ids = (0..given).map(|_| chosen_id(&mut words)).collect::<Result<Vec<_>, _>>()?;
                }
                _ if common(&mut all, &option, &mut words)? => {}
                _ => return Err(unknown(&option)),
            }
        }
        refuse_match_alone(&all, !ids.is_empty())?;
        let push = |(at, payload)| jobq::Push { payload, id: ids.get(at).copied(), ..all.clone() };
        let pushes: Vec<jobq::Push<'_>> = payloads.into_iter().enumerate().map(push).collect();
        let pushed = commit::write::<Queue, _>(call.ctx, key, |queue, now, _| {
            jobq::decide_push_many(queue, &pushes, now)
        })?;
        call.reply.array(pushed.len());
        pushed.iter().for_each(|pushed| answer(pushed, call.reply));
        Ok(())
    }
}
