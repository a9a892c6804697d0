//! KIND and ERROR of LIST, REDRIVE and PURGE: which failures a command is about.

use crate::domain::jobq::view::glob::Glob;

/// The bytes of an error that cost as much to match as looking at one job.
const BYTES_PER_LOOK: usize = 64;

/// Selects jobs by their last failure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter<'a> {
    /// Only jobs whose last failure was of this kind.
    pub kind: Option<&'a [u8]>,
    /// Only jobs whose last error matches this, as a whole.
    pub error: Option<Glob>,
}

impl JobFilter<'_> {
    pub fn matches(&self, error: Option<&[u8]>, kind: Option<&[u8]>) -> bool {
        self.kind.is_none_or(|wanted| kind == Some(wanted))
            && self.error.as_ref().is_none_or(|glob| glob.matches(error.unwrap_or_default()))
    }

    /// The cost of [`JobFilter::matches`], in jobs looked at.
    pub fn cost(&self, error: Option<&[u8]>) -> usize {
        let bytes = self.error.as_ref().and(error).map_or(0, <[u8]>::len);
        1 + bytes / BYTES_PER_LOOK
    }
}
