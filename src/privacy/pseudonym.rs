//! Keyed pseudonyms: HMAC-SHA256 (RFC 2104, FIPS 198-1) of the canonical text of a value.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What the digest of a key is taken of. No value begins with a zero byte unless it is a text that does.
const DIGEST_OF: &[u8] = b"\0patronage key";

/// The alphabet of RFC 4648 base32, in lowercase.
const ALPHABET: [u8; 32] = *b"abcdefghijklmnopqrstuvwxyz234567";

/// Bits that a letter stands for.
const LETTER_BITS: usize = 5;

/// Bytes of the HMAC that a pseudonym keeps: 160 bits, so that two of 10^9 identifiers share one with a probability
/// of about 10^-31.
const KEPT_BYTES: usize = 20;

/// Makes pseudonyms with one key. Cloning is cheap; the key cannot be got back out of it.
#[derive(Clone)]
pub struct Pseudonyms {
    version: u32,
    /// `p<version>_`
    prefix: String,
    /// With the key taken in already, so that a pseudonym costs two blocks of SHA-256 and not four.
    keyed: Hmac<Sha256>,
}

impl Pseudonyms {
    /// With a key of any length; [`super::from_file`] and [`super::from_environment`] refuse short ones.
    pub fn new(version: u32, key: &[u8]) -> Option<Pseudonyms> {
        Some(Pseudonyms { version, prefix: format!("p{version}_"), keyed: Hmac::new_from_slice(key).ok()? })
    }

    /// What tells this key from another without telling the key, with the version: it belongs into cache keys.
    pub fn digest(&self) -> String {
        let mut digest = self.prefix.clone();
        letters(&self.tag(DIGEST_OF), &mut digest);
        digest
    }

    /// Appends the pseudonym of a value's canonical text: `p<version>_` and 32 letters of base32.
    pub fn write(&self, text: &[u8], into: &mut String) {
        into.push_str(&self.prefix);
        letters(&self.tag(text), into);
    }

    /// The first bytes of the HMAC.
    fn tag(&self, text: &[u8]) -> [u8; KEPT_BYTES] {
        let mut keyed = self.keyed.clone();
        keyed.update(text);
        let whole: [u8; 32] = keyed.finalize().into_bytes().into();
        let mut kept = [0; KEPT_BYTES];
        for (byte, found) in kept.iter_mut().zip(whole) {
            *byte = found;
        }
        kept
    }
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pseudonyms").field("version", &self.version).finish_non_exhaustive()
    }
}

/// Five bytes at a time, eight letters each.
fn letters(bytes: &[u8; KEPT_BYTES], into: &mut String) {
    for group in bytes.chunks(LETTER_BITS) {
        let bits = group.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        for place in (0..8).rev() {
            let letter = ALPHABET.get((bits >> (place * LETTER_BITS)) as usize & 31).copied().unwrap_or_default();
            into.push(char::from(letter));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Python: `base64.b32encode(hmac.new(key, text, "sha256").digest()[:20]).decode().lower()`.
    const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn pseudonym(version: u32, key: &[u8], text: &str) -> String {
        let mut made = String::new();
        Pseudonyms::new(version, key).unwrap().write(text.as_bytes(), &mut made);
        made
    }

    #[test]
    fn pseudonyms_are_those_that_python_makes() {
        assert_eq!(pseudonym(1, KEY, "12345"), "p1_gumgvvhazgruvqh37pdncd6qtou5fu77");
        assert_eq!(pseudonym(12, KEY, ""), "p12_pfwngb4k6fddm5j5e2z3kvkuel7vli7c");
        assert_eq!(pseudonym(1, &[0xff; 70], "gerda@example.org"), "p1_h24c7xei4fm5ljk7omux4tmn4y6xhfyn");
    }

    #[test]
    fn another_key_gives_others_and_another_version_names_itself() {
        assert_ne!(pseudonym(1, KEY, "12345"), pseudonym(1, &[1; 32], "12345"));
        assert_eq!(pseudonym(1, KEY, "12345")[2..], pseudonym(2, KEY, "12345")[2..]);
    }

    #[test]
    fn the_digest_tells_keys_apart_and_nothing_else() {
        let of = |version, key| Pseudonyms::new(version, key).unwrap();
        assert_eq!(of(1, KEY).digest(), of(1, KEY).digest());
        assert_ne!(of(1, KEY).digest(), of(2, KEY).digest());
        assert_ne!(of(1, KEY).digest(), of(1, &[1; 32][..]).digest());
        let shown = format!("{:?} {}", of(1, KEY), of(1, KEY).digest());
        assert!(!shown.contains("0123456789abcdef"));
    }
}
