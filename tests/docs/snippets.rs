//! The programs on a page.
//!
//! All blocks of a page that are fenced as one language are one program, in their order. Lines that
//! a reader need not see stand in a comment that begins with the language; a block that cannot be
//! run has a comment on the line above its fence:
//!
//! ```text
//! <!-- python
//! assert charged == 1
//! -->
//!
//! <!-- python: not run, WHY -->
//! ```

/// The program of `page` in the language that its fences call `fence`; `None` where it has none.
/// The error names a comment that is not understood.
pub fn program(page: &str, fence: &str) -> Result<Option<String>, String> {
    let opening = format!("```{fence}");
    let hidden = format!("<!-- {fence}");
    let mut program = String::new();
    let mut any = false;
    let mut until: Option<(&str, bool)> = None;
    let mut above = "";
    for (index, line) in page.lines().enumerate() {
        match until {
            Some((end, _)) if line.trim() == end => until = None,
            Some((_, true)) => program += &format!("{line}\n"),
            Some(_) => {}
            None if line == opening => {
                let run = !is_left_out(above, &hidden).map_err(|text| format!("line {index}: {text}"))?;
                until = Some(("```", run));
                any |= run;
            }
            None if line == hidden => until = Some(("-->", true)),
            None if line.starts_with("```") => until = Some(("```", false)),
            None => {}
        }
        above = line;
    }
    Ok(any.then_some(program))
}

fn is_left_out(above: &str, hidden: &str) -> Result<bool, String> {
    let Some(rest) = above.strip_prefix(&format!("{hidden}: ")) else { return Ok(false) };
    let why = rest.strip_suffix(" -->").and_then(|rest| rest.strip_prefix("not run, "));
    match why {
        Some(why) if !why.is_empty() => Ok(true),
        _ => Err(format!("'{above}' is not: {hidden}: not run, WHY -->")),
    }
}

#[test]
fn the_blocks_of_one_language_are_one_program() {
    let page = "```js\na\n```\n<!-- js\nb\n-->\n```python\nx\n```\n<!-- js: not run, c -->\n```js\nc\n```\n```js\nd\n```\n";
    assert_eq!(program(page, "js"), Ok(Some("a\nb\nd\n".to_owned())));
    assert_eq!(program(page, "python"), Ok(Some("x\n".to_owned())));
    assert_eq!(program(page, "ruby"), Ok(None));
    assert!(program("<!-- js: sometimes -->\n```js\na\n```\n", "js").is_err());
}
