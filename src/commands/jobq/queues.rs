//! QUEUES: the queues of a database, without looking at its other keys.

use crate::domain::refusal::{Refusal, shown};
use crate::module_api::command::Call;
use crate::runtime::handler::Handler;

use super::queue_registry::Page;
use crate::commands::args::{ArgReader, MAX_ITEMS, unknown};
use crate::commands::jobq::queue_registry;

/// As many names at once unless the caller says otherwise.
const DEFAULT_COUNT: usize = 100;

/// A cursor is the last name that was looked at, behind this; `0` is the beginning and the end.
const BEHIND: u8 = b'>';

/// `JOBQ.QUEUES [CURSOR c] [COUNT n]`
pub struct Queues;

impl Handler for Queues {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let (mut after, mut count) = (None, DEFAULT_COUNT);
        while let Some(option) = words.option()? {
            match option.folded() {
                b"CURSOR" => after = cursor(words.next_arg("CURSOR")?)?,
                b"COUNT" => count = words.integer("COUNT", 1, MAX_ITEMS as u64)? as usize,
                _ => return Err(unknown(&option)),
            }
        }
        let Page { names, last } = queue_registry::page(call.ctx, after, count);
        call.reply.array(2);
        match last {
            Some(last) => call.reply.bulk(&[&[BEHIND], &*last].concat()),
            None => call.reply.bulk(b"0"),
        }
        call.reply.array(names.len());
        names.iter().for_each(|name| call.reply.bulk(name));
        Ok(())
    }
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
