//! The binary form of a record.

use crate::domain::codec::ranges::{read_span, read_time, read_token};
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::idemp::Fingerprint;
use crate::domain::idemp::state::completed::PackedResult;
use crate::domain::idemp::state::record::{Record, Stage, Unfinished};

/// The encoding of before 0.1.0.
const WITH_LONG_TOKENS: u32 = 1;

/// First byte of a record's block.
const RELEASED: u8 = 1;
const HELD: u8 = 2;
const DONE: u8 = 3;

pub(crate) fn read_attempt(r: &mut Reader<'_>) -> Result<u32, Corrupt> {
    r.narrow().and_then(|attempt| if attempt > 0 { Ok(attempt) } else { Err(Corrupt) })
}

/// The one block of a record.
pub(crate) fn write(record: &Record) -> Vec<u8> {
    let mut w = Writer::new();
    w.byte(match &record.stage {
        Stage::Open(open) if open.held => HELD,
        Stage::Open(_) => RELEASED,
        Stage::Done(_) => DONE,
    });
    w.int(record.token);
    w.int(record.since);
    w.int(record.ttl);
    w.int(u64::from(record.attempt));
    w.option(record.fingerprint(), |w, fingerprint| w.raw(&fingerprint.0));
    match &record.stage {
        Stage::Open(open) => {
            w.int(open.span);
            w.option(open.checkpoint.as_deref(), Writer::bytes);
            if open.held {
                w.option(open.owner.as_deref(), Writer::bytes);
            }
        }
        Stage::Done(finished) => {
            let (meta, result) = finished.parts();
            w.option(meta, Writer::bytes);
            w.bytes(result);
        }
    }
    w.finish()
}

pub(crate) fn read(encoding: u32, block: &[u8]) -> Result<Record, Corrupt> {
    let mut r = Reader::of_block(block, encoding == WITH_LONG_TOKENS);
    let kind = r.byte()?;
    let token = read_token(&mut r)?;
    let since = read_time(&mut r)?;
    let ttl = read_span(&mut r)?;
    let attempt = read_attempt(&mut r)?;
    let fingerprint = r.option(Reader::array)?.map(Fingerprint);
    let stage = match kind {
        HELD | RELEASED => {
            let span = read_span(&mut r)?;
            let checkpoint = r.option(Reader::bytes)?.map(Box::from);
            let held = kind == HELD;
            let owner = if held { r.option(Reader::bytes)?.map(Box::from) } else { None };
            Stage::Open(Box::new(Unfinished { held, span, owner, fingerprint, checkpoint }))
        }
        DONE => {
            let meta = r.option(Reader::bytes)?;
            Stage::Done(PackedResult::new(fingerprint.as_ref(), meta, r.bytes()?))
        }
        _ => return Err(Corrupt),
    };
    r.end()?;
    Ok(Record { token, since, ttl, attempt, stage })
}
