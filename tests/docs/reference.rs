//! docs/reference: what a server says of each command, in Markdown.
//!
//! `make reference` writes the pages; a test compares them with the server.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Reply, Server, server};

/// Families in the order of the README, each with its page of text.
const FAMILIES: [(&str, &str, &str); 6] = [
    ("ratelimit", "RATELIMIT", "commands/ratelimit/README.md"),
    ("idemp", "IDEMP", "commands/idemp.md"),
    ("jobq", "JOBQ", "commands/jobq/README.md"),
    ("cache", "CACHE", "commands/cache.md"),
    ("breaker", "BREAKER", "commands/breaker.md"),
    ("workgate", "WORKGATE", "guides/operations.md"),
];

fn page_of(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference").join(family).with_extension("md")
}

#[test]
fn the_reference_says_what_the_server_says() {
    let server = server!();
    for (family, text) in pages(&server) {
        let written = fs::read_to_string(page_of(&family)).unwrap_or_default();
        let (written, said) = if tells_categories(&server) {
            (written, text)
        } else {
            (without_categories(&written), without_categories(&text))
        };
        let differs = written.lines().zip(said.lines()).find(|(written, said)| written != said);
        assert_eq!(differs, None, "docs/reference/{family}.md: `make reference` writes it anew");
        assert_eq!(written, said, "docs/reference/{family}.md: `make reference` writes it anew");
    }
}

/// The pages of a family name every command, and every word of its arguments: values such as `done`
/// in small letters too, where they are marked as code.
#[test]
fn every_command_and_every_option_of_the_reference_is_explained() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut words = 0;
    for (family, name, page) in FAMILIES {
        let page = docs.join(page);
        let is_own = |other: &PathBuf| match page.ends_with("README.md") {
            true => other.parent() == page.parent(),
            false => *other == page,
        };
        let text: String = crate::pages()
            .iter()
            .filter(|page| is_own(page))
            .map(|page| fs::read_to_string(page).expect("a page"))
            .collect();
        let told: HashSet<&str> = text.split(|c: char| !is_of_word(c)).collect();
        let reference = fs::read_to_string(page_of(family)).expect("the reference");
        for usage in reference.split("```text\n").skip(1).filter_map(|rest| rest.split("```").next()) {
            let options = usage.split(|c: char| !is_of_word(c));
            for word in options.filter(|word| word.len() > 1 && !word.chars().any(|c| c.is_ascii_lowercase()))
            {
                let short = word.strip_prefix(&format!("{name}.")).unwrap_or(word);
                let value = short.to_lowercase();
                let is_value = ["`", "|"].iter().any(|mark| {
                    text.contains(&format!("{mark}{value}")) || text.contains(&format!("{value}{mark}"))
                });
                assert!(told.contains(word) || told.contains(short) || is_value, "{word} of {usage}");
                words += 1;
            }
        }
    }
    assert!(words > 200, "only {words} words");
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '.' || c == '_'
}

#[test]
#[ignore = "it writes the pages: make reference"]
fn write_the_reference() {
    let server = server!();
    assert!(tells_categories(&server), "WORKGATE_SERVER: take redis-8 or valkey-9, which tell categories");
    fs::create_dir_all(page_of("jobq").parent().expect("a folder")).expect("docs/reference");
    for (family, text) in pages(&server) {
        fs::write(page_of(&family), text).expect("a page");
    }
}

/// Whether the server lets modules choose the ACL categories of subcommands too, and checks
/// prefixes: Redis 8 and Valkey 9 do.
fn tells_categories(server: &Server) -> bool {
    let info = server.ok("INFO server").text();
    let version = |field: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.and_then(|version| version.split('.').next()?.parse::<u32>().ok())
    };
    version("valkey_version").map_or(version("redis_version") >= Some(8), |major| major >= 9)
}

fn without_categories(page: &str) -> String {
    page.lines().filter(|line| !line.starts_with("| ACL")).collect::<Vec<_>>().join("\n")
}

/// The text of each family's page.
fn pages(server: &Server) -> Vec<(String, String)> {
    let names = server.ok("COMMAND LIST FILTERBY MODULE workgate");
    let names = names.items().iter().map(Reply::text);
    let mut commands = BTreeMap::new();
    for name in names.filter(|name| !name.ends_with("._apply") && !name.ends_with("|help")) {
        let docs = server.ok(format!("COMMAND DOCS {name}"));
        let info = server.ok(format!("COMMAND INFO {name}"));
        let is_container = docs.at(1).fields().iter().any(|(field, _)| field.text() == "subcommands");
        let is_of_tests = docs.at(1).field("summary").text().starts_with("Only in test builds");
        if !is_container && !is_of_tests {
            commands.insert(name.to_uppercase(), section(&name, docs.at(1), info.at(0)));
        }
    }
    assert!(commands.len() > 70, "only {} commands", commands.len());
    let pages = FAMILIES.iter().map(|(file, family, page)| {
        let own = |name: &str| {
            let prefix = name.split('.').next().unwrap_or_default();
            prefix == *family || (*family == "RATELIMIT" && prefix == "CL")
        };
        let mut text = format!("# Reference: {family}\n\n");
        text += &format!("What each command does is explained [on its page](../{page}). ");
        text +=
            "This page is written by `make reference` from what `COMMAND\nDOCS` and `COMMAND INFO` answer: ";
        text += "[how to read it](README.md).\n";
        for (_, section) in commands.iter().filter(|(name, _)| own(name)) {
            text += section;
        }
        ((*file).to_owned(), text)
    });
    pages.collect()
}

