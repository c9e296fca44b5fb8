//! The jobs that planning.md and quality.md work through, as inputs of the planner.

use rechunk_common::{
    ByteCount,
    cost_profile::{Prefer, StoreKind, WORKER_HOUR},
    layout::{ArrayLayout, ChunkKeys, ChunkLayout, ElementType, IndexLocation, Separator},
    plan::{CostBasis, GapPolicy, MemoryModel, Plan, ShapeOfPlan},
};
use rechunk_planner::{CopySpec, EncodedBound, PartSizes, PlanInput, Publish, TempSpace};

const GB: u64 = 1_000_000_000;
const MIB: u64 = 1 << 20;

/// What a worker process takes for itself, as the worked table was computed.
const RESERVE: u64 = 120_000_000;

/// One job.
#[derive(Debug, Clone)]
pub struct Job {
    /// How the tables call it.
    pub name: &'static str,
    /// What the planner is told.
    pub input: PlanInput,
    /// GETs at the most.
    pub most_gets: u64,
    /// PUTs at the most.
    pub most_puts: u64,
    /// The shape that the plan must have, where only one is right.
    pub shape: Option<ShapeOfPlan>,
}

/// The grid of one array: whole shards where there are any, and chunks.
#[derive(Debug, Clone, Copy)]
pub struct Grid<'a> {
    /// Elements of a shard per axis.
    pub shard: Option<&'a [u64]>,
    /// Elements of a chunk per axis.
    pub chunk: &'a [u64],
}

/// Chunks without shards.
pub fn plain(chunk: &[u64]) -> Grid<'_> {
    Grid { shard: None, chunk }
}

/// Every row of the worked table of planning.md, each with the requests that it allows.
pub fn worked_table() -> Vec<Job> {
    let row = |name, shape: &[u64], from: &[u64], to: &[u64], max_mem, most_gets, most_puts, kind| Job {
        name,
        input: input(shape, 4, plain(from), plain(to), server(max_mem), 1),
        most_gets,
        most_puts,
        shape: kind,
    };
    let exchange = Some(ShapeOfPlan::Exchange);
    let era5: [&[u64]; 3] = [&[350_640, 721, 1440], &[31, 721, 1440], &[350_640, 10, 10]];
    let reblock: [&[u64]; 3] = [&[512, 1024, 1024], &[64, 64, 64], &[100, 100, 100]];
    let years: [&[u64]; 3] = [&[96_432, 721, 1440], &[1, 721, 1440], &[8760, 72, 144]];
    let rows: [&[u64]; 3] = [&[394_488, 778, 706], &[24, 778, 706], &[8760, 15, 15]];
    let days: [&[u64]; 3] = [&[175_320, 721, 1440], &[24, 721, 1440], &[21_915, 103, 10]];
    let flat: [&[u64]; 3] = [&[1_000_000_000], &[1000], &[999]];
    let of = |name, [shape, from, to]: [&[u64]; 3], max_mem, gets, puts, kind| {
        row(name, shape, from, to, max_mem, gets, puts, kind)
    };
    vec![
        of("era5 (31,721,1440) to (350640,10,10), 2 GB", era5, 2 * GB, 1_370_000, 11_800, exchange),
        of("era5 (31,721,1440) to (350640,10,10), 4 GB", era5, 4 * GB, 260_000, 11_000, exchange),
        of("hours (1,721,1440) to (8760,72,144), 2 GB", years, 2 * GB, 108_000, 1_580, exchange),
        of("rows (24,778,706) to (8760,15,15), 2 GB", rows, 2 * GB, 27_000, 115_600, exchange),
        of("days (24,721,1440) to (21915,103,10), 2 GB", days, 2 * GB, 50_300, 8_800, exchange),
        of("reblock 64^3 to 100^3, 1 GiB", reblock, 1024 * MIB, 2048, 726, Some(ShapeOfPlan::DirectSweep)),
        of("flat 1000 to 999, 1 GiB", flat, 1024 * MIB, 1_005_000, 1_005_000, None),
    ]
}

