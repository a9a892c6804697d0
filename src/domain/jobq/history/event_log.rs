//! The log of what has happened in a queue: the last events, packed.
//!
//! An event takes the bytes that it needs, seven or so for a job with an automatic id, in segments
//! of [`EVENTS_PER_SEGMENT`] events. Adding one allocates nothing but a segment now and then; the
//! oldest leave a segment at a time, though never more are shown, saved or told apart than the
//! queue keeps.

use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::jobq::encoding::fields::read_near;
use crate::domain::jobq::history::event::{Detail, Event, EventSubject, EventWithDetail};
use crate::domain::jobq::state::serial::MAX_CLOCK;
use crate::domain::time::UnixMs;
use std::collections::VecDeque;

/// The most events that a queue keeps.
pub const MAX_EVENTS: u32 = 10_000;
/// How many it keeps unless it is told otherwise.
pub const DEFAULT_EVENTS: u32 = 1_000;
/// The most bytes of a text, and of an id, that an event keeps.
pub const MAX_DETAIL_BYTES: usize = 256;

/// How many events share a segment.
const EVENTS_PER_SEGMENT: u64 = 64;
/// A segment of many more bytes than this holds long texts.
const MAX_REUSED_SEGMENT_BYTES: usize = 1024;
/// Blocks end after this many bytes.
const BLOCK: usize = 64 * 1024;

/// One event of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LoggedEvent<'a> {
    /// Counts all events of the queue, from 1.
    pub seq: u64,
    pub at: UnixMs,
    pub subject: EventSubject<'a>,
    pub what: EventWithDetail<'a>,
}

/// The log.
#[derive(Debug, Clone, Default)]
pub(crate) struct EventLog {
    segments: VecDeque<Segment>,
    /// The number of the last event.
    last: u64,
    last_at: UnixMs,
    /// How many are kept; the first segment may hold some more.
    kept: u32,
    /// Bytes of all segments.
    bytes: usize,
    /// An event was added, or the next one may be due earlier, since waiters were last notified.
    /// Not saved.
    changed: bool,
}

/// Up to [`EVENTS_PER_SEGMENT`] events that follow each other.
#[derive(Debug, Clone)]
struct Segment {
    /// The number of the first.
    start: u64,
    /// What the first one's time counts from.
    since: UnixMs,
    entries: Writer,
}

impl Segment {
    fn read(&self) -> SegmentReader<'_> {
        SegmentReader { reader: Reader::new(self.entries.written()), seq: self.start, at: self.since }
    }
}

struct SegmentReader<'a> {
    reader: Reader<'a>,
    seq: u64,
    at: UnixMs,
}

impl<'a> Iterator for SegmentReader<'a> {
    type Item = LoggedEvent<'a>;

    fn next(&mut self) -> Option<LoggedEvent<'a>> {
        if self.reader.is_empty() {
            return None;
        }
        let (at, subject, what) = read(&mut self.reader, self.at, true).ok()?;
        self.at = at;
        let seq = self.seq;
        self.seq += 1;
        Some(LoggedEvent { seq, at: self.at, subject, what })
    }
}

impl EventLog {
    /// Adds an event; no more than `most` are kept.
    pub fn add(&mut self, most: u32, at: UnixMs, subject: EventSubject<'_>, what: EventWithDetail<'_>) {
        self.last += 1;
        self.changed = true;
        if most == 0 {
            return;
        }
        let at = at.max(self.last_at);
        if self.segments.is_empty() || (self.last - 1).is_multiple_of(EVENTS_PER_SEGMENT) {
            let mut entries = self.drop_passed().unwrap_or_default();
            entries.clear();
            self.segments.push_back(Segment { start: self.last, since: at, entries });
            self.last_at = at;
        }
        if let Some(segment) = self.segments.back_mut() {
            let before = segment.entries.len();
            write(&mut segment.entries, self.last_at, at, subject, what);
            self.bytes += segment.entries.len() - before;
        }
        self.last_at = at;
        self.kept = self.kept.saturating_add(1).min(most);
    }

