//! Stage functions and what they are made of.

use prost::Message;
use rechunk_common::{layout::ArrayLayout, limits, plan::StageFunction};

use super::expect;
use crate::{Fault, Problem, v1};

fn layout() -> v1::ArrayLayout {
    v1::ArrayLayout {
        url: "s3://b/a.zarr".into(),
        shape: vec![10, 20],
        element: Some(v1::ElementType { data_type: "uint32".into(), width_bytes: 4 }),
        fill: vec![0; 4],
        has_fill: true,
        chunks: Some(v1::ChunkLayout {
            layout: Some(v1::chunk_layout::Layout::Sharded(v1::ShardedChunks {
                shard_shape: vec![4, 8],
                chunk_shape: vec![2, 4],
                codecs: "[]".into(),
                index_codecs: "[]".into(),
                index_location: v1::IndexLocation::End.into(),
            })),
        }),
        keys: Some(v1::ChunkKeys { encoding: v1::ChunkKeyEncoding::V2.into(), separator: v1::Separator::Dot.into() }),
        part: None,
        edges: Vec::new(),
    }
}

fn grid() -> v1::BoxGrid {
    v1::BoxGrid {
        bounds: Some(v1::Region { start: vec![0, 0], end: vec![10, 20] }),
        lengths: vec![4, 8],
        ahead: vec![],
        edges: vec![],
    }
}

fn exchange() -> v1::Exchange {
    let (readers, writers) = (Some(grid()), Some(grid()));
    let indexer_lengths = grid().lengths.iter().map(|length| length * 2).collect();
    let packing = Some(v1::Packing { codec: v1::ExchangeCodec::Lz4.into(), indexer_lengths });
    v1::Exchange { url: "s3://b/tmp".into(), width_bytes: 4, readers, writers, packing }
}

fn sweep() -> v1::CopyReadToWrite {
    v1::CopyReadToWrite {
        source: Some(layout()),
        target: Some(layout()),
        writers: Some(grid()),
        order: vec![1, 0],
        gaps: None,
        listed: None,
        shard_part_bytes: 0,
        is_summed: false,
    }
}

fn expect_sweep(field: &str, problem: Problem, change: impl FnOnce(&mut v1::CopyReadToWrite)) {
    let wrap = |copy| v1::StageFunction { function: Some(v1::stage_function::Function::CopyReadToWrite(copy)) };
    let mut copy = sweep();
    StageFunction::try_from(wrap(copy.clone())).expect("the unchanged message is valid");
    change(&mut copy);
    let fault: Fault = StageFunction::try_from(wrap(copy)).expect_err(field).into();
    assert_eq!(fault, Fault { field: format!("copy_read_to_write.{field}"), problem });
}

fn shards(copy: &mut v1::CopyReadToWrite) -> &mut v1::ShardedChunks {
    match copy.source.as_mut().and_then(|source| source.chunks.as_mut()).and_then(|chunks| chunks.layout.as_mut()) {
        Some(v1::chunk_layout::Layout::Sharded(sharded)) => sharded,
        other => panic!("the sample is sharded: {other:?}"),
    }
}

#[test]
fn a_wrong_layout_is_named() {
    let source = |copy: &mut v1::CopyReadToWrite| copy.source.take().expect("there");
    expect_sweep("source", Problem::Missing, |copy| drop(source(copy)));
    expect_sweep("source.url", Problem::Empty, |copy| copy.source.as_mut().expect("there").url.clear());
    expect_sweep("source.fill", Problem::WidthMismatch { expected: 4, found: 3 }, |copy| {
        copy.source.as_mut().expect("there").fill.truncate(3);
    });
    expect_sweep("source.element.width_bytes", Problem::Zero, |copy| {
        copy.source.as_mut().expect("there").element.as_mut().expect("there").width_bytes = 0;
    });
    expect_sweep("source.chunks", Problem::Missing, |copy| copy.source.as_mut().expect("there").chunks = None);
    expect_sweep("source.keys.separator", Problem::Unspecified, |copy| {
        copy.source.as_mut().expect("there").keys.as_mut().expect("there").separator = 0;
    });
    expect_sweep("source.keys.encoding", Problem::UnknownValue { value: 77 }, |copy| {
        copy.source.as_mut().expect("there").keys.as_mut().expect("there").encoding = 77;
    });
    let too_many = Problem::OverLimit { limit: "MAX_RANK", most: limits::MAX_RANK as u64, found: 33 };
    expect_sweep("source.shape", too_many, |copy| copy.source.as_mut().expect("there").shape = vec![1; 33]);
    expect_sweep("source.shape", Problem::Overflow, |copy| {
        copy.source.as_mut().expect("there").shape = vec![1 << 40, 1 << 40];
    });
}

