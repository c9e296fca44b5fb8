//! What decoding and encoding take, and how much of an array is stored: assumptions by families of codecs. They decide
//! between plans and make estimates; no count of a plan depends on them.

use serde_json::Value;

/// Codecs that are about as fast as one another, and compress about as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodecFamily {
    /// No compressor: elements as they are, perhaps in another order and with checksums.
    Raw,
    /// LZ4 and what is as fast, with or without blosc's shuffle.
    Lz4,
    /// Zstandard at its usual levels.
    Zstd,
    /// Deflate and what is as slow.
    Gzip,
}

/// Bytes of elements that one thread decodes and encodes in a second.
struct Speed {
    decode: f64,
    encode: f64,
}

/// Stored bytes of a compressed array as a part of the decoded ones: what reservations are made by too. Data of
/// instruments and models is mostly between a third and three quarters.
const COMPRESSED_PART: f64 = 0.5;

/// Bytes of elements that one thread copies into another order in a second: runs of 128 bytes, measured 2.5 to 4.5e9.
const COPIED_PER_SECOND: f64 = 2.5e9;

impl CodecFamily {
    /// The family of a chain: that of its slowest codec. A chain that can't be read, and codecs that are not known
    /// here, count as zstd.
    pub(crate) fn of(codecs: &str) -> Self {
        let Ok(Value::Array(codecs)) = serde_json::from_str::<Value>(codecs) else { return Self::Zstd };
        let families = codecs.iter().map(of_codec);
        families.max_by_key(|family| family.slowness()).unwrap_or(Self::Raw)
    }

    /// Stored bytes as a part of the decoded ones.
    pub(crate) fn stored_part(self) -> f64 {
        match self {
            Self::Raw => 1.0,
            Self::Lz4 | Self::Zstd | Self::Gzip => COMPRESSED_PART,
        }
    }

    /// What `stored` bytes are before they are compressed.
    pub(crate) fn decoded_bytes(self, stored: u64) -> u64 {
        match self {
            Self::Raw => stored,
            Self::Lz4 | Self::Zstd | Self::Gzip => stored.saturating_mul(2),
        }
    }

    /// Seconds in which one thread decodes `bytes` of elements.
    pub(crate) fn decode_seconds(self, bytes: f64) -> f64 {
        self.speed().map_or(0.0, |speed| bytes / speed.decode)
    }

    /// Seconds in which one thread encodes `bytes` of elements.
    pub(crate) fn encode_seconds(self, bytes: f64) -> f64 {
        self.speed().map_or(0.0, |speed| bytes / speed.encode)
    }

    /// Measured on float32 fields that compress to about 0.4, one thread of a machine of 2026: LZ4 by blosc with
    /// shuffle, zstd at level 1, gzip at level 5.
    fn speed(self) -> Option<Speed> {
        match self {
            Self::Raw => None,
            Self::Lz4 => Some(Speed { decode: 3.3e9, encode: 1.5e9 }),
            Self::Zstd => Some(Speed { decode: 0.55e9, encode: 0.21e9 }),
            Self::Gzip => Some(Speed { decode: 0.2e9, encode: 0.03e9 }),
        }
    }

    fn slowness(self) -> u8 {
        match self {
            Self::Raw => 0,
            Self::Lz4 => 1,
            Self::Zstd => 2,
            Self::Gzip => 3,
        }
    }
}

/// Seconds in which one thread copies `bytes` of elements to where they belong.
pub(crate) fn copy_seconds(bytes: f64) -> f64 {
    bytes / COPIED_PER_SECOND
}

fn of_codec(codec: &Value) -> CodecFamily {
    let name = codec.get("name").and_then(Value::as_str).unwrap_or_default();
    let compressor = match name.strip_prefix("numcodecs.").unwrap_or(name) {
        "blosc" => codec.pointer("/configuration/cname").and_then(Value::as_str).unwrap_or("lz4"),
        other => other,
    };
    match compressor {
        "bytes" | "transpose" | "crc32c" | "crc32" | "adler32" | "fletcher32" | "vlen-utf8" | "vlen-bytes"
        | "vlen-array" | "shuffle" | "delta" | "fixedscaleoffset" | "quantize" | "bitround" | "astype" | "packbits"
        | "scale_offset" | "cast_value" | "squeeze" | "reshape" => CodecFamily::Raw,
        "lz4" | "lz4hc" | "blosclz" | "snappy" => CodecFamily::Lz4,
        "gzip" | "zlib" | "bz2" | "lzma" | "gdeflate" => CodecFamily::Gzip,
        _ => CodecFamily::Zstd,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_as_slow_as_its_slowest_codec() {
        let family = |codecs: &str| CodecFamily::of(codecs);
        let bytes = r#"{"name":"bytes","configuration":{"endian":"little"}}"#;
        assert_eq!(family("[]"), CodecFamily::Raw);
        assert_eq!(family(&format!(r#"[{{"name":"transpose"}},{bytes},{{"name":"crc32c"}}]"#)), CodecFamily::Raw);
        let blosc = |cname: &str| format!(r#"[{bytes},{{"name":"blosc","configuration":{{"cname":"{cname}"}}}}]"#);
        assert_eq!(family(&blosc("lz4")), CodecFamily::Lz4);
        assert_eq!(family(&blosc("zstd")), CodecFamily::Zstd);
        assert_eq!(family(&blosc("zlib")), CodecFamily::Gzip);
        assert_eq!(family(&format!(r#"[{bytes},{{"name":"numcodecs.zlib"}},{{"name":"zstd"}}]"#)), CodecFamily::Gzip);
        assert_eq!(family("not JSON"), CodecFamily::Zstd);
        assert_eq!(family(r#"[{"name":"a codec of somebody"}]"#), CodecFamily::Zstd);
    }
}