/// W1 to W5 of quality.md, each at 1 GiB and at 256 MiB. Their requests are bounded by twice the chunks on either side
/// and a thousand tasks a stage: a plan beyond that is wrong, whatever its shape.
pub fn works() -> Vec<Job> {
    let maps: [&[u64]; 3] = [&[1024, 512, 1024], &[1, 512, 1024], &[1024, 16, 32]];
    let [shape, map, series] = maps;
    let shards = Grid { shard: Some(&[1024, 128, 256]), chunk: series };
    let reblock: [&[u64]; 3] = [&[512, 1024, 1024], &[64, 64, 64], &[100, 100, 100]];
    let small: [&[u64]; 3] = [&[256, 2048, 1024], &[1, 128, 128], &[256, 32, 32]];
    let works = [
        ("W1 maps to series, 1 GiB", "W1 maps to series, 256 MiB", shape, 4, plain(map), plain(series)),
        ("W2 series to maps, 1 GiB", "W2 series to maps, 256 MiB", shape, 4, plain(series), plain(map)),
        ("W3 reblock, 1 GiB", "W3 reblock, 256 MiB", reblock[0], 4, plain(reblock[1]), plain(reblock[2])),
        ("W4 many small, 1 GiB", "W4 many small, 256 MiB", small[0], 2, plain(small[1]), plain(small[2])),
        ("W5 sharded out, 1 GiB", "W5 sharded out, 256 MiB", shape, 4, plain(map), shards),
    ];
    let mut jobs = Vec::new();
    for (at_a_gibibyte, at_a_quarter, shape, width, from, to) in works {
        for (name, max_mem, reserve) in [(at_a_gibibyte, 1024 * MIB, RESERVE), (at_a_quarter, 256 * MIB, 40 * MIB)] {
            let memory = share(max_mem, reserve);
            let chunks = chunks(shape, from.chunk).saturating_add(chunks(shape, to.chunk));
            jobs.push(Job {
                name,
                input: input(shape, width, from, to, memory, 2),
                most_gets: chunks.saturating_mul(2).saturating_add(1_000_000),
                most_puts: chunks.saturating_mul(2).saturating_add(1_000),
                shape: None,
            });
        }
    }
    jobs
}

/// Whether a plan is right for its job: within its requests and its memory, and every target chunk written once.
pub fn check(job: &Job, plan: &Plan) -> Result<(), String> {
    let summary = plan.summary.as_ref().ok_or("a plan without figures")?;
    let copy = job.input.copies.first().ok_or("a job without an array")?;
    let (totals, elements) =
        (summary.totals, copy.target.shape.iter().fold(1_u64, |n, length| n.saturating_mul(*length)));
    let bytes = elements.saturating_mul(copy.target.element.width);
    let passes = if summary.exchange_bytes.0 > 0 { 2 } else { 1 };
    let objects = chunks(&copy.target.shape, copy.target.chunks.write_unit());
    let shape = summary.arrays.first().map(|array| array.shape_of_plan);
    let claims = [
        (totals.get_requests <= job.most_gets, "more GETs than allowed"),
        (totals.get_requests >= chunks(&copy.source.shape, copy.source.chunks.read_unit()), "source chunks left out"),
        (totals.put_requests <= job.most_puts, "more PUTs than allowed"),
        (totals.put_requests >= objects, "target objects left out"),
        (totals.bytes_encoded == bytes.saturating_mul(passes), "not every element is written once a pass"),
        (totals.bytes_decoded >= bytes.saturating_mul(passes), "not every element is read"),
        (summary.peak_memory <= job.input.memory.budget, "a task above the memory"),
        (job.shape.is_none() || job.shape == shape, "another shape than the right one"),
    ];
    let wrong: Vec<&str> = claims.iter().filter(|(holds, _)| !holds).map(|(_, what)| *what).collect();
    if wrong.is_empty() { Ok(()) } else { Err(format!("{}: {}; {totals:?}", job.name, wrong.join(", "))) }
}

/// About `count` source chunks of 64³ and their target of 100³: one direct sweep, or few.
pub fn reblock_of(count: u64) -> PlanInput {
    let side = cube_root(count).max(1).saturating_mul(64);
    let cube = [64; 3];
    input(&[side; 3], 4, plain(&cube), plain(&[100; 3]), server(2 * GB), 8)
}

/// `count` source chunks, maps of 8 MB, to series of a year: an exchange in groups.
pub fn maps_of(count: u64) -> PlanInput {
    input(&[count, 1024, 2048], 4, plain(&[1, 1024, 2048]), plain(&[8760, 32, 32]), server(2 * GB), 8)
}

