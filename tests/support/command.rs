//! How tests write a command: as a line of words, or as parts of any bytes.

/// One argument, as bytes.
pub trait Arg {
    fn bytes(&self) -> Vec<u8>;
}

impl Arg for &str {
    fn bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }
}

impl Arg for String {
    fn bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }
}

impl Arg for Vec<u8> {
    fn bytes(&self) -> Vec<u8> {
        self.clone()
    }
}

impl Arg for &[u8] {
    fn bytes(&self) -> Vec<u8> {
        self.to_vec()
    }
}

impl<const N: usize> Arg for &[u8; N] {
    fn bytes(&self) -> Vec<u8> {
        self.to_vec()
    }
}

macro_rules! numbers_are_arguments {
    ($($number:ty),*) => {
        $(impl Arg for $number {
            fn bytes(&self) -> Vec<u8> {
                self.to_string().into_bytes()
            }
        })*
    };
}
numbers_are_arguments!(i32, i64, u64, usize);

impl<T: Arg> Arg for &T {
    fn bytes(&self) -> Vec<u8> {
        (*self).bytes()
    }
}

/// A whole command.
pub trait Command {
    fn parts(self) -> Vec<Vec<u8>>;
}

/// Words separated by white space.
impl Command for &str {
    fn parts(self) -> Vec<Vec<u8>> {
        self.split_whitespace().map(|word| word.as_bytes().to_vec()).collect()
    }
}

impl Command for String {
    fn parts(self) -> Vec<Vec<u8>> {
        self.as_str().parts()
    }
}

impl Command for &String {
    fn parts(self) -> Vec<Vec<u8>> {
        self.as_str().parts()
    }
}

impl Command for Vec<Vec<u8>> {
    fn parts(self) -> Vec<Vec<u8>> {
        self
    }
}

impl Command for &Vec<Vec<u8>> {
    fn parts(self) -> Vec<Vec<u8>> {
        self.clone()
    }
}

/// The command in RESP.
pub fn encode(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut wire = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        wire.extend(format!("${}\r\n", part.len()).bytes());
        wire.extend(part);
        wire.extend(b"\r\n");
    }
    wire
}

/// The command as a message shows it.
pub fn shown(parts: &[Vec<u8>]) -> String {
    let words: Vec<String> =
        parts.iter().map(|part| part[..part.len().min(80)].escape_ascii().to_string()).collect();
    words.join(" ")
}
