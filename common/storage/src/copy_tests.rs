//! Copies by the store itself.

use std::{fs, sync::Arc};

use crate::{
    Access, CountingObserver, Effect, ErrorClass, FaultRule, Faults, LeaseLost, Prefix, RequestKind, StoreConfig,
    StoreProfile, StoreUrl, Stores, Unguarded, WriteGuard,
};

fn open(stores: &Stores, url: &str) -> Prefix {
    stores.open(&StoreUrl::parse(url).unwrap(), Access::ReadWrite).unwrap()
}

#[tokio::test]
async fn a_copy_is_one_put_that_sends_nothing_and_is_sent_again_when_its_answer_is_lost() {
    let observer = Arc::new(CountingObserver::new());
    let faults = Arc::new(Faults::new());
    let stores = Stores::new(StoreConfig::environment()).with_observer(observer.clone()).with_faults(faults.clone());
    let (from, to) = (open(&stores, "memory://copies/from"), open(&stores, "memory://copies/to"));
    from.put("a", "bytes", &Unguarded).await.unwrap();
    observer.clear();
    faults.add(FaultRule::nth(RequestKind::Put, 1, Effect::LoseAnswer).on("to/b"));
    assert!(to.copy_from("b", &from, "a", &Unguarded).await.unwrap());
    assert!(!to.copy_from("c", &from, "none", &Unguarded).await.unwrap());
    assert_eq!((observer.count(RequestKind::Put), observer.count(RequestKind::Get)), (3, 0));
    assert_eq!((observer.repeated(), observer.bytes_sent(), observer.bytes_received()), (1, 0, 0));
    assert_eq!(to.get("b").await.unwrap().as_deref(), Some(&b"bytes"[..]));
}

#[tokio::test]
async fn nothing_is_copied_without_a_lease_into_a_place_for_reading_or_from_another_store() {
    struct Ended;
    impl WriteGuard for Ended {
        fn check(&self) -> Result<(), LeaseLost> {
            Err(LeaseLost)
        }
    }
    let stores = Stores::new(StoreConfig::environment());
    let place = open(&stores, "memory://copies-refused/x");
    place.put("a", "bytes", &Unguarded).await.unwrap();
    let class = |outcome: Result<bool, crate::StorageError>| outcome.map_err(|error| error.class);
    assert_eq!(class(place.copy_from("b", &place, "a", &Ended).await), Err(ErrorClass::LeaseLost));
    let reading = stores.open(place.url(), Access::Read).unwrap();
    assert_eq!(class(reading.copy_from("b", &place, "a", &Unguarded).await), Err(ErrorClass::Denied));
    let other = open(&stores, "memory://copies-elsewhere/x");
    assert_eq!(class(other.copy_from("b", &place, "a", &Unguarded).await), Err(ErrorClass::Unsupported));
    assert_eq!((place.get("b").await.unwrap(), other.get("b").await.unwrap()), (None, None));
}

#[tokio::test]
async fn a_local_copy_is_a_file_of_its_own_and_leaves_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().to_str().unwrap();
    let stores = Stores::new(StoreConfig::environment());
    let (from, to) = (open(&stores, &format!("{root}/from")), open(&stores, &format!("{root}/to")));
    assert!(!to.copy_from("c/0/1", &from, "c/0/1", &Unguarded).await.unwrap(), "no directory either");
    from.put("c/0/1", "first", &Unguarded).await.unwrap();
    // A name that an unfinished write has already.
    fs::create_dir_all(directory.path().join("to/c/0")).unwrap();
    fs::write(directory.path().join("to/c/0/1#1"), "unfinished").unwrap();
    assert!(to.copy_from("c/0/1", &from, "c/0/1", &Unguarded).await.unwrap());
    assert!(!to.copy_from("c/0/2", &from, "c/0", &Unguarded).await.unwrap(), "a directory is no object");
    fs::write(directory.path().join("from/c/0/1"), "in place").unwrap();
    assert_eq!(fs::read(directory.path().join("to/c/0/1")).unwrap(), b"first");
    let names = fs::read_dir(directory.path().join("to/c/0")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["1", "1#1"]);
    assert!(to.copy_from("c/0/1", &from, "c/0/1", &Unguarded).await.unwrap(), "over what is there");
    assert_eq!(fs::read(directory.path().join("to/c/0/1")).unwrap(), b"in place");
    let error = to.copy_from("c", &from, "c/0/1", &Unguarded).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Invalid, "{error}");
}

#[test]
fn stores_are_shared_by_bucket_and_settings_whatever_the_profile() {
    let profile = |prefix: &str, access| StoreProfile::new(StoreUrl::parse(prefix).unwrap(), access);
    let mut foreign = profile("s3://bucket/foreign", Access::ReadWrite);
    foreign.settings.anonymous = true;
    let mut profiles = vec![profile("s3://bucket/in", Access::Read), profile("s3://bucket/out", Access::ReadWrite)];
    profiles.push(profile("s3://other", Access::ReadWrite));
    profiles.push(foreign);
    for profile in &mut profiles {
        profile.settings.anonymous |= profile.prefix.container() == "other";
    }
    let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    let variables = move |name: &str| keys.contains(&name).then(|| "x".to_owned());
    let stores = Stores::new(StoreConfig::of_profiles(profiles).with_variables(variables));
    let open = |url: &str, access| stores.open(&StoreUrl::parse(url).unwrap(), access).unwrap();
    let source = open("s3://bucket/in/a.zarr", Access::Read);
    assert!(open("s3://bucket/out/b.zarr", Access::ReadWrite).shares_store_with(&source));
    assert!(!open("s3://bucket/foreign/b.zarr", Access::ReadWrite).shares_store_with(&source));
    assert!(!open("s3://other/b.zarr", Access::ReadWrite).shares_store_with(&source));
}
