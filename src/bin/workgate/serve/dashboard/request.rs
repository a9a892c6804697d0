//! Path, query and form of a request. Keys and ids are any bytes, so all of it is read as bytes.

/// Names and values of a query or a form.
#[derive(Debug, Clone, Default)]
pub struct Fields(Vec<(String, Vec<u8>)>);

impl Fields {
    pub fn read(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Fields(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    let name = String::from_utf8_lossy(&decoded(name, true)).into_owned();
                    (name, decoded(value, true))
                })
                .collect(),
        )
    }

    /// A value that is not empty.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        let found = self.0.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| &value[..]).filter(|value| !value.is_empty())
    }

    /// A value that is text and not blank, without spaces around it.
    pub fn text(&self, name: &str) -> Option<&str> {
        let text = std::str::from_utf8(self.bytes(name)?).ok()?.trim();
        (!text.is_empty()).then_some(text)
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    pub fn all(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), &value[..]))
    }

    /// As a query, without the fields of these names.
    pub fn without(&self, names: &[&str]) -> String {
        let kept = self.0.iter().filter(|(name, value)| !names.contains(&name.as_str()) && !value.is_empty());
        kept.map(|(name, value)| format!("{}={}", encoded(name.as_bytes()), encoded(value)))
            .collect::<Vec<_>>()
            .join("&")
    }
}

/// The parts of a path between its slashes.
pub fn segments(path: &str) -> Vec<Vec<u8>> {
    let path = path.trim_matches('/');
    if path.is_empty() {
        return Vec::new();
    }
    path.split('/').map(|part| decoded(part, false)).collect()
}

fn decoded(text: &str, plus_is_space: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        let coded = hex.filter(|_| *byte == b'%').and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match coded {
            Some(coded) => {
                bytes.push(coded);
                rest = &after[2..];
            }
            None => {
                bytes.push(if *byte == b'+' && plus_is_space { b' ' } else { *byte });
                rest = after;
            }
        }
    }
    bytes
}

/// For one part of a path, or a value of a query.
pub fn encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => text.push(char::from(*byte)),
            // Parts of dots alone would be taken for folders.
            b'.' if bytes.iter().any(|other| *other != b'.') => text.push('.'),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_come_back_from_a_path_and_a_query(bytes in proptest::collection::vec(any::<u8>(), 1..40)) {
            let path = format!("/queue/{}/x", encoded(&bytes));
            prop_assert_eq!(&segments(&path)[1], &bytes);
            let fields = Fields::read(&format!("a=1&b={}", encoded(&bytes)));
            prop_assert_eq!(fields.bytes("b"), Some(&bytes[..]));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            segments(&text);
            let _ = Fields::read(&text).without(&["a"]);
        }
    }

    #[test]
    fn a_form_is_read_as_browsers_write_it() {
        let fields = Fields::read("for=5m&group=a+b%2Bc&empty=&n=7&blank=+");
        assert_eq!((fields.text("for"), fields.text("group")), (Some("5m"), Some("a b+c")));
        assert_eq!((fields.text("empty"), fields.text("blank"), fields.number("n")), (None, None, Some(7)));
        assert_eq!(fields.without(&["n", "blank"]), "for=5m&group=a%20b%2Bc");
    }
}
