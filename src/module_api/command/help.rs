//! HELP, which every command with subcommands has.

use std::convert::Infallible;
use std::fmt::Write;

use super::entry::{Call, Program};
use super::spec::{Arg, ArgType, Spec};
use crate::module_api::main_thread::MainThread;

/// All subcommands, in the order of their registration.
static SUBCOMMANDS: MainThread<Vec<&'static Spec>> = MainThread::new(Vec::new());

/// Notes what HELP has to show.
pub(crate) fn remember(spec: &'static Spec) {
    if spec.name.contains('|') {
        SUBCOMMANDS.with(|known| known.push(spec));
    }
}

/// `CONTAINER HELP`: a line for each subcommand and its arguments, and one for what it does, as the
/// server's own commands answer it.
pub(crate) struct Help;

impl Program for Help {
    type Refusal = Infallible;

    fn run(call: Call<'_>) -> Result<(), Infallible> {
        let container = String::from_utf8_lossy(call.args.get(0).unwrap_or_default()).to_ascii_uppercase();
        let mut lines = vec![format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")];
        SUBCOMMANDS.with(|known| {
            for spec in known.iter() {
                if let Some((holder, own_name)) = spec.name.split_once('|')
                    && holder == container
                {
                    lines.push(format!("{own_name}{}", syntax(spec.args)));
                    lines.push(format!("    {}.", spec.summary));
                }
            }
        });
        lines.extend(["HELP".to_owned(), "    Prints this help.".to_owned()]);
        call.reply.array(lines.len());
        lines.iter().for_each(|line| call.reply.status(line));
        Ok(())
    }
}

/// The arguments as the documentation of commands writes them: ` key [TTL duration] name [name
/// ...]`.
fn syntax(args: &[Arg]) -> String {
    args.iter().fold(String::new(), |mut text, arg| {
        let _ = write!(text, " {}", shown(arg));
        text
    })
}

fn shown(arg: &Arg) -> String {
    let parts: Vec<String> = arg.parts.iter().map(shown).collect();
    let value = match arg.kind {
        ArgType::OneOf => parts.join("|"),
        ArgType::Block => parts.join(" "),
        ArgType::Token => String::new(),
        ArgType::Key | ArgType::FurtherKey(_) | ArgType::Text | ArgType::Integer => arg.name.to_owned(),
    };
    let words: Vec<&str> =
        [arg.token.unwrap_or_default(), &value].into_iter().filter(|word| !word.is_empty()).collect();
    let mut text = words.join(" ");
    if arg.multiple {
        text = format!("{text} [{text} ...]");
    }
    if arg.optional { format!("[{text}]") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_written_as_the_documentation_writes_them() {
        const fn arg(name: &'static str, kind: ArgType) -> Arg {
            Arg { name, kind, token: None, optional: false, multiple: false, parts: &[] }
        }
        const PARTS: &[Arg] = &[
            Arg { token: Some("DELAY"), ..arg("duration", ArgType::Text) },
            Arg { token: Some("NOW"), ..arg("now", ArgType::Token) },
        ];
        const ID: &[Arg] = &[arg("id", ArgType::Text)];
        let args = [
            arg("key", ArgType::Key),
            Arg { multiple: true, ..arg("tag", ArgType::Text) },
            Arg { optional: true, parts: PARTS, ..arg("due", ArgType::OneOf) },
            Arg { optional: true, token: Some("HOLD"), parts: ID, ..arg("hold", ArgType::Block) },
        ];
        assert_eq!(syntax(&args), " key tag [tag ...] [DELAY duration|NOW] [HOLD id]");
    }
}
