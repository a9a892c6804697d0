//! A row of the command table.

use std::ffi::CString;

use super::entry::Entry;

/// What a command does with its keys, for ACLs and clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads the value.
    Read,
    /// Reads and changes it; may create or delete it.
    Update,
}

/// The positions of a command's keys. Positions count from 1, the command's name being 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    None,
    /// None, and it changes what every primary of a cluster holds on its own: a client that heeds
    /// the tips sends it to all of them.
    EveryShard,
    /// One key at this position.
    At(u8, Access),
    /// One key at this position, and those behind words of the call.
    AtAndBehind(u8, &'static [Behind], Access),
    /// All arguments from this position on.
    From(u8, Access),
}

/// Keys that follow a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// Their number and they: `ALSO n key …`. The word stands nowhere else in a call.
    Counted(&'static str),
    /// One: `RATE key …`. The word stands nowhere else in a call.
    One(&'static str),
    /// Like `One`, but values of other options may be the word: only the handler tells the key from
    /// them, so that servers have to ask it.
    OneOfAmbiguous(&'static str),
}

impl Behind {
    pub(crate) fn word(self) -> &'static str {
        let (Behind::Counted(word) | Behind::One(word) | Behind::OneOfAmbiguous(word)) = self;
        word
    }
}

/// The type of an argument in COMMAND DOCS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgType {
    Key,
    /// One of those that [`Keys::AtAndBehind`] finds behind its n-th word, counted from 1.
    FurtherKey(u8),
    Text,
    Integer,
    /// A keyword without a value.
    Token,
    /// Exactly one of the sub-arguments.
    OneOf,
    /// All sub-arguments, one after the other.
    Block,
}

/// One argument, as COMMAND DOCS shows it.
#[derive(Debug, Clone, Copy)]
pub struct Arg {
    pub name: &'static str,
    pub kind: ArgType,
    /// The word before the value, such as `TTL`.
    pub token: Option<&'static str>,
    pub optional: bool,
    pub multiple: bool,
    pub parts: &'static [Arg],
}

/// One row of the command table.
pub struct Spec {
    /// Upper case, as the docs show it; a subcommand's follows its container's:
    /// `FAMILY.CONFIG|SET`.
    pub name: &'static str,
    /// The server's flag words, and those of our own: [`INTERNAL`], [`CHECKS_PREFIXES`].
    pub flags: &'static str,
    /// As Redis counts: with the name, negative when more may follow.
    pub arity: i32,
    pub keys: Keys,
    pub summary: &'static str,
    pub complexity: &'static str,
    pub since: &'static str,
    pub args: &'static [Arg],
    pub entry: Entry,
}

/// A command that only holds subcommands. It is made with the first of them, and so is its
/// subcommand HELP.
pub struct Container {
    /// Upper case, as the docs show it.
    pub name: &'static str,
    pub summary: &'static str,
    /// One of its subcommands changes what every primary of a cluster holds on its own. Clients
    /// that heed tips look for those of the container, so that all of its subcommands go to all
    /// primaries; those that only look are answered alike by each.
    pub reaches_every_shard: bool,
}

/// A word among the flags of a row that few servers know (Redis 8): the command is for the
/// replication link and the AOF only. Where the server does not know the word, the command refuses
/// clients by itself.
pub const INTERNAL: &str = "internal";

/// A word among the flags of a row that no server knows: the command changes keys by their
/// prefixes, and asks the server whether its caller may. It is in `@dangerous` where the server
/// cannot be asked.
pub const CHECKS_PREFIXES: &str = "checks-prefixes";

impl Spec {
    /// Whether the command is a subcommand of `container`.
    pub fn is_held_by(&self, container: &Container) -> bool {
        self.name.split_once('|').is_some_and(|(holder, _)| holder == container.name)
    }

    pub(crate) fn has_flag(&self, flag: &str) -> bool {
        self.flags.split(' ').any(|word| word == flag)
    }

    /// The flags without these words.
    pub(crate) fn flags_without(&self, words: &[&str]) -> String {
        let flags: Vec<&str> = self.flags.split(' ').filter(|word| !words.contains(word)).collect();
        flags.join(" ")
    }
}

/// The table holds no NUL bytes.
pub(crate) fn text(value: &str) -> CString {
    CString::new(value).expect("texts of the command table hold no NUL")
}
