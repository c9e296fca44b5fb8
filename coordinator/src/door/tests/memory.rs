//! How `max_mem` is shared out.

use rechunk_common::{ByteCount, RefusalCode};

use rechunk_common::MemoryShare;

use super::super::{Fleet, memory::model};

const MIB: u64 = 1 << 20;

fn fleet(worker_memory_budget: Option<u64>) -> Fleet {
    let worker_memory_budget = worker_memory_budget.map(ByteCount);
    Fleet { worker_memory_budget, reserve: ByteCount(100 * MIB), worker_scratch: ByteCount(0), slots: 2, threads: 2 }
}

#[test]
fn nine_tenths_of_max_mem_less_the_reserve_are_for_tasks() {
    let (model, warning) = model(Some(ByteCount(1000 * MIB)), &fleet(None)).expect("plenty");
    assert_eq!(model.budget, ByteCount(800 * MIB));
    assert_eq!(model.max_mem, ByteCount(1000 * MIB));
    assert_eq!(model.reserve, ByteCount(100 * MIB));
    assert_eq!(warning, None);
}

#[test]
fn below_twice_the_reserve_max_mem_bounds_the_buffers_only_and_says_so() {
    let (low, warning) = model(Some(ByteCount(199 * MIB)), &fleet(None)).expect("little");
    assert_eq!(low.budget, MemoryShare::of(ByteCount(199 * MIB), ByteCount(100 * MIB)).budget);
    assert!(low.budget > ByteCount(170 * MIB) && low.budget < ByteCount(180 * MIB), "{}", low.budget);
    assert!(warning.expect("a warning").contains("bounds the data buffers only"));
    let at_twice = MemoryShare::of(ByteCount(200 * MIB), ByteCount(100 * MIB));
    assert_eq!((at_twice.budget, at_twice.bounds_buffers_only), (ByteCount(80 * MIB), false));
}

#[test]
fn without_max_mem_the_smallest_worker_decides() {
    let (model, warning) = model(None, &fleet(Some(800 * MIB))).expect("a worker's default");
    assert_eq!((model.budget, warning), (ByteCount(800 * MIB), None));
    assert_eq!(model.max_mem.0.div_ceil(MIB), 1000);
}

#[test]
fn max_mem_may_not_pass_the_smallest_worker() {
    assert!(model(Some(ByteCount(1000 * MIB)), &fleet(Some(800 * MIB))).is_ok());
    let refusal = model(Some(ByteCount(1010 * MIB)), &fleet(Some(800 * MIB))).expect_err("too much");
    assert_eq!((refusal.code, refusal.reason.as_str()), (RefusalCode::InvalidArgument, "MEMORY_OVER_WORKER"));
    assert_eq!(refusal.field.as_deref(), Some("max_mem"));
    assert!(refusal.message.contains("1000 MiB"), "it says what would do: {}", refusal.message);
}

#[test]
fn without_max_mem_and_workers_the_plan_is_for_a_default_worker_and_says_so() {
    let (memory, warning) = model(None, &fleet(None)).expect("a default");
    assert_eq!((memory.max_mem, memory.reserve), (ByteCount(4096 * MIB), ByteCount(100 * MIB)));
    assert_eq!(memory.budget, MemoryShare::of(ByteCount(4096 * MIB), ByteCount(100 * MIB)).budget);
    assert!(warning.expect("a warning").contains("no worker is connected"));
}

#[test]
fn no_memory_is_too_little() {
    let refusal = model(Some(ByteCount(0)), &fleet(None)).expect_err("nothing");
    assert_eq!((refusal.reason.as_str(), refusal.field.as_deref()), ("MEMORY_TOO_SMALL", Some("max_mem")));
}
