//! What clients write as a command: its options in any order, and their values.

use crate::commands::table;
use crate::module_api::command::{Arg, Spec};
use crate::module_api::fake_server;

/// Values of options.
const VALUES: &[&[u8]] = &[
    b"0",
    b"1",
    b"2",
    b"3",
    b"-1",
    b"1000",
    b"9007199254740991",
    b"18446744073709551616",
    b"",
    b"*",
    b"key",
    b"id",
    b"5ms",
    b"1h",
    b"3650d",
    b"0s",
    b"10/1m",
    b"a=5/1h:burst=7",
    b"b=3/1d:fixed",
    b"9/month@Europe/Berlin",
    b"@policy",
    b"a=2,b=1",
    b"exp:1s:max=1h",
    b"list:1s,2s",
    b"* * * * *",
    b"@every 5s",
    b"{\"a\":1}",
    b"[",
    b"\0\xff",
    b"open",
    b"start",
    b"keep",
    b"wait",
    b"ready",
    b"window",
    b"max_length",
    b">jobs",
    b"UTC",
];

/// Calls of commands that chance does not find.
const SOUND: &[&str] = &[
    "CL.THROTTLE t 15 30 60 1",
    "JOBQ.GROUP SET q g concurrency 2",
    "JOBQ.MACK q 2 id 5 other 7",
    "JOBQ.MEXTEND q 1 id 5 LEASE 1h",
    "RATELIMIT.ACQUIRE places me MAX 3 LEASE 1m",
    "RATELIMIT.MCHECK u ALSO 1 v 1 5/1h 2 9/1h:bucket x=3/1d:fixed COST 2",
    "RATELIMIT.REFUND u a=10/1h COST 2",
];

/// Calls a command by a fake server that knows strings, its role and replies. The first byte
/// chooses the command. Each further byte adds one of its options or of some values, or, from
/// `FIRST_LENGTH` on, so many bytes as they are; `BEGIN_SOUND` begins a sound call.
///
/// Panics where the command has broken down, answers without a word that a program can read, or
/// finds keys that are no arguments.
pub fn command(bytes: &[u8]) {
    let rows: Vec<&Spec> = rows().collect();
    let Some((first, bytes)) = bytes.split_first() else { return };
    let row = rows[usize::from(*first) % rows.len()];
    call(row, &words_of(row, bytes));
}

/// Lower bytes choose a word.
const FIRST_LENGTH: u8 = 224;

/// As the first byte: the words are those of a sound call up to the one that the next byte names.
const BEGIN_SOUND: u8 = FIRST_LENGTH - 1;

/// All but those that refuse every client, and those by which a test ends the server.
fn rows() -> impl Iterator<Item = &'static Spec> {
    table::rows().filter(|row| !row.name.ends_with("._APPLY") && !row.name.starts_with("WORKGATE.TEST"))
}

fn words_of<'a>(row: &'static Spec, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
    let mut choices: Vec<&'static [u8]> = VALUES.to_vec();
    row.args.iter().for_each(|arg| add_options(arg, &mut choices));
    let mut words: Vec<&[u8]> = row.name.split('|').map(str::as_bytes).collect();
    let name = words.len();
    if let [BEGIN_SOUND, length, rest @ ..] = bytes {
        let sound = SOUND.iter().map(|call| call.split(' ').map(str::as_bytes).collect::<Vec<_>>());
        words = sound.into_iter().find(|call| call.starts_with(&words)).unwrap_or(words);
        words.truncate(name + usize::from(*length) % (words.len() - name + 1));
        bytes = rest;
    }
    while let Some((byte, rest)) = bytes.split_first() {
        bytes = rest;
        if *byte < FIRST_LENGTH {
            words.push(choices[usize::from(*byte) % choices.len()]);
        } else {
            let (word, rest) = bytes.split_at(bytes.len().min(usize::from(byte - FIRST_LENGTH)));
            words.push(word);
            bytes = rest;
        }
    }
    words
}

fn add_options(arg: &'static Arg, choices: &mut Vec<&'static [u8]>) {
    // Twice, so that half of the words are options where there are many.
    choices.extend(arg.token.iter().flat_map(|token| [token.as_bytes(); 2]));
    arg.parts.iter().for_each(|part| add_options(part, choices));
}

/// Whether the command has taken its arguments and asked the server for something.
fn call(row: &Spec, words: &[&[u8]]) -> bool {
    // The server counts the arguments itself.
    let count = words.len() as i32;
    if count < row.arity.abs() || row.arity > 0 && count != row.arity {
        return false;
    }
    let outcome = fake_server::call(row.entry, words);
    for position in &outcome.key_positions {
        assert!((1..words.len()).contains(position), "{} finds a key at {position}: {words:?}", row.name);
    }
    match outcome.error.as_deref() {
        None => true,
        Some(error) if error.starts_with(fake_server::UNKNOWN_FUNCTION) => true,
        Some(error) => {
            let code = error.split(' ').next().unwrap_or_default();
            let is_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_uppercase());
            let is_sound = is_code && !error.starts_with(fake_server::PANIC);
            if !is_sound {
                // A fuzz target takes the hook away that would print the panic.
                eprintln!("{} {words:?}: {error}", row.name);
            }
            assert!(is_sound, "{}: {error}", row.name);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn any_arguments_are_refused_with_a_word_or_taken_and_every_command_takes_some() {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let mut number = 0x5eed_u64;
        let mut byte = || {
            number ^= number >> 12;
            number ^= number << 25;
            number ^= number >> 27;
            (number.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 56) as u8
        };
        let mut never = BTreeSet::new();
        for row in rows() {
            let mut accepted = 0;
            for call_number in 0..1_000 {
                let mut bytes = if call_number % 4 == 0 { vec![BEGIN_SOUND, byte()] } else { Vec::new() };
                bytes.extend((0..byte() % 8).map(|_| byte()));
                accepted += usize::from(call(row, &words_of(row, &bytes)));
            }
            if accepted == 0 {
                never.insert(row.name);
            }
        }
        std::panic::set_hook(hook);
        assert!(never.is_empty(), "no call was taken of {never:?}");
    }
}
