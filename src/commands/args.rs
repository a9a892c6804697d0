//! Reading a command's arguments one after the other.

use crate::domain::integer::integer;
use crate::domain::refusal::{Code, Refusal, shown};
use crate::domain::time;
use crate::module_api::args::Args;
use crate::module_api::server_string::ServerStr;

/// Ids of jobs, owners, holders: at most this many bytes.
pub const MAX_ID_LEN: usize = 128;

/// Lists hold at most this many items.
pub const MAX_ITEMS: usize = 1_000;

/// Callers may name the long tokens of before 0.1.0, which are no longer good.
pub const MAX_TOKEN: u64 = (1 << 53) - 1;

/// The arguments that are left.
pub struct ArgReader<'a> {
    args: Args<'a>,
    next: usize,
    seen: Seen,
}

impl<'a> ArgReader<'a> {
    /// Begins after the command's name.
    pub fn of(args: Args<'a>) -> Self {
        ArgReader { args, next: 1, seen: Seen::default() }
    }

    /// The position of the next argument; [`ArgReader::rewind_to`] returns there.
    pub fn position(&self) -> usize {
        self.next
    }

    /// Reads again from an earlier [`ArgReader::position`] on.
    pub fn rewind_to(&mut self, position: usize) {
        self.next = position;
    }

    pub fn peek(&self) -> Option<&'a [u8]> {
        self.args.get(self.next)
    }

    /// Goes past the argument that [`ArgReader::peek`] has shown.
    pub fn skip(&mut self) {
        self.next += 1;
    }

    /// The next argument, which must be there; `what` names it in the error.
    pub fn next_arg(&mut self, what: &str) -> Result<&'a [u8], Refusal> {
        let word = self.peek().ok_or_else(|| missing(what))?;
        self.next += 1;
        Ok(word)
    }

    /// The next argument if it is one of those.
    pub fn next_if(&mut self, is_one: impl Fn(&[u8]) -> bool) -> Option<&'a [u8]> {
        let word = self.peek().filter(|word| is_one(word))?;
        self.next += 1;
        Some(word)
    }

    /// The next argument as the server's own string.
    pub fn name(&mut self, what: &str) -> Result<ServerStr<'a>, Refusal> {
        if self.next >= self.args.len() {
            return Err(missing(what));
        }
        self.next += 1;
        Ok(self.args.name(self.next - 1))
    }

    /// The next argument as an option's name in upper case, each at most once; `None` at the end.
    ///
    /// The caller matches it against the options it knows and gives [`unknown`] for the rest.
    pub fn option(&mut self) -> Result<Option<Keyword<'a>>, Refusal> {
        let Some(given) = self.peek() else { return Ok(None) };
        let place = self.next;
        self.next += 1;
        if !self.seen.first_time(place, given, |place| self.args.get(place)) {
            return Err(Refusal::err(format!("option {} is given twice", shown(given).to_ascii_uppercase())));
        }
        Ok(Some(Keyword::of(given)))
    }

    /// A duration of at least 1 ms.
    pub fn duration(&mut self, what: &str) -> Result<u64, Refusal> {
        time::duration(what, self.next_arg(what)?)
    }

    /// A duration; `0s` is allowed.
    pub fn duration_or_zero(&mut self, what: &str) -> Result<u64, Refusal> {
        time::duration_or_zero(what, self.next_arg(what)?)
    }

    /// A whole number within a range.
    pub fn integer(&mut self, what: &str, least: u64, most: u64) -> Result<u64, Refusal> {
        integer(what, self.next_arg(what)?, least, most)
    }

    /// So many items, one after the other, each as `read` reads it.
    pub fn next_n<T>(
        &mut self,
        count: u64,
        read: impl Fn(&mut Self) -> Result<T, Refusal>,
    ) -> Result<Vec<T>, Refusal> {
        // Collecting results would let the list grow step by step.
        let mut items = Vec::with_capacity(count as usize);
        for _ in 0..count {
            items.push(read(self)?);
        }
        Ok(items)
    }

    /// A whole number of 32 bits, which may be negative.
    pub fn signed(&mut self, what: &str) -> Result<i32, Refusal> {
        let text = self.next_arg(what)?;
        let digits = text.strip_prefix(b"-").unwrap_or(text);
        let canonical = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        let number = canonical.then(|| std::str::from_utf8(text).ok()?.parse().ok()).flatten();
        number.ok_or_else(|| {
            let (given, least, most) = (shown(text), i32::MIN, i32::MAX);
            Refusal::err(format!("{what} '{given}': must be a whole number between {least} and {most}"))
        })
    }

    /// A fencing token.
    pub fn token(&mut self) -> Result<u64, Refusal> {
        self.integer("token", 1, MAX_TOKEN)
    }

    /// `[DELAY d]`, which ends the arguments; 0 when it is not given.
    pub fn last_delay(&mut self) -> Result<u64, Refusal> {
        let mut delay = 0;
        while let Some(option) = self.option()? {
            match option.folded() {
                b"DELAY" => delay = self.duration_or_zero("DELAY")?,
                _ => return Err(unknown(&option)),
            }
        }
        Ok(delay)
    }

    /// A short name that a caller chose: 1 to 128 bytes, any of them.
    pub fn id(&mut self, what: &str) -> Result<&'a [u8], Refusal> {
        self.id_of(what, MAX_ID_LEN)
    }

    /// A short name that a caller chose, up to `longest` bytes.
    pub fn id_of(&mut self, what: &str, longest: usize) -> Result<&'a [u8], Refusal> {
        let id = self.next_arg(what)?;
        if (1..=longest).contains(&id.len()) {
            Ok(id)
        } else {
            Err(Refusal::err(format!("{what} must be 1 to {longest} bytes long, this one has {}", id.len())))
        }
    }
}

