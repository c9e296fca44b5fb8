//! The frame around the bytes of an object: a mark, the format's version, a checksum. It is read before anything else, so
//! that a newer format is named and not misread.

use bytes::Bytes;

/// What every object begins with.
const MARK: [u8; 4] = *b"RCHJ";

/// The format that this program writes and reads.
const VERSION: u32 = 1;

const HEAD: usize = 12;

/// `body` in its frame.
pub(super) fn wrap(body: &[u8]) -> Bytes {
    let mut framed = Vec::with_capacity(body.len().saturating_add(HEAD));
    framed.extend_from_slice(&MARK);
    framed.extend_from_slice(&VERSION.to_le_bytes());
    framed.extend_from_slice(&checksum(VERSION, body).to_le_bytes());
    framed.extend_from_slice(body);
    framed.into()
}

/// The body of a framed object, or what is wrong with it.
pub(super) fn unwrap(framed: &[u8]) -> Result<&[u8], String> {
    let cut_short = || format!("has {} bytes, too few for any object", framed.len());
    let (head, body) = framed.split_at_checked(HEAD).ok_or_else(cut_short)?;
    let (mark, head) = head.split_first_chunk::<4>().ok_or_else(cut_short)?;
    let (version, head) = head.split_first_chunk::<4>().ok_or_else(cut_short)?;
    let (sum, _) = head.split_first_chunk::<4>().ok_or_else(cut_short)?;
    if *mark != MARK {
        return Err("is no object of a journal".to_owned());
    }
    let version = u32::from_le_bytes(*version);
    if version != VERSION {
        return Err(format!("has format {version}, and this program reads format {VERSION}"));
    }
    let (said, found) = (u32::from_le_bytes(*sum), checksum(version, body));
    if said == found { Ok(body) } else { Err(format!("has the checksum {found:08x} where it says {said:08x}")) }
}

fn checksum(version: u32, body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&version.to_le_bytes()), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrapped_comes_back() {
        for body in [&b""[..], b"body"] {
            assert_eq!(unwrap(&wrap(body)), Ok(body));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_missing_byte_is_found() {
        let framed = wrap(b"a body of some bytes");
        for at in 0..framed.len() * 8 {
            let mut bent = framed.to_vec();
            bent[at / 8] ^= 1 << (at % 8);
            assert!(unwrap(&bent).is_err(), "bit {at}");
        }
        for length in 0..framed.len() {
            assert!(unwrap(&framed[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_newer_format_is_named() {
        let mut newer = wrap(b"body").to_vec();
        newer[4] = 9;
        assert!(unwrap(&newer).is_err_and(|problem| problem.contains("format 9")), "{newer:?}");
    }
}