    /// No more than this many are kept from now on.
    pub fn keep(&mut self, most: u32) {
        self.kept = self.kept.min(most);
        if self.kept == 0 {
            (self.segments, self.bytes, self.last_at) = (VecDeque::new(), 0, 0);
        }
        self.drop_passed();
    }

    /// Drops the segments that hold nothing which is kept; the room of the last of them may be used
    /// again.
    fn drop_passed(&mut self) -> Option<Writer> {
        let first = self.first();
        let mut room = None;
        while self.segments.get(1).is_some_and(|next| next.start <= first) {
            let passed = self.segments.pop_front()?.entries;
            self.bytes -= passed.len();
            // One of long texts would be too much for others.
            room = Some(passed).filter(|passed| passed.len() <= MAX_REUSED_SEGMENT_BYTES);
        }
        room
    }

    /// The number of the first event that is kept.
    fn first(&self) -> u64 {
        self.last + 1 - u64::from(self.kept)
    }

    /// The number of the last event, 0 before any.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Those after `seq`; all that are kept where the log has not come so far.
    pub fn after(&self, seq: u64) -> impl Iterator<Item = LoggedEvent<'_>> {
        let first = self.first();
        let from = if seq > self.last { first } else { first.max(seq + 1) };
        // Every segment but the first begins where its number says.
        let front = self.segments.front().map_or(0, |segment| (segment.start - 1) / EVENTS_PER_SEGMENT);
        let passed = ((from - 1) / EVENTS_PER_SEGMENT).saturating_sub(front) as usize;
        let entries = self.segments.iter().skip(passed).flat_map(Segment::read);
        entries.skip_while(move |entry| entry.seq < from)
    }

    /// No event was added, but the next one may be due earlier. Wakes its waiters to recompute
    /// their deadline.
    pub fn note_change(&mut self) {
        self.changed = true;
    }

    /// Whether something was added, or is due sooner, since the last call.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Roughly.
    pub fn memory(&self) -> usize {
        self.segments.len() * size_of::<Segment>() + self.bytes
    }

    /// Hands out blocks, each behind the byte `kind`.
    pub fn save(&self, kind: u8, emit: &mut dyn FnMut(&[u8])) {
        let begin = |writer: &mut Writer, seq, at| {
            writer.byte(kind);
            writer.int(seq);
            writer.int(at);
        };
        let mut writer = Writer::new();
        let mut before = 0;
        for LoggedEvent { seq, at, subject, what } in self.after(self.first() - 1) {
            if writer.is_empty() {
                begin(&mut writer, seq, at);
                before = at;
            }
            write(&mut writer, before, at, subject, what);
            before = at;
            if writer.len() >= BLOCK {
                emit(&writer.take());
            }
        }
        // How many there were is known though none is kept.
        if self.kept == 0 && self.last > 0 {
            begin(&mut writer, self.last + 1, 0);
        }
        if !writer.is_empty() {
            emit(&writer.finish());
        }
    }

    /// Loads what follows the kind in a block of a queue that keeps `most` and has come to the time
    /// `clock`.
    pub fn load(
        &mut self,
        reader: &mut Reader<'_>,
        most: u32,
        clock: UnixMs,
        encoding: u32,
    ) -> Result<(), Corrupt> {
        let (seq, at) = (reader.int()?, reader.int()?);
        let is_first = self.is_new();
        if is_first && (1..MAX_CLOCK).contains(&seq) {
            self.last = seq - 1;
        }
        if seq != self.last + 1 || at < self.last_at {
            return Err(Corrupt);
        }
        if most == 0 {
            return if is_first && seq > 1 && at == 0 && reader.is_empty() { Ok(()) } else { Err(Corrupt) };
        }
        let mut now = at;
        loop {
            // The time of a block is that of its first event.
            let is_first_of_block = seq == self.last + 1;
            let before = now;
            let (at, subject, what) = read(reader, before, encoding >= 4)?;
            if at > clock || (is_first_of_block && at != before) {
                return Err(Corrupt);
            }
            now = at;
            if self.kept >= most {
                return Err(Corrupt);
            }
            self.add(most, now, subject, what);
            if reader.is_empty() {
                self.changed = false;
                return Ok(());
            }
        }
    }

    /// Whether nothing has happened yet.
    pub fn is_new(&self) -> bool {
        self.last == 0
    }
}