#[test]
fn parts_of_objects_that_are_written_at_once_are_named() {
    let disagrees = Problem::Disagrees { other: "target.chunks" };
    expect_sweep("shard_part_bytes", disagrees, |copy| {
        let chunks = copy.target.as_mut().and_then(|target| target.chunks.as_mut()).expect("there");
        let plain = v1::PlainChunks { chunk_shape: vec![1, 1], codecs: "[]".into() };
        chunks.layout = Some(v1::chunk_layout::Layout::Plain(plain));
        copy.shard_part_bytes = 5;
    });
}

#[test]
fn wrong_chunks_are_named() {
    let chunks = |rest: &str| format!("source.chunks.sharded.{rest}");
    expect_sweep(&chunks("chunk_shape"), Problem::ZeroLength { axis: 1 }, |copy| shards(copy).chunk_shape[1] = 0);
    expect_sweep(&chunks("chunk_shape"), Problem::RankMismatch { expected: 2, found: 1 }, |copy| {
        shards(copy).chunk_shape.truncate(1);
    });
    expect_sweep(&chunks("shard_shape"), Problem::NotAMultiple { axis: 0 }, |copy| shards(copy).shard_shape[0] = 5);
    expect_sweep(&chunks("shard_shape"), Problem::ZeroLength { axis: 0 }, |copy| shards(copy).shard_shape[0] = 0);
    expect_sweep(&chunks("codecs"), Problem::NotAJsonList, |copy| shards(copy).codecs = "{}".into());
    expect_sweep(&chunks("index_codecs"), Problem::NotAJsonList, |copy| shards(copy).index_codecs = "[".into());
    expect_sweep(&chunks("index_location"), Problem::Unspecified, |copy| shards(copy).index_location = 0);
    let limit = limits::MAX_CHUNK_BYTES.0;
    let too_large = Problem::OverLimit { limit: "MAX_CHUNK_BYTES", most: limit, found: 4 << 40 };
    expect_sweep(&chunks("chunk_shape"), too_large, |copy| shards(copy).chunk_shape = vec![1 << 20, 1 << 20]);
    expect_sweep(&chunks("chunk_shape"), Problem::Overflow, |copy| {
        shards(copy).chunk_shape = vec![1 << 40, 1 << 40];
    });
}

#[test]
fn a_pass_through_to_other_chunks_is_named() {
    let v1::CopyReadToWrite { source, target, writers, gaps, .. } = sweep();
    let mut copy = v1::CopyEncoded { target: source.clone(), source, writers, gaps, ..v1::CopyEncoded::default() };
    let read = |copy: &v1::CopyEncoded| {
        let function = v1::stage_function::Function::CopyEncoded(copy.clone());
        StageFunction::try_from(v1::StageFunction { function: Some(function) })
    };
    assert!(read(&copy).is_ok());
    let unseen = v1::CopyEncoded { by_store: true, is_summed: true, ..copy.clone() };
    let fault: Fault = read(&unseen).expect_err("what the store copies is never seen").into();
    assert_eq!(fault, Fault::at("copy_encoded.is_summed", Problem::Disagrees { other: "by_store" }));
    copy.target = target;
    let chunks = copy.target.as_mut().and_then(|target| target.chunks.as_mut()).expect("there");
    let layout = v1::PlainChunks { chunk_shape: vec![1, 1], codecs: "[]".into() };
    chunks.layout = Some(v1::chunk_layout::Layout::Plain(layout));
    let fault: Fault = read(&copy).expect_err("other chunks").into();
    assert_eq!(fault, Fault::at("copy_encoded.target.chunks", Problem::Disagrees { other: "source.chunks" }));
}

