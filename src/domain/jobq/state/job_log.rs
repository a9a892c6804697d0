//! LOG: a few lines that the workers of a job write down, kept with it.

use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::jobq::encoding::fields::read_bytes;
use std::collections::VecDeque;

/// The longest line, in bytes.
pub const MAX_LOG_LINE_BYTES: usize = 4 * 1024;
/// A log keeps this many lines,
const MAX_LINES: usize = 100;
/// and this many bytes of them together: the oldest make room.
const MAX_BYTES: usize = 64 * 1024;

/// The last lines that were written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    lines: VecDeque<Box<[u8]>>,
    bytes: usize,
}

impl Log {
    /// The lines, the oldest first.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &[u8]> + ExactSizeIterator {
        self.lines.iter().map(|line| &**line)
    }

    pub(crate) fn add(&mut self, line: Box<[u8]>) {
        let gone = self.lines.len() - self.staying(line.len());
        self.lines.drain(..gone).for_each(|line| self.bytes -= line.len());
        self.bytes += line.len();
        self.lines.push_back(line);
    }

    /// Returns how many lines to keep when a line of `joining` bytes is added.
    pub(crate) fn staying(&self, joining: usize) -> usize {
        let mut bytes = joining;
        let fits = |length: &usize| {
            bytes += length;
            bytes <= MAX_BYTES
        };
        self.lines().rev().map(<[u8]>::len).take(MAX_LINES - 1).take_while(fits).count()
    }

    /// Whether a line of `joining` bytes makes the log longer: the lines that make room for it are
    /// shorter.
    pub(crate) fn grows_by(&self, joining: usize) -> bool {
        let gone: usize = self.lines().take(self.lines.len() - self.staying(joining)).map(<[u8]>::len).sum();
        gone < joining
    }

    /// Bytes that it holds, roughly.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Log>() + self.lines.len() * size_of::<Box<[u8]>>() + self.bytes
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.int(self.lines.len() as u64);
        self.lines().for_each(|line| writer.bytes(line));
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        let count = reader.count(1)?;
        let mut log = Log::default();
        for _ in 0..count {
            log.add(read_bytes(reader)?);
        }
        // Neither none nor more than a log keeps.
        if count > 0 && log.lines.len() == count { Ok(log) } else { Err(Corrupt) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: impl IntoIterator<Item = Vec<u8>>) -> Log {
        let mut log = Log::default();
        lines.into_iter().for_each(|line| log.add(line.into()));
        log
    }

    #[test]
    fn the_oldest_lines_make_room_for_the_newest() {
        let log = of((0..250u8).map(|nth| vec![nth]));
        assert_eq!(log.lines().len(), MAX_LINES);
        assert_eq!(log.lines().next(), Some(&[150][..]));
        assert_eq!(log.bytes, MAX_LINES);
    }

    #[test]
    fn long_lines_leave_room_for_few() {
        let log = of((0..40u8).map(|nth| vec![nth; MAX_LOG_LINE_BYTES]));
        assert_eq!(log.lines().len(), MAX_BYTES / MAX_LOG_LINE_BYTES);
        assert_eq!(log.lines().last(), Some(&[39; MAX_LOG_LINE_BYTES][..]));
        // Longer than any that is let in: it is kept alone.
        assert_eq!(of([vec![1], vec![0; 2 * MAX_BYTES]]).lines().len(), 1);
    }

    #[test]
    fn a_log_reads_back_and_no_other_is_read() {
        for log in [of([vec![]]), of((0..90u8).map(|nth| vec![nth; 1_000])), of([vec![0; 2 * MAX_BYTES]])] {
            let mut writer = Writer::new();
            log.write(&mut writer);
            assert_eq!(Log::read(&mut Reader::new(&writer.finish())), Ok(log));
        }
        let mut many = Writer::new();
        many.int(MAX_LINES as u64 + 1);
        (0..=MAX_LINES).for_each(|_| many.bytes(b""));
        for bytes in [vec![0], vec![1], vec![2, 0], many.finish()] {
            assert_eq!(Log::read(&mut Reader::new(&bytes)), Err(Corrupt));
        }
    }

    #[test]
    fn a_log_that_is_at_its_bound_grows_by_longer_lines_only() {
        let log = of((0..MAX_LINES as u8).map(|nth| vec![nth; 2]));
        assert!(!log.grows_by(2) && !log.grows_by(1));
        assert!(log.grows_by(3));
        assert!(of([vec![0; 9]]).grows_by(1), "an own line beside it");
        let log = of((0..MAX_BYTES / 4_096).map(|_| vec![0; 4_096]));
        assert!(!log.grows_by(1) && !log.grows_by(4_096));
    }
}
