//! One wrong field at a time: the error names it and says what is wrong with it.

use prost::Message;
use rechunk_common::{
    Refusal, RefusalCode,
    ids::JobId,
    layout::ArrayLayout,
    limits,
    plan::StageFunction,
    request::{PipelinesRequest, RechunkRequest},
    session::SyncRequest,
};

use crate::{Fault, Problem, v1, worker::v1 as worker};

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
    }
}

fn grid() -> v1::BoxGrid {
    v1::BoxGrid { bounds: Some(v1::Region { start: vec![0, 0], end: vec![10, 20] }), lengths: vec![4, 8] }
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
    }
}

fn stage() -> v1::Stage {
    v1::Stage {
        name: "count".into(),
        function: Some(v1::StageFunction {
            function: Some(v1::stage_function::Function::Custom(v1::CustomFunction {
                name: "count_words".into(),
                version: 1,
                parameters: vec![1, 2, 3],
            })),
        }),
        task_count: 10,
        task_memory_bytes: 1 << 20,
        task_scratch_bytes: 0,
        retry: None,
        effect: v1::StageEffect::Writes.into(),
        predicted: None,
    }
}

fn pipelines() -> v1::SubmitPipelinesRequest {
    let pipeline = v1::Pipeline { name: "p".into(), stages: vec![stage()], temp_bytes: 0 };
    v1::SubmitPipelinesRequest {
        phases: vec![v1::Phase { name: "only".into(), pipelines: vec![pipeline] }],
        ..Default::default()
    }
}

fn sync() -> worker::SyncRequest {
    let address = worker::StageAddress { job_id: "job-0".into(), ..Default::default() };
    let tasks = worker::TaskRange { start: 5, end: 9 };
    let id = worker::LeaseId { epoch: 1, counter: 2 };
    worker::SyncRequest {
        worker_id: "w".into(),
        free: Some(v1::Capacity::default()),
        total: Some(v1::Capacity::default()),
        held: vec![worker::Lease {
            id: Some(id),
            stage: Some(address.clone()),
            tasks: Some(tasks),
            ttl: Some(prost_types::Duration { seconds: 30, nanos: 0 }),
        }],
        reports: vec![worker::LeaseReport {
            lease: Some(id),
            stage: Some(address),
            number: 1,
            done: vec![worker::DoneTasks { tasks: Some(tasks), counts: None }],
            failed: vec![worker::FailedTask {
                task: 9,
                failure_class: worker::FailureClass::TryAgain.into(),
                ..Default::default()
            }],
        }],
        wait: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
        ..Default::default()
    }
}

