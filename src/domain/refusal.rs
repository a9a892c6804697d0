//! Why a command was not carried out, in the words the client reads.

use std::fmt;

/// The machine-readable first word of an error reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Malformed argument.
    Err,
    /// The key holds another type.
    WrongType,
    /// The token was superseded, or its lease ran out and was taken over.
    Fenced,
    /// An id or idempotency key was reused with other content.
    Mismatch,
    /// A payload is over the limit.
    TooBig,
    /// The queue is at its maximum length.
    Full,
    /// The queue is closed to pushes.
    Paused,
    /// Names a job that does not exist.
    NoJob,
    /// Names a policy that does not exist.
    NoPolicy,
    /// Names a hold that is not open.
    NoHold,
    /// The caller's user may not.
    NoPermission,
    /// The server's memory is full, and the call would add to it.
    OutOfMemory,
}

impl Code {
    pub fn word(self) -> &'static str {
        match self {
            Code::Err => "ERR",
            Code::WrongType => "WRONGTYPE",
            Code::Fenced => "FENCED",
            Code::Mismatch => "MISMATCH",
            Code::TooBig => "TOOBIG",
            Code::Full => "FULL",
            Code::Paused => "PAUSED",
            Code::NoJob => "NOJOB",
            Code::NoPolicy => "NOPOLICY",
            Code::NoHold => "NOHOLD",
            Code::NoPermission => "NOPERM",
            Code::OutOfMemory => "OOM",
        }
    }
}

/// A refused command. It changed nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    /// What was given and what to change; never contains a line break.
    pub text: String,
}

impl Refusal {
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Refusal { code, text: text.into() }
    }

    /// A malformed argument (`ERR …`).
    pub fn err(text: impl Into<String>) -> Self {
        Refusal::new(Code::Err, text)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code.word(), self.text)
    }
}

/// Bytes as an error text shows them: printable ASCII as it is, all else escaped, long values cut.
pub fn shown(bytes: &[u8]) -> String {
    const LONGEST: usize = 64;
    let cut = &bytes[..bytes.len().min(LONGEST)];
    let mut text: String = cut.escape_ascii().to_string();
    if bytes.len() > LONGEST {
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_text_holds_no_line_break_whatever_was_given() {
        assert_eq!(shown(b"a\r\nb\0\xff"), r"a\r\nb\x00\xff");
        assert_eq!(shown(&[b'x'; 100]).len(), 64 + 3);
    }
}
