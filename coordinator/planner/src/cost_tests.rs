use proptest::prelude::*;
use rechunk_common::cost_profile::{StoreKind, WORKER_HOUR};

use super::*;

fn fleet(kind: StoreKind, workers: u64) -> Fleet {
    let store = kind.profile();
    let (source, target, temp) = (store, store, store);
    let basis = CostBasis { source, target, temp, worker_hour: WORKER_HOUR, workers, prefer: Prefer::Time };
    Fleet { workers, threads: 2, budget: 1 << 30, scratch: 0, basis }
}

fn work(tasks: f64, bytes: f64) -> StageWork {
    StageWork {
        tasks,
        reads: Traffic { place: Place::Source, requests: 0.0, bytes },
        writes: Traffic { place: Place::Target, requests: 0.0, bytes: 0.0 },
        deletes: 0.0,
        decode_seconds: 0.0,
        encode_seconds: 0.0,
    }
}

fn cost(tasks: f64, bytes: f64, workers: u64) -> f64 {
    work(tasks, bytes).least_outlay(&fleet(StoreKind::S3, workers)).cost(Prefer::Time)
}

#[test]
fn many_tasks_use_a_fleet() {
    assert!(cost(32.0, 1e12, 8) < cost(8.0, 1e12, 8));
    assert!(cost(8.0, 1e12, 8) < cost(1.0, 1e12, 8));
}

#[test]
fn one_worker_prefers_tasks_that_are_neither_tiny_nor_endless() {
    assert!(cost(300.0, 1e12, 1) < cost(1.0, 1e12, 1));
    assert!(cost(300.0, 1e12, 1) < cost(1e6, 1e12, 1));
}

#[test]
fn reading_twice_costs_more_than_once() {
    for workers in [1, 2, 8, 100] {
        assert!(cost(8.0, 2e12, workers) > cost(8.0, 1e12, workers));
    }
}

#[test]
fn legs_add_up_where_a_task_has_its_worker_to_itself() {
    let fleet = fleet(StoreKind::S3, 1);
    let per_second = fleet.basis.source.bytes_per_second as f64;
    // Ten seconds to read, forty of one thread to encode: twenty on two.
    let mut stage = work(1.0, 10.0 * per_second);
    stage.encode_seconds = 40.0;
    let seconds = |times: f64| stage.outlay(&fleet, 1, times).busy_seconds;
    assert!((39.0..39.5).contains(&seconds(1.0)), "and three tenths for gaps: {}", seconds(1.0));
    assert!((26.0..26.5).contains(&seconds(1e9)), "{}", seconds(1e9));
    assert!((32.5..33.0).contains(&seconds(2.0)), "half of the difference: {}", seconds(2.0));
}

#[test]
fn two_tasks_of_one_worker_alternate_and_a_single_one_does_not() {
    let fleet = fleet(StoreKind::S3, 1);
    let mut stage = work(2.0, 1e10);
    stage.encode_seconds = 120.0;
    let seconds = |residents: u64| stage.outlay(&fleet, residents, 1.0).seconds;
    assert!(seconds(2) < seconds(1));
    stage.tasks = 1.0;
    let single = |residents: u64| stage.outlay(&fleet, residents, 1.0).seconds;
    assert!((single(2) - single(1)).abs() < 1e-9, "there is nothing to alternate with");
}

#[test]
fn a_store_that_answers_slowly_bounds_any_fleet() {
    let mut stage = work(1e6, 0.0);
    stage.reads.requests = 5.5e6;
    let seconds = stage.least_outlay(&fleet(StoreKind::S3, 10_000)).seconds;
    assert!((1000.0..1010.0).contains(&seconds), "5,500 a second: {seconds}");
    let local = stage.least_outlay(&fleet(StoreKind::Local, 10_000)).seconds;
    assert!(local < 100.0, "{local}");
}

