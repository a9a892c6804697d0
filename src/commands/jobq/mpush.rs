//! MPUSH.

use crate::domain::jobq;
use crate::domain::jobq::{MAX_JOBS_PER_CALL, Queue};
use crate::domain::refusal::{Code, Refusal};
use crate::module_api::command::Call;
use crate::module_api::context::Origin;
use crate::runtime::handler::VerbatimHandler;

use super::push::{
    AfterOptions, UniqueOptions, chosen_id, has_one_time, parse_common_option, refuse_if_evictable,
    refuse_match_alone, replay_plain, reply_pushed, within_limit,
};
use crate::commands::args::{ArgReader, unknown};
use crate::runtime::commit;
use crate::runtime::commit::{ReplicateAs, Write};

/// All payloads together.
const MAX_BATCH_BYTES: usize = jobq::MAX_REPLY_BYTES;

/// `JOBQ.MPUSH key n payload … [IDS n id …] [options of PUSH, for all of them]`
pub struct PushMany;

impl VerbatimHandler for PushMany {
    fn run(call: Call<'_>, origin: Origin) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let payloads = payloads_of(&mut words)?;
        let is_plain = words.peek().is_none() && has_one_time(origin);
        let how = Write::replicated_as(ReplicateAs::choose(origin, is_plain));
        refuse_large(&payloads)?;
        let (mut all, mut ids, mut unique) = (jobq::Push::plain(b""), Vec::new(), UniqueOptions::default());
        let mut waiting = AfterOptions::default();
        while let Some(option) = words.option()? {
            match option.folded() {
                b"IDS" => ids = ids_of(payloads.len(), &mut words)?,
                _ if unique.take(&option, &mut words)? || waiting.take(&option, &mut words)? => {}
                _ if parse_common_option(&mut all, &option, &mut words)? => {}
                _ => return Err(unknown(&option)),
            }
        }
        refuse_match_alone(&all, !ids.is_empty())?;
        all.unique = unique.build()?;
        all.after = waiting.build(payloads.len())?;
        let push = |(at, payload)| jobq::Push { payload, id: ids.get(at).copied(), ..all.clone() };
        let pushes: Vec<jobq::Push<'_>> = payloads.into_iter().enumerate().map(push).collect();
        let pushed = commit::write_with::<Queue, _>(call.ctx, key, how, |queue, now, tokens| {
            refuse_if_evictable(jobq::decide_push_many(queue, &pushes, now, tokens))
        })?;
        call.reply.array(pushed.len());
        pushed.iter().for_each(|pushed| reply_pushed(pushed, call.reply));
        Ok(())
    }

    fn replay(call: Call<'_>, origin: Origin) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let payloads = payloads_of(&mut words)?;
        replay_plain(call, key, &payloads, &words, origin)
    }
}

/// `n payload …`
fn payloads_of<'a>(words: &mut ArgReader<'a>) -> Result<Vec<&'a [u8]>, Refusal> {
    let count = words.integer("the number of payloads", 1, MAX_JOBS_PER_CALL as u64)?;
    words.next_n(count, |words| words.next_arg("payload"))
}

fn refuse_large(payloads: &[&[u8]]) -> Result<(), Refusal> {
    payloads.iter().try_for_each(|payload| within_limit(payload).map(drop))?;
    let bytes: usize = payloads.iter().map(|payload| payload.len()).sum();
    if bytes > MAX_BATCH_BYTES && payloads.len() > 1 {
        let text = format!(
            "the payloads have {bytes} bytes together, at most {MAX_BATCH_BYTES} are allowed in a call: push them in several"
        );
        return Err(Refusal::new(Code::TooBig, text));
    }
    Ok(())
}

fn ids_of<'a>(payloads: usize, words: &mut ArgReader<'a>) -> Result<Vec<&'a [u8]>, Refusal> {
    let given = words.integer("the number of IDS", 1, MAX_JOBS_PER_CALL as u64)?;
    if given != payloads as u64 {
        let text = format!("IDS {given}: there are {payloads} payloads, give an id for each");
        return Err(Refusal::err(text));
    }
    words.next_n(given, chosen_id)
}
