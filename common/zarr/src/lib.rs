//! Zarr metadata and codecs: documents of both formats to [`ArrayLayout`](rechunk_common::layout::ArrayLayout) and
//! back, conversion between the formats, consolidated metadata, codec chains and shard indexes.
//!
//! Documents come in as text and go out as text; what rechunk does not understand or need (attributes above all) is
//! kept as it was spelt. Knows nothing of stores, plans, threads or clocks, and interprets no element, but where an array
//! is stored behind a filter of numbers.

mod chain;
mod choice;
mod codec;
mod consolidated;
mod continuation;
mod convert;
mod document;
mod dtype;
mod error;
mod fill;
mod float;
mod group;
mod json;
mod node;
mod rewrite;
mod shard;

pub use choice::CodecChoice;
pub use codec::{ChunkCodec, Descriptor, VariableChunk};
pub use consolidated::{Consolidated, reconsolidate};
pub use document::ArrayDocument;
pub use error::{CodecError, MetadataError};
pub use group::GroupDocument;
pub use node::{NamedDocument, NodeDocument, NodeKind};
pub use rewrite::TargetOptions;
pub use shard::{ShardCodec, ShardEntry, ShardIndex};
