//! `TAGS n tag …`, which several commands take.

use crate::domain::cache::{MOST_TAGS_OF_A_KEY, Tags};
use crate::domain::refusal::Refusal;

use crate::commands::args::Words;

/// What stands behind TAGS.
pub fn read(words: &mut Words<'_>) -> Result<Tags, Refusal> {
    let count = words.integer("TAGS", 1, MOST_TAGS_OF_A_KEY as u64)?;
    let given = words.many(count, |words| words.word("tag"))?;
    Tags::new(&given)
}
