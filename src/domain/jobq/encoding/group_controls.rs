//! The binary form of what groups have of their own.

use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::jobq::MAX_NAME_BYTES;
use crate::domain::jobq::encoding::effect::{read_pause, write_pause};
use crate::domain::jobq::encoding::fields::{
    BLOCK, Bytes, read_at_most, read_concurrency, read_name, read_near,
};
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::ready::ready_queue::GroupRule;
use crate::domain::jobq::state::group_controls::{GroupControl, MAX_OWN_GROUPS};
use crate::domain::ratelimit::Subject;
use crate::domain::value::Value as _;
use std::sync::Arc;

/// The first byte of a block.
pub(crate) const GROUPS: u8 = 10;
/// The first byte of a block with the name from which on groups are still to be judged.
pub(crate) const RECHECK: u8 = 11;

impl Queue {
    pub(crate) fn save_group_controls(&self, emit: &mut dyn FnMut(&[u8])) {
        let mut writer = Writer::new();
        for (name, control) in self.group_controls.iter() {
            if writer.is_empty() {
                writer.byte(GROUPS);
            }
            writer.bytes(name);
            write_control(&mut writer, control);
            if writer.len() >= BLOCK {
                emit(&writer.take());
            }
        }
        if !writer.is_empty() {
            emit(&writer.take());
        }
        if let Some(from) = &self.group_controls.recheck_from {
            writer.byte(RECHECK);
            writer.bytes(from);
            emit(&writer.finish());
        }
    }

    pub(crate) fn load_group_controls(&mut self, reader: &mut Reader<'_>) -> Result<(), Corrupt> {
        while !reader.is_empty() {
            let (name, loaded): (Arc<[u8]>, _) = (read_name(reader)?.into(), read_control(reader)?);
            let last = self.group_controls.iter().next_back();
            let rule = GroupRule { width: loaded.concurrency, is_closed: loaded.is_closed };
            let is_known = last.is_some_and(|(last, _)| *last >= name);
            if is_known || (loaded.is_set() && self.group_controls.set_count() >= MAX_OWN_GROUPS) {
                return Err(Corrupt);
            }
            self.group_controls.change(&name, |control| *control = loaded);
            if self.group_controls.get(&name).is_none() {
                return Err(Corrupt);
            }
            self.ready.set_rule(&name, rule);
        }
        Ok(())
    }

    pub(crate) fn load_recheck(&mut self, reader: &mut Reader<'_>) -> Result<(), Corrupt> {
        let from: Bytes = read_at_most(MAX_NAME_BYTES, reader)?;
        self.group_controls.recheck_from = Some(from);
        Ok(())
    }
}

fn write_control(writer: &mut Writer, control: &GroupControl) {
    writer.option(control.concurrency, |writer, concurrency| writer.int(concurrency.into()));
    writer.option(control.pause, write_pause);
    let mut rate = Vec::new();
    control.rate.save(&mut |block| rate.push(block.to_vec()));
    writer.int(rate.len() as u64);
    rate.iter().for_each(|block| writer.bytes(block));
    writer.bool(control.is_closed);
    writer.option(control.opens_at, Writer::int);
    writer.option(control.lapses_at, Writer::int);
}

fn read_control(reader: &mut Reader<'_>) -> Result<GroupControl, Corrupt> {
    let (concurrency, pause) = (reader.option(read_concurrency)?, reader.option(read_pause)?);
    let mut rate = Subject::default();
    for _ in 0..reader.count(1)? {
        let block = reader.bytes()?;
        // None is saved that is empty.
        if block.is_empty() {
            return Err(Corrupt);
        }
        rate.load(Subject::ENCODING, block)?;
    }
    rate.loaded()?;
    let is_closed = reader.bool()?;
    let (opens_at, lapses_at) = (reader.option(read_near)?, reader.option(read_near)?);
    let is_sound = is_closed || (opens_at.is_none() && pause.is_none());
    let control = GroupControl { concurrency, pause, rate, is_closed, opens_at, lapses_at };
    if is_sound { Ok(control) } else { Err(Corrupt) }
}