fn section(name: &str, docs: &Reply, info: &Reply) -> String {
    let title = name.to_uppercase().replace('|', " ");
    let field = |name| docs.field(name).text();
    let words = |list: &Reply| {
        let mut words: Vec<String> = list.items().iter().map(Reply::text).collect();
        words.sort();
        words
    };
    let has_arguments = docs.fields().iter().any(|(field, _)| field.text() == "arguments");
    let arguments = if has_arguments { sequence(docs.field("arguments"), " ") } else { String::new() };
    let usage = format!("{title} {arguments}");
    let flags: Vec<String> = words(info.at(2)).into_iter().filter(|flag| flag != "module").collect();
    let keys: Vec<String> = info.at(8).items().iter().map(key).collect();
    let rows = [
        ("since", field("since")),
        ("complexity", field("complexity")),
        ("flags", flags.join(", ")),
        ("ACL categories", words(info.at(6)).join(" ")),
        ("keys", if keys.is_empty() { "none".to_owned() } else { keys.join("; ") }),
    ];
    let rows: String = rows.iter().map(|(name, value)| format!("| {name} | {value} |\n")).collect();
    let summary = field("summary");
    format!(
        "\n## {title}\n\n{summary}.\n\n```text\n{}\n```\n\n| | |\n| --- | --- |\n{rows}",
        folded(usage.trim_end())
    )
}

/// The usage in lines of at most 110 characters, cut between arguments.
fn folded(usage: &str) -> String {
    let mut lines = vec![String::new()];
    let mut depth = 0;
    for word in usage.split(' ') {
        let line = lines.last_mut().expect("a line");
        if depth == 0 && line.chars().count() + word.chars().count() > 110 {
            lines.push(format!("    {word}"));
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        let count = |marks: [char; 2]| word.chars().filter(|c| marks.contains(c)).count();
        depth = depth + count(['[', '<']) - count([']', '>']);
    }
    lines.join("\n")
}

fn sequence(arguments: &Reply, between: &str) -> String {
    arguments.items().iter().map(argument).collect::<Vec<_>>().join(between)
}

/// An argument as redis-cli shows it: `[NAME name]`, `<READY | DEAD>`, `id [id …]`.
fn argument(argument: &Reply) -> String {
    let text = bare_argument(argument);
    if has_flag(argument, "optional") { format!("[{text}]") } else { text }
}

fn has_flag(argument: &Reply, flag: &str) -> bool {
    let fields = argument.fields();
    let flags = fields.iter().find(|(field, _)| field.text() == "flags");
    flags.is_some_and(|(_, flags)| flags.items().iter().any(|word| word.text() == flag))
}

/// Without the brackets of what may be left out.
fn bare_argument(argument: &Reply) -> String {
    let fields = argument.fields();
    let field = |name: &str| fields.iter().find(|(field, _)| field.text() == name).map(|(_, value)| *value);
    let has = |flag: &str| has_flag(argument, flag);
    let kind = field("type").expect("a type").text();
    let token = field("token").map(Reply::text);
    let value = match &*kind {
        "pure-token" => None,
        // The whole may be left out; its parts are marked so as well.
        "oneof" => {
            let parts = field("arguments").expect("the choices").items().iter().map(bare_argument);
            Some(parts.collect::<Vec<_>>().join(" | "))
        }
        "block" => Some(sequence(field("arguments").expect("the parts"), " ")),
        _ => Some(field("name").expect("a name").text()),
    };
    let is_bare_choice = kind == "oneof" && has("optional") && token.is_none();
    let value =
        value.map(|value| if kind == "oneof" && !is_bare_choice { format!("<{value}>") } else { value });
    let is_repeated = has("multiple");
    let value = value.map(|value| match is_repeated {
        true if has("optional") && token.is_none() => format!("{value} …"),
        true => format!("{value} [{value} …]"),
        false => value,
    });
    token.into_iter().chain(value).collect::<Vec<_>>().join(" ")
}

/// A key spec: where keys stand, and what is done to them.
fn key(spec: &Reply) -> String {
    let flags: Vec<String> = spec.field("flags").items().iter().map(Reply::text).collect();
    let begin = spec.field("begin_search");
    let place = match &*begin.field("type").text() {
        "index" => format!("argument {}", begin.field("spec").field("index").int()),
        "keyword" => format!("behind `{}`", begin.field("spec").field("keyword").text()),
        other => format!("({other})"),
    };
    let find = spec.field("find_keys");
    let how_many = match &*find.field("type").text() {
        "range" if find.field("spec").field("lastkey").int() == -1 => " and all that follow",
        "keynum" => ", as many as the number says",
        _ => "",
    };
    format!("{place}{how_many} ({})", flags.join(" "))
}
