//! A store in memory with Zarr nodes written by hand, and a door to it.

use std::sync::atomic::{AtomicU64, Ordering};

use futures::TryStreamExt;
use rechunk_common::{
    ByteCount, Refusal, RefusalCode,
    ids::JobId,
    plan::{Document, StageFunction},
    request::{RechunkRequest, SourceListing},
};
use rechunk_storage::{Access, StoreConfig, StoreUrl, Stores, Unguarded};
use serde_json::{Value, json};

use super::super::{Door, Fleet, LiveSpace, Prepared};

/// One store of its own, and what is asked of it.
pub(super) struct World {
    pub(super) stores: Stores,
    root: StoreUrl,
}

impl World {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self::at(&format!("memory://door-{}", NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    pub(super) fn at(root: &str) -> Self {
        let root = StoreUrl::parse(root).expect("a URL");
        Self { stores: Stores::new(StoreConfig::environment()), root }
    }

    pub(super) fn url(&self, path: &str) -> String {
        self.root.join(path).to_string()
    }

    pub(super) async fn put(&self, path: &str, body: impl Into<Vec<u8>>) {
        let prefix = self.stores.open(&self.root, Access::ReadWrite).expect("open");
        prefix.put(path, body.into(), &Unguarded).await.expect("put");
    }

    pub(super) async fn put_json(&self, path: &str, body: &Value) {
        self.put(path, body.to_string()).await;
    }

    /// Every key and its entity tag.
    pub(super) async fn contents(&self) -> Vec<(String, Option<String>)> {
        let prefix = self.stores.open(&self.root, Access::Read).expect("open");
        let objects = prefix.list("").map_ok(|object| (object.key, object.etag));
        let mut contents: Vec<_> = objects.try_collect().await.expect("list");
        contents.sort();
        contents
    }

    pub(super) async fn v3_array(&self, path: &str, axes: &[(&str, u64, u64)]) {
        self.put_json(&format!("{path}/zarr.json"), &v3_array(axes)).await;
    }

    pub(super) async fn v3_group(&self, path: &str) {
        self.put_json(&join(path, "zarr.json"), &v3_group()).await;
    }

    pub(super) async fn v2_array(&self, path: &str, axes: &[(&str, u64, u64)]) {
        let (zarray, zattrs) = v2_array(axes);
        self.put_json(&format!("{path}/.zarray"), &zarray).await;
        self.put_json(&format!("{path}/.zattrs"), &zattrs).await;
    }

    pub(super) async fn v2_group(&self, path: &str) {
        self.put_json(&join(path, ".zgroup"), &json!({"zarr_format": 2})).await;
        self.put_json(&join(path, ".zattrs"), &json!({"title": "made by hand"})).await;
    }

    /// A request from one path to another.
    pub(super) fn request(&self, source: &str, target: &str, chunks: &[&str]) -> RechunkRequest {
        RechunkRequest {
            source: self.url(source),
            target: self.url(target),
            chunks: chunks.iter().map(|&spec| spec.to_owned()).collect(),
            max_mem: Some(ByteCount(1 << 30)),
            // The arrays of these tests have metadata and no chunks.
            listing: SourceListing::Never,
            ..RechunkRequest::default()
        }
    }

    pub(super) fn door(&self) -> Door {
        Door::new(self.stores.clone())
    }

    pub(super) async fn prepare(&self, request: &RechunkRequest) -> Result<Prepared, Refusal> {
        self.door().prepare(request, &job(), &fleet(), &[]).await
    }

    pub(super) async fn prepare_beside(
        &self,
        request: &RechunkRequest,
        live: &[LiveSpace],
    ) -> Result<Prepared, Refusal> {
        self.door().prepare(request, &job(), &fleet(), live).await
    }

    pub(super) async fn prepared(&self, request: &RechunkRequest) -> Prepared {
        self.prepare(request).await.unwrap_or_else(|refusal| panic!("{refusal:?}"))
    }

    /// The refusal of a request, which must leave everything as it was.
    #[track_caller]
    pub(super) fn refusal(&self, request: &RechunkRequest) -> impl Future<Output = Refusal> {
        let caller = std::panic::Location::caller();
        async move {
            let before = self.contents().await;
            let Err(refusal) = self.prepare(request).await else { panic!("{caller}: the request was not refused") };
            assert_eq!(self.contents().await, before, "{caller}: nothing is touched");
            assert!(!refusal.message.is_empty() && !refusal.message.ends_with('.'), "{caller}: {refusal}");
            refusal
        }
    }

    /// Asserts a refusal's code, field and reason, and gives its message.
    #[track_caller]
    pub(super) fn refused(
        &self,
        request: &RechunkRequest,
        code: RefusalCode,
        field: &str,
        reason: &str,
    ) -> impl Future<Output = String> {
        let caller = std::panic::Location::caller();
        let refusal = self.refusal(request);
        async move {
            let refusal = refusal.await;
            let found = (refusal.code, refusal.field.as_deref(), refusal.reason.as_str());
            assert_eq!(found, (code, Some(field), reason), "{caller}: {refusal}");
            refusal.message
        }
    }
}

pub(super) fn job() -> JobId {
    JobId::from("job-0123456789ab")
}

pub(super) fn fleet() -> Fleet {
    Fleet {
        worker_memory_budget: None,
        reserve: ByteCount(100 << 20),
        worker_scratch: ByteCount(0),
        slots: 2,
        threads: 2,
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

/// float32, no compression; each axis a name, a length and a chunk length.
pub(super) fn v3_array(axes: &[(&str, u64, u64)]) -> Value {
    json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": axes.iter().map(|axis| axis.1).collect::<Vec<_>>(),
        "data_type": "float32",
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": axes.iter().map(|axis| axis.2).collect::<Vec<_>>()},
        },
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0.0,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        "attributes": {"units": "K"},
        "dimension_names": axes.iter().map(|axis| axis.0).collect::<Vec<_>>(),
    })
}

pub(super) fn v3_group() -> Value {
    json!({"zarr_format": 3, "node_type": "group", "attributes": {"title": "made by hand"}})
}

/// `.zarray` and `.zattrs`.
pub(super) fn v2_array(axes: &[(&str, u64, u64)]) -> (Value, Value) {
    let zarray = json!({
        "zarr_format": 2,
        "shape": axes.iter().map(|axis| axis.1).collect::<Vec<_>>(),
        "chunks": axes.iter().map(|axis| axis.2).collect::<Vec<_>>(),
        "dtype": "<f4",
        "compressor": null,
        "fill_value": 0.0,
        "order": "C",
        "filters": null,
    });
    let names: Vec<&str> = axes.iter().map(|axis| axis.0).collect();
    (zarray, json!({"_ARRAY_DIMENSIONS": names, "units": "K"}))
}

/// The names of a plan's arrays with their target chunks.
pub(super) fn target_chunks(prepared: &Prepared) -> Vec<(&str, Vec<u64>)> {
    let summary = prepared.plan.summary.as_ref().expect("a summary");
    summary.arrays.iter().map(|array| (array.name.as_str(), array.target_chunks.clone())).collect()
}

/// All documents that a plan publishes, in order.
pub(super) fn documents(prepared: &Prepared) -> Vec<Document> {
    let published = prepared.plan.stages().filter_map(|stage| {
        let StageFunction::PublishMetadata(publish) = &stage.function else { return None };
        Some(publish.documents.clone())
    });
    published.flatten().collect()
}

/// The body of the document at a URL.
pub(super) fn body(documents: &[Document], url: &str) -> Value {
    let text = documents.iter().find_map(|document| match document {
        Document::Write { url: at, body } if at == url => Some(body.as_str()),
        Document::Write { .. } | Document::Reconsolidate { .. } => None,
    });
    let text = text.unwrap_or_else(|| panic!("no document {url} in {documents:#?}"));
    serde_json::from_str(text).expect("JSON")
}

/// The URLs of the documents that are written, in order.
pub(super) fn urls(documents: &[Document]) -> Vec<&str> {
    let written = documents.iter().map(|document| match document {
        Document::Write { url, .. } => url.as_str(),
        Document::Reconsolidate { group_url, .. } => group_url.as_str(),
    });
    written.collect()
}