#[test]
fn a_bitmap_that_is_not_about_its_source_is_named() {
    let layout = ArrayLayout::try_from(layout()).expect("valid");
    let bitmap = || {
        let objects = layout.write_grid();
        let size_bytes = objects.len().div_ceil(8);
        let (objects, fill) = (Some(objects.into()), layout.fill.clone());
        v1::PresenceBitmap { url: "s3://b/tmp/presence/0".into(), size_bytes, crc32c: 1, objects, fill }
    };
    let listed = |bitmap| Some(v1::ListedSource { longest_bytes: 9, presence: Some(bitmap) });
    let objects = "listed.presence.objects";
    expect_sweep(objects, Problem::Disagrees { other: "source" }, |copy| {
        let grid = v1::BoxGrid { lengths: vec![1, 1], ..bitmap().objects.expect("there") };
        copy.listed = listed(v1::PresenceBitmap { objects: Some(grid), size_bytes: 25, ..bitmap() });
    });
    expect_sweep("listed.presence.fill", Problem::Disagrees { other: "source.fill" }, |copy| {
        copy.listed = listed(v1::PresenceBitmap { fill: vec![1], ..bitmap() });
    });
    expect_sweep("listed.presence.size_bytes", Problem::Disagrees { other: "objects" }, |copy| {
        copy.listed = listed(v1::PresenceBitmap { size_bytes: bitmap().size_bytes + 1, ..bitmap() });
    });
    expect_sweep(objects, Problem::Outside, |copy| {
        let bounds = Some(v1::Region { start: vec![1, 0], end: vec![10, 20] });
        let grid = v1::BoxGrid { bounds, ..bitmap().objects.expect("there") };
        copy.listed = listed(v1::PresenceBitmap { objects: Some(grid), ..bitmap() });
    });
    let many = Problem::OverLimit { limit: "MAX_LISTED_OBJECTS", most: 1 << 22, found: 1 << 23 };
    expect_sweep(objects, many, |copy| {
        let bounds = Some(v1::Region { start: vec![0], end: vec![1 << 23] });
        let grid = v1::BoxGrid { bounds, lengths: vec![1], ahead: vec![], edges: vec![] };
        copy.listed = listed(v1::PresenceBitmap { objects: Some(grid), ..bitmap() });
    });
}

#[test]
fn chunks_that_differ_in_length_and_do_not_fit_their_array_are_named() {
    let none = || v1::Edges::default();
    let edges = |lengths: &[u64], counts: &[u64]| v1::Edges { lengths: lengths.to_vec(), counts: counts.to_vec() };
    // The array has 10 × 20 elements in chunks of 4 × 8.
    for (field, problem, edges) in [
        ("source.edges", Problem::RankMismatch { expected: 2, found: 1 }, vec![none()]),
        ("source.edges", Problem::Empty, vec![none(), none()]),
        (
            "source.edges[0].lengths",
            Problem::Disagrees { other: "the longest box" },
            vec![edges(&[3, 7], &[1, 1]), none()],
        ),
        ("source.edges[0].counts", Problem::Short, vec![edges(&[4, 3], &[1, 1]), none()]),
        ("source.edges[0].lengths", Problem::ZeroLength { axis: 1 }, vec![edges(&[4, 0], &[3, 1]), none()]),
        ("source.edges[0].counts", Problem::Zero, vec![edges(&[4, 3], &[3, 0]), none()]),
        (
            "source.edges[1].lengths",
            Problem::RankMismatch { expected: 2, found: 1 },
            vec![none(), edges(&[8], &[1, 2])],
        ),
        (
            "source.edges[1].counts",
            Problem::OverLimit { limit: "MAX_UNEQUAL_BOXES", most: 1 << 15, found: u64::MAX },
            vec![none(), edges(&[8, 1], &[3, u64::MAX])],
        ),
    ] {
        expect_sweep(field, problem, |copy| copy.source.as_mut().expect("there").edges = edges.clone());
    }
}

