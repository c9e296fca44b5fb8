//! Answers to a worker: the grants in them, the codecs of their arrays, and the geometry of their tasks.

use std::{fmt::Debug, hint::black_box};

use prost::Message;
use rechunk_common::{
    geometry::BoxGrid,
    ids::TaskIndex,
    layout::ArrayLayout,
    plan::StageFunction,
    session::{Grant, SyncResponse},
};
use rechunk_proto::worker::v1;
use rechunk_zarr::{ChunkCodec, ShardCodec};

pub(super) fn read(input: &[u8]) {
    let Some(response) = read_message::<v1::SyncResponse, SyncResponse>(input) else { return };
    response.granted.iter().for_each(begin);
}

/// The value in `bytes`. One that passed the door passes it again, unchanged.
pub(super) fn read_message<W, D>(bytes: &[u8]) -> Option<D>
where
    W: Message + Default + From<D>,
    D: TryFrom<W> + Clone + Debug + PartialEq,
    D::Error: Debug + PartialEq,
{
    let value = D::try_from(W::decode(bytes).ok()?).ok()?;
    assert_eq!(D::try_from(W::from(value.clone())), Ok(value.clone()), "a valid value is not valid again");
    Some(value)
}

/// What a worker computes before it asks any store.
fn begin(grant: &Grant) {
    use_function(&grant.function, TaskIndex(grant.lease.tasks.start));
}

fn use_function(function: &StageFunction, first: TaskIndex) {
    match function {
        StageFunction::CopyEncoded(copy) => {
            codecs(&copy.source);
            codecs(&copy.target);
            task(&copy.writers, first);
        }
        StageFunction::CopyReadToWrite(copy) => {
            codecs(&copy.source);
            codecs(&copy.target);
            task(&copy.writers, first);
        }
        StageFunction::CopyReadToExchange(copy) => {
            codecs(&copy.source);
            task(&copy.exchange.readers, first);
            black_box(copy.exchange.object_bytes(first));
        }
        StageFunction::IndexExchange(index) => {
            black_box((index.exchange.index_entries(first), index.exchange.rows(first)));
        }
        StageFunction::CopyExchangeToWrite(copy) => {
            codecs(&copy.target);
            task(&copy.exchange.writers, first);
        }
        StageFunction::CopyThroughScratch(copy) => {
            codecs(&copy.source);
            codecs(&copy.target);
            black_box(copy.halves(first, String::new()));
        }
        StageFunction::CopySmallArrays(small) => {
            small.copies.iter().for_each(|small| use_function(&small.copy.clone().into(), first));
        }
        StageFunction::Verify(verify) => {
            codecs(&verify.target);
            task(&verify.boxes, first);
        }
        StageFunction::DeleteExchange(delete) => task(&delete.exchange.readers, first),
        StageFunction::ClearPrefix(_)
        | StageFunction::CheckSource(_)
        | StageFunction::PublishMetadata(_)
        | StageFunction::Custom(_) => {}
    }
}

fn codecs(layout: &ArrayLayout) {
    assert!(layout.decoded_bytes().is_some(), "a size beyond 64 bits behind the door");
    black_box(ChunkCodec::of_layout(&layout.chunks, &layout.element, &layout.fill).is_ok());
    black_box(ShardCodec::new(&layout.chunks, &layout.element, &layout.fill).is_ok());
}

fn task(grid: &BoxGrid, TaskIndex(index): TaskIndex) {
    assert_eq!(grid.region(index).is_some(), index < grid.len(), "task {index} of {}", grid.len());
}