/// How the first byte of an event says what its detail is, beside its number.
const TIME: u8 = 1 << 5;
const TEXT: u8 = 2 << 5;
/// The subject of an event: one of these, or a serial plus two.
const QUEUE: u64 = 0;
const ID: u64 = 1;

/// Writes an event that happened `later` milliseconds after the one before it.
fn write(
    writer: &mut Writer,
    before: UnixMs,
    at: UnixMs,
    subject: EventSubject<'_>,
    (event, detail): EventWithDetail<'_>,
) {
    let shape = match detail {
        Detail::None => 0,
        Detail::Time(_) => TIME,
        Detail::Text(_) => TEXT,
    };
    let mut head = Head { bytes: [event as u8 | shape; HEAD], length: 1 };
    head.int(at - before);
    head.int(match subject {
        EventSubject::Queue => QUEUE,
        EventSubject::Id(_) => ID,
        EventSubject::Serial(serial, _) => serial + 2,
    });
    if let EventSubject::Serial(_, created) = subject {
        head.int(at.saturating_sub(created));
    }
    writer.raw(&head.bytes[..head.length]);
    if let EventSubject::Id(id) = subject {
        writer.bytes(cut(id, MAX_DETAIL_BYTES));
    }
    match detail {
        Detail::None => {}
        Detail::Time(time) => writer.int(time),
        Detail::Text(text) => writer.bytes(cut(text, MAX_DETAIL_BYTES)),
    }
}

/// One byte and three numbers.
const HEAD: usize = 1 + 3 * 10;

/// What every event has, put together before it is written: each PUSH, POP and ACK pays for it.
struct Head {
    bytes: [u8; HEAD],
    length: usize,
}

impl Head {
    /// Appends a number in the form of [`Writer::int`].
    fn int(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    fn byte(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }
}

/// Reads an event that follows one at `before`: its time, its subject and what happened.
fn read<'a>(
    reader: &mut Reader<'a>,
    before: UnixMs,
    has_ages: bool,
) -> Result<(UnixMs, EventSubject<'a>, EventWithDetail<'a>), Corrupt> {
    let head = reader.byte()?;
    let event = *Event::ALL.get(usize::from(head & (TIME - 1))).ok_or(Corrupt)?;
    let at = before.checked_add(read_near(reader)?).ok_or(Corrupt)?;
    let subject = match reader.int()? {
        QUEUE => EventSubject::Queue,
        ID => EventSubject::Id(short(reader)?),
        serial => {
            // Earlier encodings did not say when the job was pushed.
            let age = if has_ages { reader.int()? } else { 0 };
            EventSubject::Serial(serial - 2, at.checked_sub(age).ok_or(Corrupt)?)
        }
    };
    let is_known = match subject {
        EventSubject::Queue => event.is_of_queue(),
        EventSubject::Serial(serial, _) => !event.is_of_queue() && serial < MAX_CLOCK * 2,
        EventSubject::Id(id) => !event.is_of_queue() && !matches!(id.first(), None | Some(b'#')),
    };
    let detail = match head & !(TIME - 1) {
        0 => Detail::None,
        TIME => Detail::Time(read_near(reader)?),
        TEXT => Detail::Text(short(reader)?),
        _ => return Err(Corrupt),
    };
    if is_known && event.may_have(detail) { Ok((at, subject, (event, detail))) } else { Err(Corrupt) }
}

fn short<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Corrupt> {
    reader.bytes().and_then(|bytes| if bytes.len() <= MAX_DETAIL_BYTES { Ok(bytes) } else { Err(Corrupt) })
}

/// The beginning of a text, without a part of a character of UTF-8 at its end.
pub(crate) fn cut(text: &[u8], limit: usize) -> &[u8] {
    let Some(mut end) = (text.len() > limit).then_some(limit) else { return text };
    let is_within = |at: usize| text[at] & 0xc0 == 0x80;
    while end > limit - 3 && is_within(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
#[path = "../tests/event_log.rs"]
mod tests;
