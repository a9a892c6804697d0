//! The trace that a job belongs to: `traceparent` of W3C Trace Context, as its producer left it in
//! META.

/// META that is a traceparent, or a JSON object with a member of that name. None where it is not
/// one.
pub fn of(meta: Option<&[u8]>) -> Option<String> {
    let text = std::str::from_utf8(meta?).ok()?.trim();
    if !text.starts_with('{') {
        return is_traceparent(text).then(|| text.to_owned());
    }
    let object: serde_json::Value = serde_json::from_str(text).ok()?;
    let found = object.get("traceparent")?.as_str()?;
    is_traceparent(found).then(|| found.to_owned())
}

/// `version-trace-parent-flags`, in lower-case hexadecimal digits; later versions may append to it.
fn is_traceparent(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut part = |length: usize| {
        let part = parts.next().filter(|part| part.len() == length)?;
        part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).then_some(part)
    };
    let (version, trace, parent, flags) = (part(2), part(32), part(16), part(2));
    let is_some = |part: Option<&str>| part.is_some_and(|part| part.bytes().any(|byte| byte != b'0'));
    let has_more = parts.next().is_some();
    let fits = version.is_some_and(|version| version != "ff" && (version != "00" || !has_more));
    fits && is_some(trace) && is_some(parent) && flags.is_some() && text.len() <= 512
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn it_stands_in_meta_alone_or_as_a_member() {
        let object = format!(r#"{{"traceparent":"{TRACE}","user":7}}"#);
        for meta in [TRACE, object.as_str(), &format!(" {TRACE}\n")] {
            assert_eq!(of(Some(meta.as_bytes())).as_deref(), Some(TRACE), "{meta}");
        }
        let later = format!("01{}-more", &TRACE[2..]);
        assert_eq!(of(Some(later.as_bytes())), Some(later));
    }

    #[test]
    fn what_is_no_traceparent_is_left_alone() {
        for meta in [
            "",
            "{",
            "{}",
            r#"{"traceparent":7}"#,
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert_eq!(of(Some(meta.as_bytes())), None, "{meta}");
        }
        assert_eq!((of(None), of(Some(b"\xff"))), (None, None));
    }
}
