//! The payload of DUMP, taken apart and sealed again, so that a damaged one passes the checksum.

/// A DUMP payload: the value's bytes, then the RDB version (2 bytes) and a CRC-64 of all before it
/// (8 bytes).
#[derive(Clone)]
pub struct Dump {
    /// The type byte, the module's id, and the value.
    pub body: Vec<u8>,
    version: [u8; 2],
}

/// The type byte (a module's value) and the id of the module type, as `RDB_64BITLEN` and eight
/// bytes.
const HEAD: usize = 10;

impl Dump {
    /// Takes a payload apart; panics when it is none, or its checksum is not the one computed here.
    #[track_caller]
    pub fn of(payload: &[u8]) -> Dump {
        let (signed, checksum) = payload.split_at(payload.len() - 8);
        assert_eq!(checksum, crc64(signed).to_le_bytes(), "the checksum is Jones' CRC-64, little endian");
        let (body, version) = signed.split_at(signed.len() - 2);
        Dump { body: body.to_vec(), version: [version[0], version[1]] }
    }

    /// The payload with a checksum that fits what the body now is.
    pub fn sealed(&self) -> Vec<u8> {
        let mut payload = self.body.clone();
        payload.extend(self.version);
        let checksum = crc64(&payload);
        payload.extend(checksum.to_le_bytes());
        payload
    }

    /// Where the module's own bytes begin. The type and the module's id come before it; they are
    /// the server's.
    pub fn own_bytes(&self) -> std::ops::Range<usize> {
        HEAD..self.body.len()
    }

    /// Raises the encoding version, which is the lowest ten bits of the module type's id.
    pub fn newer(&self) -> Dump {
        let mut newer = self.clone();
        assert_eq!(newer.body[..2], [7, 0x81], "a module's value, its id in 64 bits");
        let id = u64::from_be_bytes(newer.body[2..HEAD].try_into().expect("eight bytes"));
        newer.body[2..HEAD].copy_from_slice(&(id + 1).to_be_bytes());
        newer
    }
}

/// CRC-64 by Jones (polynomial 0xad93d23594c935a9, reflected, no initial or final inversion), as
/// `crc64.c` of Redis.
pub fn crc64(bytes: &[u8]) -> u64 {
    // The polynomial with its bits reversed, since the bits are taken lowest first.
    const REVERSED: u64 = 0x95ac_9329_ac4b_c9b5;
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(
            crc ^ u64::from(*byte),
            |crc, _| if crc & 1 == 1 { (crc >> 1) ^ REVERSED } else { crc >> 1 },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_redis() {
        // The check value in crc64.c.
        assert_eq!(crc64(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    }
}