#[cold]
fn missing(what: &str) -> Refusal {
    Refusal::err(format!("{what} is missing"))
}

/// Bytes of at most `most`; `hint` says what to do about more.
pub fn within_size<'a>(what: &str, bytes: &'a [u8], most: i64, hint: &str) -> Result<&'a [u8], Refusal> {
    if bytes.len() as i64 <= most {
        return Ok(bytes);
    }
    let given = bytes.len();
    Err(Refusal::new(Code::TooBig, format!("{what} has {given} bytes, at most {most} are allowed{hint}")))
}

/// An option that no command has, or not this one.
pub fn unknown(keyword: &Keyword<'_>) -> Refusal {
    Refusal::err(format!("unknown option '{}'", shown(keyword.given)))
}

/// An option's name, folded to upper case without allocating.
#[derive(Clone, Copy)]
pub struct Keyword<'a> {
    given: &'a [u8],
    folded: [u8; Keyword::LONGEST],
}

impl<'a> Keyword<'a> {
    const LONGEST: usize = 16;

    fn of(given: &'a [u8]) -> Self {
        let mut folded = [0; Keyword::LONGEST];
        if given.len() <= Keyword::LONGEST {
            folded[..given.len()].copy_from_slice(given);
            folded.make_ascii_uppercase();
        }
        Keyword { given, folded }
    }

    /// As it was given.
    pub fn given(&self) -> &'a [u8] {
        self.given
    }

    /// In upper case; empty when it is longer than any option.
    pub fn folded(&self) -> &[u8] {
        if self.given.len() <= Keyword::LONGEST { &self.folded[..self.given.len()] } else { b"" }
    }
}

/// The options met so far, by their positions. It does not allocate, since a command has at most a
/// few.
#[derive(Default)]
struct Seen {
    places: [u32; 20],
    count: usize,
}

impl Seen {
    /// Whether the option `given` at `place` of the arguments has not been met before.
    fn first_time<'a>(
        &mut self,
        place: usize,
        given: &[u8],
        word: impl Fn(usize) -> Option<&'a [u8]>,
    ) -> bool {
        let same =
            |&earlier: &u32| word(earlier as usize).is_some_and(|word| word.eq_ignore_ascii_case(given));
        if self.places[..self.count].iter().any(same) {
            return false;
        }
        if let Some(free) = self.places.get_mut(self.count) {
            *free = place as u32;
            self.count += 1;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_folded_and_recognised_again() {
        let words: [&[u8]; 4] = [b"key", b"lease", b"Lease", b"ttl"];
        let mut seen = Seen::default();
        let mut first_time =
            |place: usize| seen.first_time(place, words[place], |place| words.get(place).copied());
        assert!(first_time(1));
        assert!(!first_time(2));
        assert!(first_time(3));
        assert_eq!(Keyword::of(b"lease").folded(), b"LEASE");
        assert_eq!(Keyword::of(&[b'x'; 40]).folded(), b"");
    }
}