#[test]
fn money_is_requests_bytes_out_and_machines() {
    let mut fleet = fleet(StoreKind::S3, 1);
    fleet.basis.worker_hour = MicroUsd(0);
    let mut stage = work(1.0, 2e9);
    (stage.reads.requests, stage.writes.requests, stage.deletes) = (1e6, 1e6, 1e6);
    let usd = |fleet: &Fleet| stage.least_outlay(fleet).usd;
    assert!((usd(&fleet) - 5.4).abs() < 1e-9, "{}", usd(&fleet));
    fleet.basis.source.prices.per_gb_out = MicroUsd(90_000);
    assert!((usd(&fleet) - 5.58).abs() < 1e-9, "{}", usd(&fleet));
    fleet.basis.worker_hour = MicroUsd(3_600_000_000);
    assert!(usd(&fleet) > 1000.0, "a dollar a millisecond");
    let standing = Outlay { seconds: MONTH_SECONDS, ..Outlay::default() }.with_standing(1e12, &fleet);
    assert!((standing.usd - 23.0).abs() < 1e-9, "{}", standing.usd);
}

#[test]
fn the_best_of_each_preference_is_kept() {
    let outlay = |seconds: f64, usd: f64| Outlay { seconds, usd, ..Outlay::default() };
    let mut bests = Bests::default();
    for (outlay, name) in [(outlay(9.0, 9.0), "slow"), (outlay(1.0, 1.0), "fast"), (outlay(20_000.0, 0.5), "cheap")] {
        assert!(bests.would_take(&outlay), "{name}");
        bests.offer(&outlay, &name);
    }
    assert_eq!((bests.by(Prefer::Time), bests.by(Prefer::Money)), (Some(&"fast"), Some(&"cheap")));
    assert!(!bests.would_take(&outlay(20_000.0, 1.0)));
    assert_eq!(bests.distinct(), ["fast", "cheap"]);
}

fn works() -> impl Strategy<Value = StageWork> {
    let place = || prop::sample::select(vec![Place::Source, Place::Target, Place::Temp]);
    let traffic = move || {
        (place(), 0_u64..10_000_000, 0_u64..1 << 44).prop_map(|(place, requests, bytes)| Traffic {
            place,
            requests: requests as f64,
            bytes: bytes as f64,
        })
    };
    (1_u64..1_000_000, traffic(), traffic(), 0_u64..1000, (0_u64..1_000_000, 0_u64..1_000_000)).prop_map(
        |(tasks, reads, writes, deletes, (decode, encode))| StageWork {
            tasks: tasks as f64,
            reads,
            writes,
            deletes: deletes as f64,
            decode_seconds: decode as f64 / 7.0,
            encode_seconds: encode as f64 / 7.0,
        },
    )
}

proptest! {
    #[test]
    fn more_workers_never_take_longer_nor_pay_more(stage in works(), workers in 1_u64..500, more in 1_u64..500) {
        for kind in StoreKind::ALL {
            let few = stage.outlay(&fleet(kind, workers), 1, 1.0);
            let many = stage.outlay(&fleet(kind, workers * more), 1, 1.0);
            prop_assert!(many.seconds <= few.seconds * (1.0 + 1e-9), "{few:?} {many:?}");
            prop_assert!(many.usd <= few.usd * (1.0 + 1e-9));
        }
    }

    #[test]
    fn more_of_anything_costs_no_less(stage in works(), more in works(), residents in 1_u64..5) {
        let fleet = fleet(StoreKind::Gcs, 3);
        let cost = |stage: &StageWork| stage.outlay(&fleet, residents, 1.0).cost(Prefer::Money);
        let least = cost(&stage);
        let mut larger = stage;
        larger.reads.bytes += more.reads.bytes;
        larger.reads.requests += more.reads.requests;
        larger.writes.bytes += more.writes.bytes;
        larger.writes.requests += more.writes.requests;
        larger.decode_seconds += more.decode_seconds;
        larger.encode_seconds += more.encode_seconds;
        prop_assert!(cost(&larger) >= least * (1.0 - 1e-9));
    }

    #[test]
    fn what_a_search_prunes_by_is_never_above_what_it_finds(stage in works(), residents in 1_u64..9, times in 1_u64..99) {
        for kind in [StoreKind::S3, StoreKind::Local] {
            let fleet = fleet(kind, 2);
            let (least, found) = (stage.least_outlay(&fleet), stage.outlay(&fleet, residents, times as f64));
            for prefer in Prefer::ALL {
                prop_assert!(least.cost(prefer) <= found.cost(prefer) * (1.0 + 1e-12));
            }
        }
    }
}
