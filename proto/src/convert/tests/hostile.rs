//! Messages that nobody of ours sent: an error or a valid value, never a panic.

use std::{fmt::Debug, hint::black_box};

use proptest::{collection::vec, prelude::*};
use prost::Message;
use rechunk_common::{
    Refusal,
    geometry::BoxGrid,
    ids::TaskIndex,
    job::{JobView, WorkerView},
    layout::ArrayLayout,
    plan::StageFunction,
    request::{PipelinesRequest, RechunkRequest},
    session::{SyncRequest, SyncResponse},
};

use super::samples;
use crate::{Fault, PlannedRechunk, v1, worker::v1 as worker};

/// Converts what decodes. A value that passed the door passes it again unchanged, and a refusal has a reason.
fn judge<W, D>(bytes: &[u8]) -> Option<D>
where
    W: Message + Default + From<D>,
    D: TryFrom<W> + Clone + Debug + PartialEq,
    D::Error: Into<Fault> + Into<Refusal> + Clone + Debug + PartialEq,
{
    match D::try_from(W::decode(bytes).ok()?) {
        Ok(value) => {
            assert_eq!(D::try_from(W::from(value.clone())), Ok(value.clone()), "a valid value is not valid again");
            Some(value)
        }
        Err(invalid) => {
            let fault: Fault = invalid.clone().into();
            let refusal: Refusal = invalid.into();
            assert_eq!(refusal.reason, fault.problem.reason());
            assert_eq!(refusal.field.unwrap_or_default(), fault.field);
            None
        }
    }
}

/// What a worker computes from a function first: none of it may panic behind the door.
fn use_function(function: &StageFunction) {
    match function {
        StageFunction::CopyEncoded(copy) => {
            use_layout(&copy.source);
            use_layout(&copy.target);
            use_grid(&copy.writers);
            black_box(copy.is_of_whole_objects());
        }
        StageFunction::CopyReadToWrite(copy) => {
            use_layout(&copy.source);
            use_layout(&copy.target);
            use_grid(&copy.writers);
        }
        StageFunction::CopyReadToExchange(copy) => {
            use_layout(&copy.source);
            black_box(copy.exchange.object_bytes(TaskIndex(0)));
            if let Some(reader) = copy.exchange.readers.region(0) {
                let first = copy.exchange.writers.overlapping(&reader).start().to_vec();
                black_box(copy.exchange.block(&reader, &first));
            }
        }
        StageFunction::IndexExchange(index) => {
            let packing = index.exchange.packing().expect("packed behind the door");
            use_grid(&packing.indexers);
            black_box(index.exchange.index_entries(TaskIndex(0)));
            if let (Some(reader), Some(indexer)) = (index.exchange.readers.region(0), packing.indexers.region(0)) {
                black_box(index.exchange.table_run(&reader, &indexer));
            }
        }
        StageFunction::CopyExchangeToWrite(copy) => {
            use_layout(&copy.target);
            use_grid(&copy.exchange.writers);
            black_box(copy.exchange.writers.position(0).and_then(|writer| copy.exchange.row(&writer)));
        }
        StageFunction::CopyThroughScratch(copy) => {
            use_layout(&copy.source);
            use_layout(&copy.target);
            use_grid(&copy.groups);
            if let Some((read, write)) = copy.halves(TaskIndex(0), String::new()) {
                use_grid(&read.exchange.readers);
                use_grid(&write.exchange.writers);
            }
        }
        StageFunction::CopySmallArrays(small) => {
            small.copies.iter().for_each(|small| use_function(&small.copy.clone().into()));
        }
        StageFunction::Verify(verify) => {
            use_layout(&verify.target);
            use_grid(&verify.boxes);
        }
        StageFunction::DeleteExchange(delete) => use_grid(&delete.exchange.readers),
        StageFunction::ClearPrefix(_)
        | StageFunction::CheckSource(_)
        | StageFunction::PublishMetadata(_)
        | StageFunction::Custom(_) => {
            black_box(function.id());
        }
    }
}

fn use_layout(layout: &ArrayLayout) {
    assert!(layout.decoded_bytes().is_some(), "a size beyond 64 bits behind the door");
    use_grid(&layout.read_grid());
    use_grid(&layout.write_grid());
}

