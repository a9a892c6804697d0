//! QUEUES: the queues of a database that the caller may read, without looking at its other keys.

use std::borrow::Cow;

use crate::domain::refusal::{Refusal, shown};
use crate::module_api::acl::Caller;
use crate::module_api::command::Call;
use crate::module_api::server_string::ServerString;
use crate::runtime::handler::Handler;

use super::queue_registry::Page;
use crate::commands::args::{ArgReader, MAX_ITEMS, unknown};
use crate::commands::jobq::{queue_registry, sealed_name};

/// As many names at once unless the caller says otherwise.
const DEFAULT_COUNT: usize = 100;

/// A cursor is the last name that was looked at, behind this; `0` is the beginning and the end.
const BEHIND: u8 = b'>';

/// Begins a cursor whose name the caller may not read.
const SEALED: u8 = b'?';

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
        let Page { mut names, last } = queue_registry::page(call.ctx, after.as_deref(), count);
        let caller = Caller::of(call.ctx);
        let may_read = |name: &[u8]| caller.may_read(ServerString::new(name).borrow());
        names.retain(|name| may_read(name));
        call.reply.array(2);
        match last {
            Some(last) if may_read(&last) => call.reply.bulk(&[&[BEHIND], &*last].concat()),
            Some(last) => call.reply.bulk(&[&[SEALED][..], sealed_name::seal(&last).as_bytes()].concat()),
            None => call.reply.bulk(b"0"),
        }
        call.reply.array(names.len());
        names.iter().for_each(|name| call.reply.bulk(name));
        Ok(())
    }
}

fn cursor(given: &[u8]) -> Result<Option<Cow<'_, [u8]>>, Refusal> {
    let after = match given {
        b"0" => return Ok(None),
        [BEHIND, name @ ..] => Some(Cow::Borrowed(name)),
        [SEALED, sealed @ ..] => sealed_name::open(sealed).map(Cow::Owned),
        _ => None,
    };
    after.map(Some).ok_or_else(|| {
        let given = shown(given);
        Refusal::err(format!("CURSOR '{given}': expected 0 or the cursor of the last answer"))
    })
}
