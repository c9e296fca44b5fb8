//! Why a metadata document or a chunk cannot be used. Typed, so that callers map each to a reason without reading
//! the text.

/// A metadata document that cannot be read, written or converted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// Not JSON, or JSON of the wrong form.
    #[error("corrupt metadata: {field}: {problem}")]
    Corrupt {
        /// The field at fault, as a path: `codecs[0].configuration.level`.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The document describes another kind of node than was asked for.
    #[error("the document describes {found}, not {expected}")]
    WrongNode {
        /// What was asked for.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A data type that rechunk does not know, or not in this place.
    #[error("data type {data_type} is not supported: {problem}")]
    UnsupportedDataType {
        /// As the document spells it.
        data_type: String,
        /// Why not.
        problem: String,
    },
    /// A codec, filter or compressor that rechunk does not know, or not in this place.
    #[error("codec {codec} is not supported: {problem}")]
    UnsupportedCodec {
        /// As the document or the request spells it.
        codec: String,
        /// Why not.
        problem: String,
    },
    /// A chunk grid, chunk key encoding, storage transformer or extension that rechunk does not know.
    #[error("{field} {name} is not supported")]
    UnsupportedExtension {
        /// The field that has it.
        field: &'static str,
        /// As the document spells it.
        name: String,
    },
    /// A fill value that does not fit its data type.
    #[error("fill_value {value} does not fit data type {data_type}: {problem}")]
    FillValue {
        /// As the document spells it.
        value: String,
        /// As the document spells it.
        data_type: String,
        /// Why not.
        problem: String,
    },
    /// What has no equal in the other Zarr format.
    #[error("{field} {name} has no equal in Zarr v{format}")]
    NoTwin {
        /// What kind of thing it is.
        field: &'static str,
        /// As the source spells it.
        name: String,
        /// The format that lacks it.
        format: u32,
    },
    /// A chunk or shard shape that the array cannot have.
    #[error("{field}: {problem}")]
    ChunkShape {
        /// The field at fault.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A codec choice that cannot be parsed.
    #[error("codec {choice}: {problem}")]
    CodecChoice {
        /// As the user wrote it.
        choice: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A limit is passed.
    #[error("{what} of {value} is over the limit of {limit}")]
    Limit {
        /// What is limited.
        what: &'static str,
        /// What the document asks for.
        value: String,
        /// The limit.
        limit: u64,
    },
}

impl MetadataError {
    /// The stable upper-case reason of the variant.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Corrupt { .. } => "CORRUPT_METADATA",
            Self::WrongNode { .. } => "WRONG_NODE",
            Self::UnsupportedDataType { .. } => "UNSUPPORTED_DTYPE",
            Self::UnsupportedCodec { .. } => "UNSUPPORTED_CODEC",
            Self::UnsupportedExtension { .. } => "UNSUPPORTED_EXTENSION",
            Self::FillValue { .. } => "INVALID_FILL_VALUE",
            Self::NoTwin { .. } => "NO_CONVERSION",
            Self::ChunkShape { .. } => "INVALID_CHUNK_SHAPE",
            Self::CodecChoice { .. } => "INVALID_CODEC",
            Self::Limit { .. } => "LIMIT_EXCEEDED",
        }
    }

    pub(crate) fn corrupt(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Corrupt { field: field.into(), problem: problem.into() }
    }

    pub(crate) fn codec(codec: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::UnsupportedCodec { codec: codec.into(), problem: problem.into() }
    }
}

/// A chunk or a shard index that cannot be decoded or encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// A size that a header declares is not the one that the metadata asks for. Nothing was allocated for it.
    #[error("{codec}: the header declares {declared} bytes, expected {expected}")]
    DeclaredSize {
        /// The codec that found it.
        codec: &'static str,
        /// What the chunk says.
        declared: u64,
        /// What the metadata says.
        expected: u64,
    },
    /// A decoded size that is not the expected one. Decoding stopped at one byte too many.
    #[error("{codec}: decoded to {found} bytes, expected {expected}")]
    DecodedSize {
        /// The codec that found it.
        codec: &'static str,
        /// Bytes that came out.
        found: u64,
        /// Bytes that should have.
        expected: u64,
    },
    /// A checksum that does not agree.
    #[error("{codec}: the checksum does not agree with the content")]
    Checksum {
        /// The codec that found it.
        codec: &'static str,
    },
    /// Bytes that are not what the codec writes.
    #[error("{codec}: {problem}")]
    Corrupt {
        /// The codec that found it.
        codec: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A chunk of elements of variable length that is longer than there is room for. Nothing was allocated beyond that.
    #[error("{codec}: it decodes to {bytes} bytes or more, and there is room for {room}")]
    OverRoom {
        /// The codec that found it.
        codec: &'static str,
        /// What it has at the least.
        bytes: u64,
        /// What it may have.
        room: u64,
    },
    /// A buffer over the codec's limit.
    #[error("{codec}: a buffer of {bytes} bytes is over the codec's limit of {limit}")]
    BufferLimit {
        /// The codec whose limit it is.
        codec: &'static str,
        /// Bytes of the buffer.
        bytes: u64,
        /// The codec's limit.
        limit: u64,
    },
    /// A filter that would not give an element back as it is.
    #[error("{codec}: element {element} of the chunk would be read back as another value")]
    Changed {
        /// The filter.
        codec: &'static str,
        /// The element's place in the order in which the chunk is stored.
        element: u64,
    },
    /// A fault while encoding.
    #[error("{codec}: cannot encode: {problem}")]
    Encode {
        /// The codec at fault.
        codec: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A shard index entry that does not lie in its shard.
    #[error("shard index entry {entry}: bytes {offset} + {length} do not lie in an object of {object_bytes} bytes")]
    ShardEntry {
        /// Number of the inner chunk, in C order.
        entry: u64,
        /// Where it says it starts.
        offset: u64,
        /// How long it says it is.
        length: u64,
        /// Bytes of the shard.
        object_bytes: u64,
    },
}