#[test]
fn parts_of_arrays_that_do_not_fit_each_other_are_named() {
    let part = |start: u64, origin: u64| Some(v1::ArrayPart { start: vec![start, 0], origin: vec![origin, 0] });
    let both = |copy: &mut v1::CopyReadToWrite, source, target| {
        copy.source.as_mut().expect("there").part = source;
        copy.target.as_mut().expect("there").part = target;
    };
    expect_sweep("target.part", Problem::Disagrees { other: "source.part" }, |copy| both(copy, part(3, 3), None));
    expect_sweep("target.part", Problem::Disagrees { other: "source.part" }, |copy| both(copy, part(3, 3), part(4, 0)));
    expect_sweep("source.part.origin", Problem::Outside, |copy| both(copy, part(3, 4), part(3, 0)));
    expect_sweep("target.part.start", Problem::Overflow, |copy| both(copy, part(3, 3), part(u64::MAX, 0)));
    let short = Problem::RankMismatch { expected: 2, found: 1 };
    let one_axis = || Some(v1::ArrayPart { start: vec![3, 0], origin: vec![3] });
    expect_sweep("source.part.origin", short, |copy| both(copy, one_axis(), part(3, 0)));
    // The tasks of the sample are about the whole array.
    expect_sweep("writers", Problem::Outside, |copy| both(copy, part(3, 3), part(3, 0)));
    expect_sweep("writers.ahead", Problem::Outside, |copy| {
        copy.writers.as_mut().expect("there").ahead = vec![1, 0];
    });
}

#[test]
fn parts_of_a_function_that_do_not_fit_each_other_are_named() {
    let target = |copy: &mut v1::CopyReadToWrite, shape| copy.target.as_mut().expect("there").shape = shape;
    expect_sweep("target.shape", Problem::Disagrees { other: "source.shape" }, |copy| target(copy, vec![10, 21]));
    expect_sweep("order", Problem::NotAnOrder { rank: 2 }, |copy| copy.order = vec![0, 0]);
    expect_sweep("order", Problem::NotAnOrder { rank: 2 }, |copy| copy.order = vec![0, 1, 1]);
    expect_sweep("order", Problem::NotAnOrder { rank: 2 }, |copy| copy.order = vec![0, u32::MAX]);
    let bounds = |copy: &mut v1::CopyReadToWrite, start: [u64; 2], end: [u64; 2]| {
        copy.writers.as_mut().expect("there").bounds = Some(v1::Region { start: start.into(), end: end.into() });
    };
    expect_sweep("writers", Problem::Outside, |copy| bounds(copy, [0, 0], [11, 20]));
    expect_sweep("writers.bounds.end", Problem::Reversed, |copy| bounds(copy, [5, 5], [4, 6]));
    expect_sweep("writers.bounds.end", Problem::Overflow, |copy| bounds(copy, [0, 0], [1 << 63, 2]));
    expect_sweep("writers.lengths", Problem::ZeroLength { axis: 0 }, |copy| {
        copy.writers.as_mut().expect("there").lengths[0] = 0;
    });
    let tasks = Problem::OverLimit { limit: "MAX_TASKS_PER_STAGE", most: limits::MAX_TASKS_PER_STAGE, found: 1 << 40 };
    expect_sweep("writers", tasks, |copy| {
        bounds(copy, [0, 0], [1 << 20, 1 << 20]);
        copy.writers.as_mut().expect("there").lengths = vec![1, 1];
    });
    expect_sweep("target.element", Problem::WidthMismatch { expected: 4, found: 2 }, |copy| {
        let target = copy.target.as_mut().expect("there");
        target.element.as_mut().expect("there").width_bytes = 2;
        target.fill.truncate(2);
    });
}

