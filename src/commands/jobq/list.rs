//! LIST: the jobs of a state, page by page.

use crate::domain::jobq;
use crate::domain::jobq::{Cursor, MAX_JOBS_PER_CALL, Queue};
use crate::domain::refusal::{Refusal, shown};
use crate::module_api::command::Call;
use crate::runtime::handler::Handler;

use super::get::{Depth, describe};
use crate::commands::args::{ArgReader, unknown};
use crate::commands::jobq::{parse_error_glob, parse_kind, state_named};
use crate::runtime::commit;

/// How many jobs a page has, unless COUNT says otherwise.
const DEFAULT_COUNT: usize = 10;

/// The most bytes of a payload that a row shows.
const MAX_PAYLOAD_BYTES: u64 = 4096;

/// `JOBQ.LIST key ready|delayed|active|blocked|done|dead [CURSOR c] [COUNT n=10] [GROUP g] [NAME n]
/// [KIND k] [ERROR glob] [PAYLOAD n] [NEWEST]`
pub struct List;

impl Handler for List {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let given = words.next_arg("state")?;
        let state = state_named(given).ok_or_else(|| {
            let given = shown(given);
            Refusal::err(format!("state '{given}': expected ready, delayed, active, blocked, done or dead"))
        })?;
        let mut list = jobq::List { count: DEFAULT_COUNT, ..jobq::List::of(state) };
        let mut cursor = None;
        while let Some(option) = words.option()? {
            match option.folded() {
                b"CURSOR" => cursor = Some(words.next_arg("CURSOR")?),
                b"COUNT" => list.count = words.integer("COUNT", 1, MAX_JOBS_PER_CALL as u64)? as usize,
                b"NAME" => list.name = Some(words.id("NAME")?),
                b"GROUP" => list.group = Some(words.id("GROUP")?),
                b"KIND" => list.filter.kind = Some(parse_kind(&mut words)?),
                b"ERROR" => list.filter.error = Some(parse_error_glob(&mut words)?),
                b"PAYLOAD" => list.payload = Some(words.integer("PAYLOAD", 0, MAX_PAYLOAD_BYTES)? as usize),
                b"NEWEST" => list.newest = true,
                _ => return Err(unknown(&option)),
            }
        }
        if let Some(cursor) = cursor {
            list.cursor = Cursor::parse(cursor, state, list.newest)?;
        }
        let reply = call.reply;
        commit::read::<Queue, _>(call.ctx, key, |queue, now| {
            let page = jobq::list(queue, &list, now);
            reply.array(2);
            reply.bulk(page.next.map_or_else(|| "0".to_owned(), |next| next.text()).as_bytes());
            reply.array(page.rows.len());
            page.rows.iter().for_each(|view| describe(view, Depth::Row { payload: list.payload }, reply));
            Ok(())
        })
    }
}
