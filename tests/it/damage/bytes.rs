//! Damage to bytes.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// One of the originals, damaged, and how: it follows from the number.
pub fn mutated(originals: &[Vec<u8>], number: u64) -> (Vec<u8>, String) {
    let mut random = StdRng::seed_from_u64(0x5eed_0000 + number);
    let mut bytes = originals[random.gen_range(0..originals.len())].clone();
    let mut what = Vec::new();
    for _ in 0..random.gen_range(1..=2) {
        what.push(once(&mut bytes, &mut random));
    }
    (bytes, what.join(", then "))
}

fn once(bytes: &mut Vec<u8>, random: &mut StdRng) -> String {
    if bytes.len() < 32 {
        bytes.push(random.gen_range(0..=255));
        return "a byte added to a rest".to_owned();
    }
    match random.gen_range(0..9) {
        0 => {
            let flips = random.gen_range(1..=8);
            for _ in 0..flips {
                let at = random.gen_range(0..bytes.len());
                bytes[at] ^= 1 << random.gen_range(0..8);
            }
            format!("{flips} bits flipped")
        }
        1 => {
            let length = random.gen_range(0..bytes.len());
            bytes.truncate(length);
            format!("cut off at {length}")
        }
        2 => {
            let (start, end) = range(bytes, random);
            bytes[start..end].fill(0);
            format!("zeros at {start}..{end}")
        }
        3 => {
            let (start, end) = range(bytes, random);
            random.fill(&mut bytes[start..end]);
            format!("noise at {start}..{end}")
        }
        4 => {
            let (start, end) = range(bytes, random);
            bytes.drain(start..end);
            format!("{start}..{end} left out")
        }
        5 => {
            let (start, end) = range(bytes, random);
            let piece = bytes[start..end].to_vec();
            let at = random.gen_range(0..=bytes.len());
            bytes.splice(at..at, piece);
            format!("{start}..{end} once more at {at}")
        }
        6 => {
            let (start, end) = range(bytes, random);
            let other = random.gen_range(0..bytes.len() - (end - start));
            for offset in 0..end - start {
                bytes.swap(start + offset, other + offset);
            }
            format!("{start}..{end} swapped with {other}")
        }
        7 => footer_byte(bytes, random),
        _ => footer_number(bytes, random),
    }
}

/// A range of at most a quarter of the bytes.
fn range(bytes: &[u8], random: &mut StdRng) -> (usize, usize) {
    let length = random.gen_range(1..=bytes.len() / 4);
    let start = random.gen_range(0..=bytes.len() - length);
    (start, start + length)
}

/// Where the footer of a Parquet file lies, as its end says, or what would be it.
fn footer(bytes: &[u8]) -> (usize, usize) {
    let end = bytes.len() - 8;
    let length = u32::from_le_bytes([bytes[end], bytes[end + 1], bytes[end + 2], bytes[end + 3]]) as usize;
    (end.saturating_sub(length.clamp(1, end)), end)
}

fn footer_byte(bytes: &mut [u8], random: &mut StdRng) -> String {
    let (start, end) = footer(bytes);
    let at = random.gen_range(start..end + 4);
    bytes[at] = match random.gen_range(0..4) {
        0 => 0,
        1 => 0xff,
        2 => bytes[at].wrapping_add(1),
        _ => random.gen_range(0..=255),
    };
    format!("byte {at} of the footer changed")
}

/// Puts a large number into the footer, as Thrift writes it, and the footer's length right.
fn footer_number(bytes: &mut Vec<u8>, random: &mut StdRng) -> String {
    let (start, end) = footer(bytes);
    let at = random.gen_range(start..end);
    let mut number: u64 = random.gen_range(0..=u64::MAX) >> random.gen_range(0..64);
    let mut digits = Vec::new();
    while number >= 0x80 {
        digits.push((number & 0x7f | 0x80) as u8);
        number >>= 7;
    }
    digits.push(number as u8);
    // The number that was there ends with the first byte below 128.
    let old = bytes[at..end].iter().position(|byte| *byte < 0x80).map_or(1, |last| last + 1);
    let grown = digits.len() as i64 - old as i64;
    bytes.splice(at..at + old, digits);
    let end = bytes.len() - 8;
    let length = u32::try_from((end - start) as i64).unwrap_or(0);
    bytes[end..end + 4].copy_from_slice(&length.to_le_bytes());
    format!("number at {at} of the footer changed, which grew by {grown}")
}
