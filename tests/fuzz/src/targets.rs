//! What is given any bytes.

mod chunk;
mod journal;
mod lease;
mod metadata;
mod record;
mod request;

use crate::memory;

/// A reader of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// What callers and workers send to the coordinator.
    Request,
    /// What the coordinator sends to a worker, to what a worker makes of it first.
    Lease,
    /// What a coordinator reads when it starts.
    Journal,
    /// Metadata documents of arrays and groups, to layouts and to the other format.
    Metadata,
    /// Encoded chunks and indexes of shards.
    Chunk,
    /// Records of references in Parquet.
    Record,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Request, Self::Lease, Self::Journal, Self::Metadata, Self::Chunk, Self::Record];

    /// Its name, which is its folder's in the corpus.
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Lease => "lease",
            Self::Journal => "journal",
            Self::Metadata => "metadata",
            Self::Chunk => "chunk",
            Self::Record => "record",
        }
    }

    /// The target of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    /// Reads `input`.
    ///
    /// # Panics
    ///
    /// If the reader does, if a value that was read isn't read again, or if reading took more memory than `input` warrants.
    pub fn read(self, input: &[u8]) {
        let read = match self {
            Self::Request => request::read,
            Self::Lease => lease::read,
            Self::Journal => journal::read,
            Self::Metadata => metadata::read,
            Self::Chunk => chunk::read,
            Self::Record => record::read,
        };
        memory::within(self.most_bytes(input.len()), || read(input));
    }

    /// What reading an input may take: so much for each of its bytes, since two bytes can say that a message is there
    /// whose fields are all at their defaults, and so much for any.
    fn most_bytes(self, length: usize) -> usize {
        let (each, any) = match self {
            Self::Request | Self::Lease | Self::Journal => (2_048, 1 << 20),
            Self::Metadata => (1_024, 1 << 20),
            // bzip2 works in tables of 3.6 MB, whatever the chunk.
            Self::Chunk => (16, chunk::MOST_DECODED_BYTES.saturating_mul(8).saturating_add(6 << 20)),
            // Its pages, the columns that are made of them, and so many rows.
            Self::Record => (128, 384 << 20),
        };
        any.saturating_add(length.saturating_mul(each))
    }
}
