//! Every kept input is read, and inputs that chance makes of them.

#![expect(clippy::expect_used, reason = "a test")]

use rechunk_fuzz::{Target, corpus, mutation::Chance};

/// How many changed inputs each target reads, unless the environment says another number.
fn changes() -> u64 {
    std::env::var("RECHUNK_FUZZ_CHANGES").ok().and_then(|number| number.parse().ok()).unwrap_or(100_000)
}

fn read_all(target: Target) {
    let inputs = corpus::inputs(target).expect("a corpus");
    assert!(inputs.len() >= 8, "the corpus of {} is gone", target.name());
    for (name, input) in &inputs {
        println!("{name}");
        target.read(input);
    }
    for seed in 0..changes() {
        let mut chance = Chance::of_seed(seed);
        let (mut input, other) = (inputs[chance.below(inputs.len())].1.clone(), &inputs[chance.below(inputs.len())].1);
        chance.change(&mut input, other);
        let is_read = std::panic::catch_unwind(|| target.read(&input)).is_ok();
        assert!(is_read, "{}, seed {seed}: {:?}", target.name(), input.escape_ascii().to_string());
    }
}

#[test]
fn any_request_is_read_or_refused() {
    read_all(Target::Request);
}

#[test]
fn any_answer_to_a_worker_is_read_or_refused() {
    read_all(Target::Lease);
}

#[test]
fn any_object_of_a_journal_is_read_or_refused() {
    read_all(Target::Journal);
}

#[test]
fn any_metadata_is_read_or_refused() {
    read_all(Target::Metadata);
}

#[test]
fn any_chunk_is_decoded_or_refused() {
    read_all(Target::Chunk);
}

#[test]
fn any_record_of_references_is_read_or_refused() {
    read_all(Target::Record);
}
