use std::sync::Arc;

use rechunk_common::ByteCount;

use super::*;

fn memory(limit: u64) -> (Arc<BufferPool>, Arc<TaskMemory>) {
    let pool = Arc::new(BufferPool::new(ByteCount(limit)));
    (Arc::clone(&pool), TaskMemory::new(ByteCount(limit), pool, None))
}

#[test]
fn room_is_refused_when_it_would_pass_the_limit_and_comes_back_when_dropped() {
    let (_pool, memory) = memory(100);
    let first = memory.try_open(40, 20, &[40]).expect("fits exactly");
    assert!(memory.try_open(1, 20, &[]).is_none(), "the room kept free is not for pieces");
    assert!(memory.try_reserve(21).is_none());
    let last = memory.try_reserve(20).expect("what was kept free");
    drop(first);
    assert_eq!(memory.reserved(), 20);
    drop(last);
    assert_eq!((memory.reserved(), memory.peak()), (0, ByteCount(100)));
    assert_eq!(memory.peak_reserved(), ByteCount(100));
}

#[test]
fn a_freed_buffer_is_used_again_and_gives_way_to_other_needs() {
    let (_pool, memory) = memory(100);
    let mut opened = memory.try_open(0, 0, &[60]).expect("fits");
    opened.targets[0].allocate().fill(7);
    drop(opened);
    let mut again = memory.try_open(0, 0, &[60]).expect("fits");
    assert_eq!(again.targets[0].allocate()[59], 7, "the same memory");
    assert!(!again.targets[0].is_zeroed());
    drop(again);
    let other = memory.try_reserve(80).expect("the kept buffer gives way");
    assert!(memory.peak() <= ByteCount(100));
    drop(other);
    let mut fresh = memory.try_open(0, 0, &[60]).expect("fits");
    assert_eq!(fresh.targets[0].allocate()[59], 0, "it was freed");
}

#[test]
fn buffers_pass_from_task_to_task_within_the_workers_budget() {
    let (pool, first) = memory(100);
    let mut opened = first.try_open(0, 0, &[60]).expect("fits");
    opened.targets[0].allocate().fill(9);
    drop(opened);
    drop(first);
    let second = TaskMemory::new(ByteCount(70), Arc::clone(&pool), None);
    let mut opened = second.try_open(0, 0, &[60]).expect("fits");
    assert_eq!(opened.targets[0].allocate()[0], 9, "lent by the pool");
    drop(opened);
    drop(second);
    let small = TaskMemory::new(ByteCount(50), Arc::clone(&pool), None);
    assert_eq!(small.peak(), ByteCount(0), "a buffer that does not fit is not lent");
    let roomy = TaskMemory::new(ByteCount(50), Arc::clone(&pool), None);
    assert_eq!(roomy.peak_reserved(), ByteCount(0), "what is only kept was not needed");
    drop(roomy);
    let mut opened = small.try_open(0, 0, &[50]).expect("fits");
    assert_eq!(opened.targets[0].allocate()[0], 0);
}

#[test]
fn shared_bytes_hold_their_room_until_the_last_clone_is_gone() {
    let (_pool, memory) = memory(100);
    let bytes = memory.try_reserve(50).expect("fits").attach(bytes::Bytes::from_static(b"0123456789"));
    assert_eq!(memory.reserved(), 50, "encoders allocate for the worst case");
    let clone = bytes.clone();
    drop(bytes);
    assert_eq!(memory.reserved(), 50);
    drop(clone);
    assert_eq!(memory.reserved(), 0);
    let trimmed = memory.try_reserve(50).expect("fits").attach_trimmed(bytes::Bytes::from_static(b"0123456789"));
    assert_eq!(memory.reserved(), 10, "what was not needed is free at once");
    drop(trimmed);
    assert_eq!(memory.reserved(), 0);
}

#[test]
fn the_reserve_is_what_the_process_takes_and_tiny_limits_bound_the_buffers_only() {
    let mib = |n: u64| ByteCount(n << 20);
    let share = memory_reserve(mib(256), Some(mib(20)), 2);
    assert_eq!(share.reserve, mib(84));
    assert_eq!(share.budget.0, (256 << 20) * 9 / 10 - (84 << 20));
    let tiny = memory_reserve(mib(100), Some(mib(20)), 2);
    assert_eq!(tiny.budget, ByteCount((100 << 20) * 9 / 10));
}
