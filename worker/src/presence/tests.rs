use rechunk_common::{
    ByteCount,
    geometry::BoxGrid,
    plan::{ListedSource, PresenceBitmap},
};
use rechunk_storage::RequestKind;

use super::*;
use crate::{
    compute::ComputePool,
    workbench::{Bench, fresh_url},
};

/// Ten objects, of which the first and the last are there; and what is told of them.
fn listed() -> (Presence, ListedSource) {
    let mut presence = Presence::none(BoxGrid::of_array(&[10], &[1])).expect("small");
    presence.insert(&[0]);
    presence.insert(&[9]);
    let bitmap = PresenceBitmap {
        url: format!("{}/space/presence/3", fresh_url()),
        size: ByteCount(2),
        crc32c: crc32c::crc32c(presence.bits()),
        objects: presence.objects().clone(),
        fill: vec![0],
    };
    (presence, ListedSource { longest: ByteCount(77), presence: Some(bitmap) })
}

fn place(listed: &ListedSource) -> (&str, &str) {
    listed.presence.as_ref().expect("a bitmap").url.rsplit_once('/').expect("a name")
}

#[tokio::test]
async fn a_bitmap_is_read_once_by_a_process_whoever_needs_it() {
    let bench = Bench::new(ComputePool::inline());
    let (presence, listed) = listed();
    let (directory, name) = place(&listed);
    bench.put(directory, name, presence.bits()).await;
    bench.observer.clear();
    let cache = Arc::new(PresenceCache::default());
    let cx = || bench.context(0).with_presences(Arc::clone(&cache));
    let contexts = [cx(), cx(), cx()];
    let read = contexts.iter().map(|cx| Listed::of(cx, Some(&listed)));
    for found in futures::future::join_all(read).await {
        let found = found.expect("read");
        assert_eq!((found.presence.as_deref(), found.longest), (Some(&presence), Some(77)));
    }
    assert_eq!(bench.observer.count(RequestKind::Get), 1);
    let counts = contexts.iter().map(|cx| cx.tally().total());
    assert_eq!(counts.clone().map(|counts| counts.metadata_requests).sum::<u64>(), 1);
    assert_eq!(counts.map(|counts| counts.get_requests).sum::<u64>(), 0, "it is no chunk");
}

#[tokio::test]
async fn a_bitmap_that_is_missing_or_corrupt_is_named_and_asked_for_again() {
    let bench = Bench::new(ComputePool::inline());
    let (presence, listed) = listed();
    let (directory, name) = place(&listed);
    let cx = bench.context(0);
    let flipped: Vec<u8> = presence.bits().iter().map(|byte| byte ^ 2).collect();
    for (content, reason) in [
        (None, "it is not there"),
        (Some(vec![1]), "it has 1 bytes instead of 2"),
        (Some(flipped), "its checksum does not match"),
    ] {
        if let Some(content) = content {
            bench.put(directory, name, content).await;
        }
        let failure = Listed::of(&cx, Some(&listed)).await.expect_err(reason);
        assert_eq!(failure.class, FailureClass::GiveUpTask);
        assert!(failure.message.contains(&format!("{directory}/{name}")), "{failure}");
        assert!(failure.message.contains(reason), "{failure}");
    }
    bench.put(directory, name, presence.bits()).await;
    assert_eq!(Listed::of(&cx, Some(&listed)).await.expect("read").presence.as_deref(), Some(&presence));
}

#[tokio::test]
async fn bitmaps_are_kept_within_bounds() {
    let bench = Bench::new(ComputePool::inline());
    let cx = bench.context(0);
    let bytes = 512 << 10;
    let bitmap = |number: u64| {
        let objects = BoxGrid::of_array(&[bytes * 8], &[1]);
        let bits = vec![0; usize::try_from(bytes).expect("small")];
        let bitmap = PresenceBitmap {
            url: format!("memory://presence-bounds/{number}"),
            size: ByteCount(bytes),
            crc32c: crc32c::crc32c(&bits),
            objects,
            fill: vec![0],
        };
        (bitmap, bits)
    };
    for number in 0..9 {
        let (bitmap, bits) = bitmap(number);
        bench.put("memory://presence-bounds", &number.to_string(), bits).await;
        presence_of(&cx, Some(&bitmap)).await.expect("read");
    }
    bench.observer.clear();
    for (number, reads) in [(8, 0), (1, 0), (0, 1), (1, 1), (2, 2)] {
        presence_of(&cx, Some(&bitmap(number).0)).await.expect("read");
        assert_eq!(bench.observer.count(RequestKind::Get), reads, "bitmap {number}");
    }
}
