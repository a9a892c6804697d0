//! UPDATE: an operator changes a job.

use crate::domain::jobq;
use crate::domain::jobq::{Due, MAX_RETRIES, Queue};
use crate::domain::refusal::Refusal;
use crate::module_api::command::Call;
use crate::runtime::handler::Handler;

use super::push::{AfterOptions, MAX_AT_MS, payload};
use crate::commands::args::{ArgReader, unknown};
use crate::runtime::commit;

/// `JOBQ.UPDATE key id [PRIORITY p] [DELAY d | AT unix_ms | NOW] [LIFO | FIFO] [RETRIES n]
/// [PAYLOAD b] [NOUNIQUE] [AFTER n id … [ONDEAD wait|fail|run]]`
pub struct Update;

impl Handler for Update {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let (key, id) = (words.name("key")?, words.id("id")?);
        let (mut update, mut parents) = (jobq::Update::default(), AfterOptions::default());
        while let Some(option) = words.option()? {
            match option.folded() {
                b"PRIORITY" => update.priority = Some(words.signed("PRIORITY")?),
                b"DELAY" | b"AT" | b"NOW" if update.due.is_some() => {
                    return Err(Refusal::err("give one of DELAY, AT and NOW"));
                }
                b"DELAY" => update.due = Some(Due::After(words.duration_or_zero("DELAY")?)),
                b"AT" => update.due = Some(Due::At(words.integer("AT", 0, MAX_AT_MS)?)),
                b"NOW" => update.due = Some(Due::After(0)),
                b"RETRIES" => {
                    update.retries = Some(words.integer("RETRIES", 0, MAX_RETRIES.into())? as u16);
                }
                b"LIFO" | b"FIFO" if update.lifo.is_some() => {
                    return Err(Refusal::err("give either LIFO or FIFO, not both"));
                }
                b"LIFO" => update.lifo = Some(true),
                b"FIFO" => update.lifo = Some(false),
                b"NOUNIQUE" => update.no_unique = true,
                b"PAYLOAD" => update.payload = Some(payload(&mut words)?),
                _ if parents.take(&option, &mut words)? => {}
                _ => return Err(unknown(&option)),
            }
        }
        update.parents = parents.parents()?;
        if update == jobq::Update::default() {
            return Err(Refusal::err(
                "nothing to change: give PRIORITY, DELAY, AT, NOW, LIFO, FIFO, RETRIES, PAYLOAD, NOUNIQUE or AFTER",
            ));
        }
        commit::write::<Queue, _>(call.ctx, key, |queue, now, _| {
            jobq::decide_update(queue, id, &update, now)
        })?;
        call.reply.ok();
        Ok(())
    }
}
