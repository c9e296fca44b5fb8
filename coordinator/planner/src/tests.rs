//! Inputs for the tests of whole plans.

mod cases;
mod comparison;
mod documents;
mod group_local;
mod packing;
mod parted;
mod pass_through;
mod properties;
mod small_copies;
mod sparse;
mod variable;
mod weighing;
mod worked;

use rechunk_common::{
    ByteCount, Counts,
    cost_profile::{Prefer, StoreKind, WORKER_HOUR},
    layout::{ArrayLayout, ArrayPart, ChunkKeys, ChunkLayout, ElementType, IndexLocation, Separator},
    plan::{CostBasis, GapPolicy, MemoryModel, Plan, PlanSummary},
    request::ExchangeCodecChoice,
};

use crate::{CopySpec, EncodedBound, Listing, PartSizes, PlanInput, Publish, TempSpace, plan};

fn layout(shape: &[u64], width: u64, shard: Option<&[u64]>, chunk: &[u64]) -> ArrayLayout {
    let chunks = match shard {
        None => ChunkLayout::Plain { chunk_shape: chunk.to_vec(), codecs: "[]".into() },
        Some(shard) => ChunkLayout::Sharded {
            shard_shape: shard.to_vec(),
            chunk_shape: chunk.to_vec(),
            codecs: "[]".into(),
            index_codecs: "[]".into(),
            index_location: IndexLocation::End,
        },
    };
    ArrayLayout {
        url: "memory://t/a".into(),
        shape: shape.to_vec(),
        element: ElementType { data_type: format!("r{}", width * 8), width },
        fill: vec![0; usize::try_from(width).expect("small")],
        has_fill: true,
        chunks,
        keys: ChunkKeys::Default { separator: Separator::Slash },
        part: None,
        edges: Vec::new(),
    }
}

/// Encoded size as a part of the decoded one, in hundredths.
fn bound(layout: &ArrayLayout, hundredths: u64) -> EncodedBound {
    let chunk = layout.chunks.read_unit().iter().product::<u64>() * layout.element.width * hundredths / 100;
    let index = match &layout.chunks {
        ChunkLayout::Plain { .. } => 0,
        ChunkLayout::Sharded { shard_shape, chunk_shape, .. } => {
            shard_shape.iter().zip(chunk_shape).map(|(s, c)| s / c).product::<u64>() * 16 + 4
        }
    };
    EncodedBound { chunk: ByteCount(chunk), shard_index: ByteCount(index) }
}

fn copy(source: ArrayLayout, target: ArrayLayout, hundredths: u64) -> CopySpec {
    CopySpec {
        name: String::new(),
        dtype: "float32".into(),
        source_encoding: bound(&source, hundredths),
        target_encoding: bound(&target, hundredths),
        source,
        target,
        ends_inside_chunk: false,
        gaps: GapPolicy::default(),
        one_store: false,
        listed: None,
        verify: false,
        held: None,
    }
}

/// float32, plain chunks, encoded to half: as the worked examples were computed.
fn plain(shape: &[u64], from: &[u64], to: &[u64]) -> CopySpec {
    copy(layout(shape, 4, None, from), layout(shape, 4, None, to), 50)
}

fn input(copies: Vec<CopySpec>, memory: MemoryModel, slots: u64, threads: u64) -> PlanInput {
    PlanInput {
        copies,
        memory,
        worker_slots: slots,
        threads_per_worker: threads,
        worker_scratch: ByteCount(0),
        basis: basis(StoreKind::S3),
        temp: TempSpace {
            space: "memory://t/tmp/job-1".into(),
            url: "memory://t/tmp/job-1/0".into(),
            limit: None,
            keep: false,
            // The design's figures are of raw blocks.
            codec: ExchangeCodecChoice::None,
        },
        part_sizes: PartSizes { usual: ByteCount(16 << 20), least: ByteCount(5 << 20) },
        clear: None,
        publish: Publish::default(),
        pinned: Vec::new(),
        cleanup_prefixes: Vec::new(),
    }
}

/// Everything in stores of one kind.
pub(crate) fn basis(kind: StoreKind) -> CostBasis {
    let store = kind.profile();
    CostBasis { source: store, target: store, temp: store, worker_hour: WORKER_HOUR, workers: 1, prefer: Prefer::Time }
}

/// As planning.md: 0.9 of `max_mem` less 120 MB.
fn usable(max_mem: u64) -> MemoryModel {
    let reserve = 120_000_000;
    MemoryModel {
        max_mem: ByteCount(max_mem),
        reserve: ByteCount(reserve),
        budget: ByteCount(max_mem / 10 * 9 - reserve),
    }
}

/// `max_mem` less a reserve, in MiB.
fn mebibytes(max_mem: u64, reserve: u64) -> MemoryModel {
    let mib = |n: u64| ByteCount(n << 20);
    MemoryModel { max_mem: mib(max_mem), reserve: mib(reserve), budget: mib(max_mem - reserve) }
}

fn planned(input: &PlanInput) -> Plan {
    plan(input).expect("a plan")
}

fn summary(plan: &Plan) -> &PlanSummary {
    plan.summary.as_ref().expect("a summary")
}

fn row<'a>(summary: &'a PlanSummary, name: &str) -> &'a rechunk_common::plan::StageSummary {
    summary.stages.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no stage {name}"))
}

fn totals(plan: &Plan) -> Counts {
    summary(plan).totals
}
