//! Values in less memory: the block format of LZ4, with the length of the value before it.

use std::borrow::Cow;

/// Longer values are stored as they are: packing one would hold the server for milliseconds.
const MAX_LEN: usize = 1024 * 1024;

/// The most bytes of a value that one byte of the format can encode.
const MAX_RATIO: usize = 255;

/// The packed form, if it saves at least an eighth. `least` is the size from which on this is
/// tried, 0 for never.
pub fn compress(value: &[u8], least: u64) -> Option<Box<[u8]>> {
    if least == 0 || (value.len() as u64) < least || value.len() > MAX_LEN {
        return None;
    }
    let packed = lz4_flex::block::compress_prepend_size(value);
    (packed.len() <= value.len() - value.len() / 8).then(|| packed.into_boxed_slice())
}

/// The value; nothing when these are not the bytes of one, however long they say it is.
pub fn decompress(bytes: &[u8]) -> Option<Cow<'static, [u8]>> {
    let (length, block) = bytes.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > MAX_LEN || length > block.len().saturating_mul(MAX_RATIO) {
        return None;
    }
    let value = lz4_flex::block::decompress(block, length).ok()?;
    (value.len() == length).then_some(Cow::Owned(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_saves_an_eighth_is_packed() {
        let zeros = vec![0; 2_000];
        assert!(compress(&zeros, 1_000).unwrap().len() < 100);
        assert_eq!(compress(&zeros, 2_001), None);
        assert_eq!(compress(&zeros, 0), None);
        assert_eq!(compress(&vec![0; MAX_LEN + 1], 1), None);
        assert!(compress(&vec![0; MAX_LEN], 1).is_some());
        // Nothing repeats in what a xorshift generator gives (Marsaglia 2003).
        let mut state = 0x2545_f491u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        })
        .take(2_000)
        .collect();
        let least = |part: usize| {
            let value = [&noise[..], &vec![0; part]].concat();
            compress(&value, 1).map(|packed| (packed.len(), value.len()))
        };
        assert_eq!(least(200), None, "less than an eighth");
        let (length, of) = least(400).expect("more than an eighth");
        assert!(length * 8 <= of * 7);
        assert_eq!(compress(b"", 1), None);
    }

    proptest! {
        #[test]
        fn what_was_packed_reads_back(parts in prop::collection::vec((any::<u8>(), 1..500usize), 1..30)) {
            let value: Vec<u8> = parts.into_iter().flat_map(|(byte, times)| vec![byte; times]).collect();
            if let Some(packed) = compress(&value, 1) {
                prop_assert!(packed.len() * 8 <= value.len() * 7 + 7);
                let read = decompress(&packed).map(Cow::into_owned);
                prop_assert_eq!(read, Some(value));
                prop_assert_eq!(decompress(&packed[..packed.len() - 1]), None);
            }
        }

        #[test]
        fn random_bytes_neither_panic_nor_take_more_memory_than_they_could_stand_for(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            if let Some(value) = decompress(&bytes) {
                prop_assert!(value.len() <= 200 * MAX_RATIO);
            }
        }
    }
}