#[test]
fn a_wrong_exchange_is_named() {
    let expect = |field: &str, problem, change: fn(&mut v1::Exchange)| {
        expect::<_, rechunk_common::plan::Exchange>(exchange(), field, problem, change);
    };
    expect("writers.bounds", Problem::Disagrees { other: "readers.bounds" }, |exchange| {
        exchange.writers.as_mut().expect("there").bounds.as_mut().expect("there").end[0] = 9;
    });
    expect("readers", Problem::Missing, |exchange| exchange.readers = None);
    expect("width_bytes", Problem::Zero, |exchange| exchange.width_bytes = 0);
    expect("url", Problem::Empty, |exchange| exchange.url.clear());
    expect("packing.codec", Problem::Unspecified, |exchange| exchange.packing.as_mut().expect("there").codec = 0);
    expect("packing.codec", Problem::UnknownValue { value: 9 }, |exchange| {
        exchange.packing.as_mut().expect("there").codec = 9;
    });
    expect("packing.indexer_lengths", Problem::ZeroLength { axis: 0 }, |exchange| {
        exchange.packing.as_mut().expect("there").indexer_lengths[0] = 0;
    });
    expect("packing.indexer_lengths", Problem::Disagrees { other: "writers.lengths" }, |exchange| {
        exchange.packing.as_mut().expect("there").indexer_lengths[0] += 1;
    });
}

#[test]
fn a_function_beyond_a_limit_is_named() {
    use v1::stage_function::Function;
    let fault_of = |function: Function| -> Fault {
        StageFunction::try_from(v1::StageFunction { function: Some(function) }).expect_err("too large").into()
    };
    let over = |limit, most, found| Problem::OverLimit { limit, most, found };

    let (most, parameters) = (limits::MAX_CUSTOM_PARAMETERS.0, vec![0; (1 << 20) + 1]);
    let custom = v1::CustomFunction { name: "mine".into(), version: 1, parameters };
    let expected = over("MAX_CUSTOM_PARAMETERS", most, most + 1);
    assert_eq!(fault_of(Function::Custom(custom)), Fault { field: "custom.parameters".into(), problem: expected });

    let most = limits::MAX_STAGE_DOCUMENT_BYTES.0;
    let half = "x".repeat(usize::try_from(most / 2).expect("small") + 1);
    let write = v1::WriteDocument { url: "s3://b/c/zarr.json".into(), body: half.clone() };
    let group = v1::ReconsolidateGroup {
        group_url: "s3://b".into(),
        node_path: "c".into(),
        documents: vec![v1::NamedDocument { name: "zarr.json".into(), body: half }],
    };
    let documents = [v1::document::Document::Write(write), v1::document::Document::Reconsolidate(group)];
    let publish =
        v1::PublishMetadata { documents: documents.map(|document| v1::Document { document: Some(document) }).into() };
    let expected = over("MAX_STAGE_DOCUMENT_BYTES", most, most + 2);
    let field = "publish_metadata.documents".into();
    assert_eq!(fault_of(Function::PublishMetadata(publish)), Fault { field, problem: expected });

    let prefixes = vec!["s3://b/c".into(), "x".repeat(limits::MAX_URL_BYTES + 1)];
    let clear = v1::ClearPrefix { prefixes, part: v1::PrefixPart::Metadata.into() };
    let most = limits::MAX_URL_BYTES as u64;
    let expected = over("MAX_URL_BYTES", most, most + 1);
    let field = "clear_prefix.prefixes[1]".into();
    assert_eq!(fault_of(Function::ClearPrefix(clear)), Fault { field, problem: expected });
}

#[test]
fn a_function_of_a_newer_version_is_missing_here() {
    // Field 99, a message of no bytes: an arm that this version does not know.
    let function = v1::StageFunction::decode([0x9a, 0x06, 0x00].as_slice()).expect("well formed");
    let fault: Fault = StageFunction::try_from(function).expect_err("unknown").into();
    assert_eq!(fault, Fault { field: String::new(), problem: Problem::Missing });
}
