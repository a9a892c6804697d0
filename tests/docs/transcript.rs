//! Commands on a page, with the lines that should follow each.

use std::collections::HashMap;

use crate::support::Reply;

pub struct Step {
    /// Of the command, counted from 1.
    pub line: usize,
    pub command: String,
    pub expected: Vec<String>,
}

pub struct Transcript {
    pub steps: Vec<Step>,
}

impl Transcript {
    pub fn of(page: &str) -> Self {
        let mut steps: Vec<Step> = Vec::new();
        let mut inside = false;
        for (number, line) in page.lines().enumerate() {
            if line.starts_with("```") {
                inside = !inside && line == "```redis";
            } else if !inside {
            } else if let Some(command) = line.strip_prefix("> ") {
                steps.push(Step { line: number + 1, command: command.to_owned(), expected: vec![] });
            } else if let Some(step) = steps.last_mut() {
                step.expected.push(line.to_owned());
            }
        }
        Transcript { steps }
    }

    /// Runs all steps in order; the error names the first line that differs.
    pub fn replay(&self, call: impl Fn(Vec<Vec<u8>>) -> Reply) -> Result<(), String> {
        let mut known = HashMap::new();
        for step in &self.steps {
            let command = substitute(&step.command, &known);
            let printed = printed(&call(words(&command)));
            let same = printed.len() == step.expected.len()
                && step.expected.iter().zip(&printed).all(|(want, got)| fits(want, got, &mut known));
            if !same {
                let (want, got) = (step.expected.join("\n"), printed.join("\n"));
                return Err(format!(
                    "line {}: {command}\nthe page says:\n{want}\nthe server says:\n{got}",
                    step.line
                ));
            }
        }
        Ok(())
    }
}

fn substitute(text: &str, known: &HashMap<String, String>) -> String {
    known.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("<{name}>"), value))
}

/// Whether a printed line is what the page says, at most one placeholder in it.
fn fits(want: &str, got: &str, known: &mut HashMap<String, String>) -> bool {
    let want = substitute(want, known);
    let Some((before, rest)) = want.split_once('<') else { return want == got };
    let Some((name, after)) = rest.split_once('>') else { return want == got };
    let Some(value) = got.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)) else {
        return false;
    };
    if !["ms", "text"].contains(&name) {
        known.insert(name.to_owned(), value.to_owned());
    }
    !value.is_empty()
}

/// A command line cut into words; single and double quotes hold spaces.
fn words(line: &str) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c == ' ' => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words.into_iter().map(String::into_bytes).collect()
}

/// A reply as `redis-cli` prints it at a terminal.
fn printed(reply: &Reply) -> Vec<String> {
    match reply {
        Reply::Nil => vec!["(nil)".into()],
        Reply::Int(value) => vec![format!("(integer) {value}")],
        Reply::Status(text) | Reply::Other(text) => vec![text.clone()],
        Reply::Error(text) => vec![format!("(error) {text}")],
        Reply::Bulk(bytes) => vec![format!("\"{}\"", bytes.escape_ascii().to_string().replace("\\'", "'"))],
        Reply::Array(items) if items.is_empty() => vec!["(empty array)".into()],
        Reply::Array(items) => numbered(items.iter().map(printed).collect()),
        Reply::Map(pairs) => {
            numbered(pairs.iter().flat_map(|(name, value)| [printed(name), printed(value)]).collect())
        }
    }
}

/// Items with their numbers before them; the lines of a nested array are indented to match.
fn numbered(items: Vec<Vec<String>>) -> Vec<String> {
    let width = items.len().to_string().len();
    let mut lines = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        for (row, line) in item.into_iter().enumerate() {
            let head = if row == 0 { format!("{:>width$}) ", index + 1) } else { " ".repeat(width + 2) };
            lines.push(head + &line);
        }
    }
    lines
}
