//! Shards as bytes: inner chunks put together with the index that says where each stands, held whole or written in parts
//! while they are filled. Knows nothing of where the chunks come from.

mod assembly;
mod upload;

pub(crate) use assembly::{Assembly, Part, whole};
pub(crate) use upload::ShardUpload;

#[cfg(test)]
mod tests;