fn use_grid(grid: &BoxGrid) {
    assert_ne!(grid.len(), u64::MAX, "a count of boxes beyond 64 bits behind the door");
    if !grid.is_empty() {
        assert!(grid.region(0).is_some());
        assert!(grid.region(grid.len() - 1).is_some());
    }
}

fn judge_all(bytes: &[u8]) {
    judge::<v1::SubmitRechunkRequest, RechunkRequest>(bytes);
    judge::<v1::SubmitPipelinesRequest, PipelinesRequest>(bytes);
    judge::<v1::PlanRechunkResponse, PlannedRechunk>(bytes);
    judge::<v1::Job, JobView>(bytes);
    judge::<v1::Worker, WorkerView>(bytes);
    judge::<worker::SyncRequest, SyncRequest>(bytes);
    judge::<worker::SyncResponse, SyncResponse>(bytes);
    if let Some(function) = judge::<v1::StageFunction, StageFunction>(bytes) {
        use_function(&function);
    }
}

/// One change of the bytes of a message.
#[derive(Debug, Clone)]
enum Damage {
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Cut(prop::sample::Index),
}

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let at = any::<prop::sample::Index>;
    let one = prop_oneof![
        6 => (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        2 => at().prop_map(Damage::Remove),
        1 => at().prop_map(Damage::Cut),
    ];
    vec(one, 1..4)
}

fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        let length = bytes.len();
        match damage {
            Damage::Insert(at, byte) => bytes.insert(at.index(length + 1), *byte),
            Damage::Set(..) | Damage::Remove(_) | Damage::Cut(_) if length == 0 => {}
            Damage::Set(at, byte) => bytes[at.index(length)] = *byte,
            Damage::Remove(at) => drop(bytes.remove(at.index(length))),
            Damage::Cut(at) => bytes.truncate(at.index(length)),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        judge_all(&bytes);
    }

    #[test]
    fn a_damaged_function_never_panics_nor_does_its_geometry(function in samples::functions(), damages in damages()) {
        judge_all(&damaged(v1::StageFunction::from(function).encode_to_vec(), &damages));
    }

    #[test]
    fn a_damaged_request_never_panics(request in samples::rechunk_requests(), damages in damages()) {
        judge_all(&damaged(v1::SubmitRechunkRequest::from(request).encode_to_vec(), &damages));
    }

    #[test]
    fn damaged_pipelines_never_panic(request in samples::pipelines_requests(), damages in damages()) {
        judge_all(&damaged(v1::SubmitPipelinesRequest::from(request).encode_to_vec(), &damages));
    }

    #[test]
    fn a_damaged_sync_never_panics(request in samples::sync_requests(), damages in damages()) {
        judge_all(&damaged(worker::SyncRequest::from(request).encode_to_vec(), &damages));
    }

    #[test]
    fn a_damaged_answer_to_a_worker_never_panics(response in samples::sync_responses(), damages in damages()) {
        judge_all(&damaged(worker::SyncResponse::from(response).encode_to_vec(), &damages));
    }

    #[test]
    fn a_damaged_job_never_panics(job in samples::jobs(), damages in damages()) {
        judge_all(&damaged(v1::Job::from(job).encode_to_vec(), &damages));
    }

    /// Lengths near the edge of 64 bits, where products overflow.
    #[test]
    fn extreme_lengths_are_refused_or_harmless(
        shape in vec(prop_oneof![0_u64..4, Just(1 << 32), Just(1 << 63), Just(u64::MAX)], 0..5),
        chunk in vec(prop_oneof![1_u64..4, Just(1 << 32), Just(u64::MAX)], 0..5),
        width in prop_oneof![1_u64..9, Just(1 << 20)],
    ) {
        let fill = vec![0; usize::try_from(width).expect("small")];
        let layout = v1::ArrayLayout {
            url: "memory://a".into(),
            shape,
            element: Some(v1::ElementType { data_type: "uint8".into(), width_bytes: width }),
            fill,
            has_fill: true,
            chunks: Some(v1::ChunkLayout {
                layout: Some(v1::chunk_layout::Layout::Plain(v1::PlainChunks { chunk_shape: chunk, codecs: "[]".into() })),
            }),
            keys: Some(v1::ChunkKeys {
                encoding: v1::ChunkKeyEncoding::Default.into(),
                separator: v1::Separator::Slash.into(),
            }),
            part: None,
            edges: Vec::new(),
        };
        if let Ok(layout) = ArrayLayout::try_from(layout) {
            use_layout(&layout);
        }
    }
}
