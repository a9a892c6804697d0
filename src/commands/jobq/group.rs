//! GROUP: one group's own width, and what holds it up.

use crate::domain::jobq;
use crate::domain::jobq::{GroupView, MAX_CONCURRENCY, MAX_NAME_BYTES, Pause, Queue};
use crate::domain::refusal::{Refusal, shown};
use crate::module_api::command::Call;
use crate::module_api::reply::Reply;
use crate::runtime::handler::Handler;

use crate::commands::args::{ArgReader, MAX_ITEMS, unknown};
use crate::runtime::commit;

/// A cursor is the last name that was looked at, behind this; `0` is the beginning and the end.
const BEHIND: u8 = b'>';

/// The name of a group.
pub(crate) fn group_name<'a>(words: &mut ArgReader<'a>) -> Result<&'a [u8], Refusal> {
    words.id_of("GROUP", MAX_NAME_BYTES)
}

/// `JOBQ.GROUP SET key g CONCURRENCY n|default`
pub struct GroupSet;

impl Handler for GroupSet {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        words.next_arg("subcommand")?;
        let (key, group) = (words.name("key")?, group_name(&mut words)?);
        let mut concurrency = None;
        while let Some(option) = words.option()? {
            match option.folded() {
                b"CONCURRENCY" if words.next_if(|word| word.eq_ignore_ascii_case(b"default")).is_some() => {
                    concurrency = Some(None);
                }
                b"CONCURRENCY" => {
                    let given = words.integer("CONCURRENCY", 1, MAX_CONCURRENCY.into());
                    let or_default = |refusal: Refusal| {
                        Refusal::new(refusal.code, format!("{}, or default", refusal.text))
                    };
                    concurrency = Some(Some(given.map_err(or_default)? as u32));
                }
                _ => return Err(unknown(&option)),
            }
        }
        let concurrency = concurrency.ok_or_else(|| Refusal::err("nothing to set: give CONCURRENCY"))?;
        commit::write::<Queue, _>(call.ctx, key, |queue, now, _| {
            jobq::decide_set_group(queue, group, concurrency, now)
        })?;
        call.reply.ok();
        Ok(())
    }
}

/// `JOBQ.GROUP GET key g`
pub struct GroupGet;

impl Handler for GroupGet {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        words.next_arg("subcommand")?;
        let (key, group) = (words.name("key")?, group_name(&mut words)?);
        commit::read::<Queue, _>(call.ctx, key, |queue, now| {
            let view = jobq::group(queue, group, now);
            call.reply.map(6);
            describe(&view, call.reply);
            call.reply.bulk(b"ready");
            call.reply.uint(view.ready as u64);
            call.reply.bulk(b"under_way");
            call.reply.uint(view.held.into());
            Ok(())
        })
    }
}

/// `JOBQ.GROUP LIST key [CURSOR c] [COUNT n]`
pub struct GroupList;

impl Handler for GroupList {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        words.next_arg("subcommand")?;
        let key = words.name("key")?;
        let (mut after, mut count) = (None, 100);
        while let Some(option) = words.option()? {
            match option.folded() {
                b"CURSOR" => after = cursor(words.next_arg("CURSOR")?)?,
                b"COUNT" => count = words.integer("COUNT", 1, MAX_ITEMS as u64)? as usize,
                _ => return Err(unknown(&option)),
            }
        }
        commit::read::<Queue, _>(call.ctx, key, |queue, now| {
            let (rows, last) = jobq::groups(queue, after, count, now);
            let reply = call.reply;
            reply.array(2);
            match last {
                Some(last) => reply.bulk(&[&[BEHIND], last].concat()),
                None => reply.bulk(b"0"),
            }
            reply.array(rows.len());
            for (name, view) in &rows {
                reply.map(5);
                reply.bulk(b"group");
                reply.bulk(name);
                describe(view, reply);
            }
            Ok(())
        })
    }
}

fn describe(view: &GroupView, reply: Reply<'_>) {
    let number = |name: &[u8], number: Option<u64>| {
        reply.bulk(name);
        number.map_or_else(|| reply.null(), |number| reply.uint(number));
    };
    number(b"concurrency", view.concurrency.map(u64::from));
    reply.bulk(b"paused");
    reply.word(match view.pause {
        None => c"no",
        Some(Pause { pushes: false, .. }) => c"pops",
        Some(_) => c"pops and pushes",
    });
    number(b"paused_until_ms", view.pause.and_then(|pause| pause.until));
    number(b"rate_until_ms", view.rate_until);
}

fn cursor(given: &[u8]) -> Result<Option<&[u8]>, Refusal> {
    match given {
        b"0" => Ok(None),
        [BEHIND, name @ ..] => Ok(Some(name)),
        _ => {
            let given = shown(given);
            Err(Refusal::err(format!("CURSOR '{given}': expected 0 or the cursor of the last answer")))
        }
    }
}
