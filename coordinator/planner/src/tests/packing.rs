//! When blocks are compressed, and what the plan shows of it.

use rechunk_common::plan::ShapeOfPlan;

use super::*;

const COMPRESSED: &str = r#"[{"name":"bytes"},{"name":"zstd","configuration":{"level":1,"checksum":false}}]"#;

/// Maps to series: an exchange at any memory.
fn job(codec: ExchangeCodecChoice, temp: &str, codecs: &str) -> PlanInput {
    let mut copy = plain(&[96_432, 721, 1440], &[1, 721, 1440], &[8760, 72, 144]);
    copy.source.chunks = ChunkLayout::Plain { chunk_shape: vec![1, 721, 1440], codecs: codecs.to_owned() };
    let mut input = input(vec![copy], usable(2_000_000_000), 8, 4);
    input.temp.url = temp.to_owned();
    input.temp.codec = codec;
    if temp.starts_with("file:") {
        input.basis.temp = StoreKind::Local.profile();
    }
    input
}

fn names(input: &PlanInput) -> Vec<String> {
    let plan = planned(input);
    assert_eq!(summary(&plan).arrays[0].shape_of_plan, ShapeOfPlan::Exchange);
    summary(&plan).stages.iter().map(|row| row.name.clone()).take_while(|name| name != "delete_exchange").collect()
}

const RAW: [&str; 2] = ["copy_read_to_exchange", "copy_exchange_to_write"];
const PACKED: [&str; 3] = ["copy_read_to_exchange", "index_exchange", "copy_exchange_to_write"];

#[test]
fn blocks_are_compressed_where_a_link_is_slower_than_the_codec() {
    let auto = ExchangeCodecChoice::Auto;
    assert_eq!(names(&job(auto, "s3://b/t", COMPRESSED)), PACKED);
    assert_eq!(names(&job(auto, "file:///t", COMPRESSED)), RAW, "no link");
    assert_eq!(names(&job(auto, "s3://b/t", r#"[{"name":"bytes"}]"#)), RAW, "nothing says that it shrinks");
}

#[test]
fn what_was_asked_for_is_done_wherever_the_temporary_space_is() {
    assert_eq!(names(&job(ExchangeCodecChoice::None, "s3://b/t", COMPRESSED)), RAW);
    for codec in [ExchangeCodecChoice::Lz4, ExchangeCodecChoice::Zstd] {
        assert_eq!(names(&job(codec, "memory://t", "[]")), PACKED);
    }
}

#[test]
fn an_index_costs_few_requests_beside_those_of_its_exchange() {
    let raw = totals(&planned(&job(ExchangeCodecChoice::None, "s3://b/t", COMPRESSED)));
    let plan = planned(&job(ExchangeCodecChoice::Lz4, "s3://b/t", COMPRESSED));
    let packed = totals(&plan);
    assert_eq!((packed.bytes_decoded, packed.bytes_encoded), (raw.bytes_decoded, raw.bytes_encoded));
    assert!(packed.get_requests < raw.get_requests + raw.get_requests / 10, "{packed:?} beside {raw:?}");
    let index = row(summary(&plan), "index_exchange");
    assert_eq!(index.tasks, summary(&plan).arrays[0].pipelines, "one index for each group");
    assert!(summary(&plan).arrays[0].reason.contains("compressed by lz4"), "{}", summary(&plan).arrays[0].reason);
}
