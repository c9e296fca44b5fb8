use super::*;
use crate::{
    compute::ComputePool,
    workbench::{Bench, fresh_url},
};

#[tokio::test]
async fn a_source_whose_metadata_changed_fails_for_good() {
    let bench = Bench::new(ComputePool::inline());
    let url = fresh_url();
    bench.put(&url, "a/zarr.json", "{\"one\":1}").await;
    let now = bench.open(&url).head("a/zarr.json").await.expect("head").expect("there");
    assert!(now.etag.is_some(), "the memory store has entity tags");
    let pinned = PinnedDocument { url: format!("{url}/a/zarr.json"), etag: now.etag, size: now.size };
    let check = CheckSource { documents: vec![pinned] };
    check_source(&bench.context(0), &check).await.expect("unchanged");
    bench.put(&url, "a/zarr.json", "{\"two\":2}").await;
    let failure = check_source(&bench.context(0), &check).await.expect_err("another tag");
    assert_eq!(failure.class, FailureClass::GiveUpTask);
    assert!(failure.message.contains("a/zarr.json") && failure.message.contains("changed"), "{failure}");
    bench.put(&url, "a/zarr.json", "{}").await;
    assert!(check_source(&bench.context(0), &check).await.expect_err("size").message.contains("2 bytes"));
    bench.open(&url).delete("a/zarr.json", &rechunk_storage::Unguarded).await.expect("deleted");
    assert!(check_source(&bench.context(0), &check).await.expect_err("gone").message.contains("gone"));
}

#[tokio::test]
async fn documents_are_written_whole_and_a_parent_group_learns_of_its_new_member() {
    let bench = Bench::new(ComputePool::inline());
    let url = fresh_url();
    let group = r#"{"zarr_format":3,"node_type":"group","attributes":{},"consolidated_metadata":{"kind":"inline","must_understand":false,"metadata":{}}}"#;
    let member = r#"{"zarr_format":3,"node_type":"group","attributes":{"new":true}}"#;
    bench.put(&url, "g/zarr.json", group).await;
    let publish_both = PublishMetadata {
        documents: vec![
            Document::Write { url: format!("{url}/g/a/zarr.json"), body: member.to_owned() },
            Document::Reconsolidate {
                group_url: format!("{url}/g"),
                node_path: "a".to_owned(),
                documents: vec![("zarr.json".to_owned(), member.to_owned())],
            },
        ],
    };
    for task in 0..2 {
        publish(&bench.context(0), &publish_both, TaskIndex(task)).await.expect("published");
    }
    let text = |body: Option<bytes::Bytes>| String::from_utf8(body.expect("there").to_vec()).expect("text");
    let prefix = bench.open(&url);
    assert_eq!(text(prefix.get("g/a/zarr.json").await.expect("get")), member);
    let consolidated = text(prefix.get("g/zarr.json").await.expect("get"));
    assert!(consolidated.contains("\"new\""), "{consolidated}");
}

#[tokio::test]
async fn an_array_on_local_files_is_published_without_what_crashes_left_of_its_writes() {
    let bench = Bench::new(ComputePool::inline());
    let directory = tempfile::tempdir().expect("a directory");
    let url = directory.path().to_str().expect("UTF-8").to_owned();
    bench.put(&url, "c/0/0", "x").await;
    let unfinished = directory.path().join("c/0/0#1");
    std::fs::write(&unfinished, "half").expect("written");
    // Other tasks of the stage write other documents meanwhile.
    let others = [".zattrs#1", "below/zarr.json#1"].map(|name| directory.path().join(name));
    std::fs::create_dir(directory.path().join("below")).expect("a directory");
    for other in &others {
        std::fs::write(other, "half").expect("written");
    }
    let documents = vec![Document::Write { url: format!("{url}/zarr.json"), body: "{}".to_owned() }];
    publish(&bench.context(0), &PublishMetadata { documents }, TaskIndex(0)).await.expect("published");
    assert!(!unfinished.exists());
    assert!(others.iter().all(|other| other.exists()));
    assert!(directory.path().join("c/0/0").exists() && directory.path().join("zarr.json").exists());
}
