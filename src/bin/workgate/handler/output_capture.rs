//! A bounded part of what a handler prints. All of it is read, so that the handler never waits.

use tokio::io::{AsyncRead, AsyncReadExt};

/// Which part is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The first bytes: a result.
    Head(usize),
    /// The last bytes: an error's text.
    Tail(usize),
}

/// Reads a pipe to its end and keeps a bounded part.
#[derive(Debug)]
pub struct Capture<R> {
    from: R,
    keep: Keep,
    kept: Vec<u8>,
    cut: bool,
}

impl<R: AsyncRead + Unpin> Capture<R> {
    pub fn of(from: R, keep: Keep) -> Self {
        Capture { from, keep, kept: Vec::new(), cut: false }
    }

    /// Reads until every holder has closed the pipe. May be dropped and called again.
    pub async fn fill(&mut self) {
        let mut chunk = [0; 8 * 1024];
        // A pipe that cannot be read is as good as closed.
        while let Ok(length @ 1..) = self.from.read(&mut chunk).await {
            self.take(&chunk[..length]);
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        match self.keep {
            Keep::Head(most) => {
                let room = most - self.kept.len();
                self.cut |= bytes.len() > room;
                self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            Keep::Tail(most) => {
                self.kept.extend_from_slice(bytes);
                if self.kept.len() > most {
                    self.cut = true;
                    self.kept.drain(..self.kept.len() - most);
                }
            }
        }
    }

    #[cfg(test)]
    pub fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// What was kept, and whether something was left out.
    pub fn into_kept(self) -> (Vec<u8>, bool) {
        (self.kept, self.cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn kept(text: &[u8], keep: Keep) -> (Vec<u8>, bool) {
        let mut capture = Capture::of(text, keep);
        capture.fill().await;
        capture.into_kept()
    }

    #[tokio::test]
    async fn the_head_or_the_tail_is_kept() {
        assert_eq!(kept(b"abcdef", Keep::Head(4)).await, (b"abcd".to_vec(), true));
        assert_eq!(kept(b"abcdef", Keep::Tail(4)).await, (b"cdef".to_vec(), true));
        for keep in [Keep::Head(6), Keep::Tail(6)] {
            assert_eq!(kept(b"abcdef", keep).await, (b"abcdef".to_vec(), false));
        }
    }

    #[tokio::test]
    async fn however_much_is_printed_little_is_kept() {
        let much: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
        assert_eq!(kept(&much, Keep::Head(100)).await, (much[..100].to_vec(), true));
        assert_eq!(kept(&much, Keep::Tail(100)).await, (much[much.len() - 100..].to_vec(), true));
    }
}