/// Changes a valid message and compares the fault.
fn expect<W, D>(mut message: W, field: &str, problem: Problem, change: impl FnOnce(&mut W))
where
    W: Clone,
    D: TryFrom<W> + std::fmt::Debug,
    D::Error: Into<Fault> + std::fmt::Debug,
{
    D::try_from(message.clone()).expect("the unchanged message is valid");
    change(&mut message);
    let fault: Fault = D::try_from(message).expect_err(field).into();
    assert_eq!(fault, Fault { field: field.to_owned(), problem });
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
    let v1::CopyReadToWrite { source, target, writers, order: _, gaps, listed, shard_part_bytes } = sweep();
    let (source, by_store) = ((source.clone(), source), false);
    let mut copy =
        v1::CopyEncoded { source: source.0, target: source.1, writers, gaps, by_store, listed, shard_part_bytes };
    let read = |copy: &v1::CopyEncoded| {
        let function = v1::stage_function::Function::CopyEncoded(copy.clone());
        StageFunction::try_from(v1::StageFunction { function: Some(function) })
    };
    assert!(read(&copy).is_ok());
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
        let grid = v1::BoxGrid { bounds, lengths: vec![1] };
        copy.listed = listed(v1::PresenceBitmap { objects: Some(grid), ..bitmap() });
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
fn wrong_pipelines_are_named() {
    let expect = |field: &str, problem, change: &dyn Fn(&mut v1::SubmitPipelinesRequest)| {
        expect::<_, PipelinesRequest>(pipelines(), field, problem, change);
    };
    let stage_of = |change: fn(&mut v1::Stage)| {
        move |request: &mut v1::SubmitPipelinesRequest| change(&mut request.phases[0].pipelines[0].stages[0])
    };
    let at = "phases[0].pipelines[0].stages[0]";
    expect("phases", Problem::Empty, &|request| request.phases.clear());
    expect(&format!("{at}.name"), Problem::Empty, &stage_of(|stage| stage.name.clear()));
    expect(&format!("{at}.effect"), Problem::Unspecified, &stage_of(|stage| stage.effect = 0));
    expect(&format!("{at}.function"), Problem::Missing, &stage_of(|stage| stage.function = None));
    expect(
        &format!("{at}.function"),
        Problem::NotCustom,
        &stage_of(|stage| {
            let clear = v1::ClearPrefix { prefixes: Vec::new(), part: v1::PrefixPart::Everything.into() };
            stage.function =
                Some(v1::StageFunction { function: Some(v1::stage_function::Function::ClearPrefix(clear)) });
        }),
    );
    expect(
        &format!("{at}.function.custom.name"),
        Problem::Reserved,
        &stage_of(|stage| {
            let custom = v1::CustomFunction { name: "clear_prefix".into(), ..Default::default() };
            stage.function = Some(v1::StageFunction { function: Some(v1::stage_function::Function::Custom(custom)) });
        }),
    );
    let many = limits::MAX_TASKS_PER_STAGE + 1;
    let problem = Problem::OverLimit { limit: "MAX_TASKS_PER_STAGE", most: limits::MAX_TASKS_PER_STAGE, found: many };
    expect(&format!("{at}.task_count"), problem, &stage_of(|stage| stage.task_count = 1_000_000_001));
    let retry = |change: fn(&mut v1::RetryPolicy)| {
        move |request: &mut v1::SubmitPipelinesRequest| {
            let wait = Some(prost_types::Duration { seconds: 1, nanos: 0 });
            let mut retry = v1::RetryPolicy { max_attempts: 2, first_wait: wait, longest_wait: wait };
            change(&mut retry);
            request.phases[0].pipelines[0].stages[0].retry = Some(retry);
        }
    };
    expect(&format!("{at}.retry.max_attempts"), Problem::Zero, &retry(|retry| retry.max_attempts = 0));
    expect(&format!("{at}.retry.first_wait"), Problem::Missing, &retry(|retry| retry.first_wait = None));
    expect(
        &format!("{at}.retry.longest_wait"),
        Problem::NotADuration,
        &retry(|retry| {
            retry.longest_wait = Some(prost_types::Duration { seconds: 0, nanos: 1_000_000_000 });
        }),
    );
    expect("weight", Problem::Zero, &|request| request.weight = Some(0));
    expect("max_parallel_tasks", Problem::Zero, &|request| request.max_parallel_tasks = Some(0));
    let labels = Problem::OverLimit { limit: "MAX_LABELS", most: limits::MAX_LABELS as u64, found: 65 };
    expect("labels", labels, &|request| {
        request.labels = (0..65).map(|label| (label.to_string(), String::new())).collect();
    });
    let stages = limits::MAX_STAGES_PER_PIPELINE;
    let limit = "MAX_STAGES_PER_PIPELINE";
    let problem = Problem::OverLimit { limit, most: stages as u64, found: stages as u64 + 1 };
    expect("phases[0].pipelines[0].stages", problem, &|request| {
        request.phases[0].pipelines[0].stages = vec![stage(); stages + 1];
    });
}

#[test]
fn a_wrong_sync_is_named() {
    let expect = |field: &str, problem, change: fn(&mut worker::SyncRequest)| {
        expect::<_, SyncRequest>(sync(), field, problem, change);
    };
    expect("worker_id", Problem::Empty, |request| request.worker_id.clear());
    expect("free", Problem::Missing, |request| request.free = None);
    expect("wait", Problem::Missing, |request| request.wait = None);
    expect("wait", Problem::NotADuration, |request| request.wait.as_mut().expect("there").seconds = -1);
    expect("held[0].ttl", Problem::NotADuration, |request| {
        request.held[0].ttl.as_mut().expect("there").seconds = i64::MAX;
    });
    expect("held[0].id", Problem::Missing, |request| request.held[0].id = None);
    expect("held[0].stage.job_id", Problem::Empty, |request| {
        request.held[0].stage.as_mut().expect("there").job_id.clear();
    });
    expect("held[0].tasks.end", Problem::Reversed, |request| request.held[0].tasks.as_mut().expect("there").end = 4);
    expect("held[0].tasks", Problem::Empty, |request| request.held[0].tasks.as_mut().expect("there").end = 5);
    let most = limits::MAX_TASKS_PER_LEASE;
    let problem = Problem::OverLimit { limit: "MAX_TASKS_PER_LEASE", most, found: most + 1 };
    expect("held[0].tasks", problem, |request| request.held[0].tasks.as_mut().expect("there").end = 1006);
    let most = u64::from(limits::MAX_LEASES_PER_WORKER);
    let problem = Problem::OverLimit { limit: "MAX_LEASES_PER_WORKER", most, found: 257 };
    expect("held", problem, |request| request.held = vec![request.held[0].clone(); 257]);
    expect("reports[0].done[0].tasks", Problem::Missing, |request| request.reports[0].done[0].tasks = None);
    let failed = |rest: &str| format!("reports[0].failed[0].{rest}");
    expect(&failed("failure_class"), Problem::Unspecified, |request| request.reports[0].failed[0].failure_class = 0);
    expect(&failed("lost_task"), Problem::Disagrees { other: "failure_class" }, |request| {
        request.reports[0].failed[0].lost_task = Some(1);
    });
    expect(&failed("lost_task"), Problem::Missing, |request| {
        request.reports[0].failed[0].failure_class = worker::FailureClass::InputLost.into();
    });
    expect(&failed("lost_stages_back"), Problem::Zero, |request| {
        let failed = &mut request.reports[0].failed[0];
        failed.failure_class = worker::FailureClass::InputLost.into();
        (failed.lost_task, failed.lost_stages_back) = (Some(1), Some(0));
    });
    expect(&failed("lost_stages_back"), Problem::Disagrees { other: "lost_task" }, |request| {
        request.reports[0].failed[0].lost_stages_back = Some(1);
    });
}

#[test]
fn a_refusal_names_the_field_as_users_know_it() {
    let invalid = RechunkRequest::try_from(v1::SubmitRechunkRequest::default()).expect_err("empty");
    let refusal = Refusal::from(invalid);
    assert_eq!((refusal.code, refusal.field.as_deref()), (RefusalCode::InvalidArgument, Some("spec")));

    let spec = v1::RechunkSpec { source: "s3://b/a".into(), ..Default::default() };
    let refusal = Refusal::from(RechunkRequest::try_from(spec.clone()).expect_err("no target"));
    assert_eq!(refusal, Refusal::invalid("target", "FIELD_EMPTY", "invalid rechunk request: target is empty"));

    let long = "1,".repeat(8 << 20);
    let spec = v1::RechunkSpec { target: "s3://b/c".into(), chunks: vec!["1".into(), long], ..spec };
    let refusal = Refusal::from(RechunkRequest::try_from(spec).expect_err("a long spec"));
    assert_eq!(refusal.field.as_deref(), Some("chunks[1]"));
    assert_eq!(refusal.code, RefusalCode::ResourceExhausted);
    assert!(refusal.message.contains("MAX_DOCUMENT_BYTES"), "{}", refusal.message);
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

#[test]
fn a_job_id_is_neither_empty_nor_endless() {
    let of = |job_id: String| JobId::try_from(v1::GetJobRequest { job_id }).map_err(Refusal::from);
    assert_eq!(of("job-1".into()), Ok(JobId::from("job-1")));
    assert_eq!(of(String::new()).expect_err("empty").reason, "FIELD_EMPTY");
    assert_eq!(of("x".repeat(limits::MAX_NAME_BYTES + 1)).expect_err("endless").reason, "LIMIT_EXCEEDED");
}
