//! A reply that is kept until the client that waits for it is woken.

use crate::module_api::reply::Reply;

/// Where the pieces of a reply go.
pub trait ReplySink {
    fn array(&mut self, length: usize);
    fn int(&mut self, value: i64);
    fn uint(&mut self, value: u64);
    fn bulk(&mut self, bytes: &[u8]);
}

impl ReplySink for Reply<'_> {
    fn array(&mut self, length: usize) {
        Reply::array(*self, length);
    }

    fn int(&mut self, value: i64) {
        Reply::int(*self, value);
    }

    fn uint(&mut self, value: u64) {
        Reply::uint(*self, value);
    }

    fn bulk(&mut self, bytes: &[u8]) {
        Reply::bulk(*self, bytes);
    }
}

/// A piece of a kept reply.
enum Piece {
    Array(usize),
    Int(i64),
    Uint(u64),
    Bulk(Box<[u8]>),
}

/// A reply that is kept until its client is woken.
#[derive(Default)]
pub struct KeptReply(Vec<Piece>);

impl KeptReply {
    pub fn send(&self, reply: Reply<'_>) {
        for piece in &self.0 {
            match piece {
                Piece::Array(length) => reply.array(*length),
                Piece::Int(value) => reply.int(*value),
                Piece::Uint(value) => reply.uint(*value),
                Piece::Bulk(bytes) => reply.bulk(bytes),
            }
        }
    }
}

impl ReplySink for &mut KeptReply {
    fn array(&mut self, length: usize) {
        self.0.push(Piece::Array(length));
    }

    fn int(&mut self, value: i64) {
        self.0.push(Piece::Int(value));
    }

    fn uint(&mut self, value: u64) {
        self.0.push(Piece::Uint(value));
    }

    fn bulk(&mut self, bytes: &[u8]) {
        self.0.push(Piece::Bulk(bytes.into()));
    }
}
