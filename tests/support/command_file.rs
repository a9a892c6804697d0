//! An append-only file that holds nothing but commands, written by the test.

use super::{Server, Start};

/// One command as it stands in the file.
pub fn frame(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        bytes.extend(format!("${}\r\n", part.len()).bytes());
        bytes.extend(*part);
        bytes.extend(b"\r\n");
    }
    bytes
}

/// Numbers as effects hold them: in groups of seven bits, lowest first.
pub fn numbers(numbers: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for mut number in numbers {
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
    }
    bytes
}

/// Starts a server on a file of these commands.
pub fn try_on_commands(options: &[&str], commands: &[u8]) -> Start {
    let manifest = b"file appendonly.aof.1.incr.aof seq 1 type i\n";
    let files: [(&str, &[u8]); 2] = [
        ("appendonlydir/appendonly.aof.manifest", manifest),
        ("appendonlydir/appendonly.aof.1.incr.aof", commands),
    ];
    Server::try_on_files(&[&["appendonly yes"], options].concat(), &files)
}

/// Like [`try_on_commands`], where the start must succeed.
pub fn server_on_commands(options: &[&str], commands: &[u8]) -> Server {
    match try_on_commands(options, commands) {
        Start::Runs(server) => server,
        Start::Refused { status, log } => panic!("the server did not start ({status}):\n{log}"),
    }
}