/// What planning.md takes for usable: 0.9 of `max_mem` less 120 MB.
fn server(max_mem: u64) -> MemoryModel {
    share(max_mem, RESERVE)
}

fn share(max_mem: u64, reserve: u64) -> MemoryModel {
    let usable = max_mem.saturating_sub(max_mem.div_ceil(10));
    MemoryModel {
        max_mem: ByteCount(max_mem),
        reserve: ByteCount(reserve),
        budget: ByteCount(usable.saturating_sub(reserve)),
    }
}

/// One array to plan, with `slots` tasks at a time in the fleet; chunks encode to half of their length, as the worked
/// table assumes.
pub fn input(shape: &[u64], width: u64, from: Grid, to: Grid, memory: MemoryModel, slots: u64) -> PlanInput {
    let (source, target) = (layout("source", shape, width, from), layout("target", shape, width, to));
    let copy = CopySpec {
        name: String::new(),
        dtype: format!("r{}", width.saturating_mul(8)),
        source_encoding: encoded_bound(width, from),
        target_encoding: encoded_bound(width, to),
        source,
        target,
        ends_inside_chunk: false,
        gaps: GapPolicy::default(),
        one_store: false,
        listed: None,
        verify: false,
        held: None,
    };
    PlanInput {
        copies: vec![copy],
        memory,
        worker_slots: slots,
        threads_per_worker: 1,
        worker_scratch: ByteCount(0),
        basis: CostBasis {
            source: StoreKind::S3.profile(),
            target: StoreKind::S3.profile(),
            temp: StoreKind::S3.profile(),
            worker_hour: WORKER_HOUR,
            // As the worked table is held by the planner's tests.
            workers: 1,
            prefer: Prefer::Time,
        },
        temp: TempSpace {
            space: "s3://bucket/.rechunk-job-0".into(),
            url: "s3://bucket/.rechunk-job-0/0".into(),
            limit: None,
            keep: false,
            codec: rechunk_common::request::ExchangeCodecChoice::None,
        },
        part_sizes: PartSizes { usual: ByteCount(16 << 20), least: ByteCount(5 << 20) },
        clear: None,
        publish: Publish::default(),
        pinned: Vec::new(),
        cleanup_prefixes: Vec::new(),
    }
}

fn layout(name: &str, shape: &[u64], width: u64, grid: Grid) -> ArrayLayout {
    let codecs = r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"blosc","configuration":{"cname":"lz4","clevel":5,"shuffle":"shuffle","typesize":4,"blocksize":0}}]"#;
    let chunks = match grid.shard {
        None => ChunkLayout::Plain { chunk_shape: grid.chunk.to_vec(), codecs: codecs.into() },
        Some(shard) => ChunkLayout::Sharded {
            shard_shape: shard.to_vec(),
            chunk_shape: grid.chunk.to_vec(),
            codecs: codecs.into(),
            index_codecs: r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"crc32c"}]"#.into(),
            index_location: IndexLocation::End,
        },
    };
    ArrayLayout {
        url: format!("s3://bucket/{name}"),
        shape: shape.to_vec(),
        element: ElementType { data_type: format!("r{}", width.saturating_mul(8)), width },
        fill: vec![0; usize::try_from(width).unwrap_or_default()],
        has_fill: true,
        chunks,
        keys: ChunkKeys::Default { separator: Separator::Slash },
        part: None,
        edges: Vec::new(),
    }
}

fn encoded_bound(width: u64, grid: Grid) -> EncodedBound {
    let bytes = grid.chunk.iter().fold(width, |bytes, length| bytes.saturating_mul(*length));
    let inner = grid.shard.map_or(0, |shard| chunks(shard, grid.chunk));
    let index = if inner == 0 { 0 } else { inner.saturating_mul(16).saturating_add(4) };
    EncodedBound { chunk: ByteCount(bytes / 2), shard_index: ByteCount(index) }
}

fn chunks(shape: &[u64], chunk: &[u64]) -> u64 {
    shape.iter().zip(chunk).fold(1, |count, (n, length)| count.saturating_mul(n.div_ceil((*length).max(1))))
}

/// The whole number whose cube is nearest below.
fn cube_root(number: u64) -> u64 {
    (1..=2_000_000_u64).take_while(|root| root.pow(3) <= number).last().unwrap_or(0)
}
