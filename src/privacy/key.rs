//! The secret key, from a file or an environment variable. No error repeats a byte of it.

use std::path::Path;

/// The least number of bytes: as long as the digest, as RFC 2104 asks of HMAC keys.
pub const KEY_BYTES_MIN: usize = 32;

/// Why there is no usable key. Fragments that complete "failed to …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("read the key of pseudonyms from {path}: {reason}")]
    Unreadable { path: String, reason: String },
    #[error("read the key of pseudonyms: the environment variable `{name}` is not set")]
    Unset { name: String },
    #[error("use the key of pseudonyms: it has {bytes} bytes and needs at least {KEY_BYTES_MIN}")]
    Short { bytes: usize },
}

/// The bytes of a file, without the line break that editors and `echo` put after a text.
pub fn from_file(path: &Path) -> Result<Vec<u8>, KeyError> {
    let read = std::fs::read(path);
    let bytes = read.map_err(|error| {
        let reason = error.to_string();
        KeyError::Unreadable { path: path.display().to_string(), reason }
    })?;
    long_enough(without_line_break(bytes))
}

/// The bytes of an environment variable.
pub fn from_environment(name: &str) -> Result<Vec<u8>, KeyError> {
    let value = std::env::var_os(name).ok_or_else(|| KeyError::Unset { name: name.to_owned() })?;
    long_enough(without_line_break(value.into_encoded_bytes()))
}

/// Of a text only: the last byte of 32 random ones may happen to be a line break.
fn without_line_break(mut bytes: Vec<u8>) -> Vec<u8> {
    let text = bytes.strip_suffix(b"\r\n").or_else(|| bytes.strip_suffix(b"\n")).unwrap_or(&bytes);
    if text.iter().all(|byte| byte.is_ascii_graphic()) {
        bytes.truncate(text.len());
    }
    bytes
}

fn long_enough(bytes: Vec<u8>) -> Result<Vec<u8>, KeyError> {
    if bytes.len() < KEY_BYTES_MIN { Err(KeyError::Short { bytes: bytes.len() }) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> Result<Vec<u8>, KeyError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, bytes).unwrap();
        from_file(&path)
    }

    #[test]
    fn a_text_loses_its_line_break_and_random_bytes_lose_nothing() {
        assert_eq!(file(&[b'a'; 32]).unwrap(), [b'a'; 32]);
        assert_eq!(file(&[&[b'a'; 32][..], b"\n"].concat()).unwrap(), [b'a'; 32]);
        assert_eq!(file(&[&[b'a'; 32][..], b"\r\n"].concat()).unwrap(), [b'a'; 32]);
        let random = [&[0x80; 31][..], b"\n"].concat();
        assert_eq!(file(&random).unwrap(), random);
    }

    #[test]
    fn a_short_key_is_refused_without_being_told() {
        let error = file(b"too-short-a-secret\n").unwrap_err();
        assert_eq!(error, KeyError::Short { bytes: 18 });
        assert_eq!(error.to_string(), "use the key of pseudonyms: it has 18 bytes and needs at least 32");
        assert_eq!(file(&[&[b'a'; 31][..], b"\n"].concat()), Err(KeyError::Short { bytes: 31 }));
    }

    #[test]
    fn what_is_not_there_is_told() {
        let missing = from_file(Path::new("/no/such/key")).unwrap_err();
        assert!(missing.to_string().starts_with("read the key of pseudonyms from /no/such/key: No such file"));
        let unset = from_environment("PATRONAGE_NO_SUCH_VARIABLE").unwrap_err();
        assert!(unset.to_string().ends_with("the environment variable `PATRONAGE_NO_SUCH_VARIABLE` is not set"));
    }
}
