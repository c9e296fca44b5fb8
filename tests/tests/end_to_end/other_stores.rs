//! Against stores other than S3: a double of Google Cloud Storage, the emulator of Azure, and a web server as a source.

#![allow(clippy::expect_used, reason = "tests")]

use rechunk_common::{RefusalCode, request::RechunkRequest, request::SourceListing};
use rechunk_storage::{Access, ErrorClass, StoreConfig, StoreUrl, Stores, conformance};
use rechunk_tests::{
    ArraySpec, Azurite, Cluster, ClusterOptions, GcsDouble, Place, WebServer,
    cluster::refusal,
    faithful::{assert_equal, assert_succeeded, request},
};

use crate::s3::run_main_job;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_double_of_gcs_passes_the_conformance_suite() {
    let server = GcsDouble::start();
    conformance::every_operation(&Place::on_gcs(&server).open("suite")).await.expect("every operation is answered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn azurite_passes_the_conformance_suite() {
    let Some(server) = Azurite::start() else { return };
    conformance::every_operation(&Place::on_azure(&server).open("suite")).await.expect("every operation is answered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_web_server_passes_what_reads_of_the_conformance_suite() {
    let place = Place::on_disk();
    for (key, text) in conformance::to_be_read() {
        place.put(&format!("a b%20/{key}"), text).await;
    }
    let server = WebServer::start(&place.directory());
    let url = StoreUrl::parse(&server.url("a%20b%2520")).expect("a URL");
    let prefix = Stores::new(StoreConfig::environment()).open(&url, Access::Read).expect("anybody may read");
    conformance::every_read(&prefix).await.expect("every read is answered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_main_job_runs_on_gcs_bit_for_bit_with_the_planned_requests() {
    let server = GcsDouble::start();
    Box::pin(run_main_job(&Place::on_gcs(&server))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_main_job_runs_on_azure_bit_for_bit_with_the_planned_requests() {
    let Some(server) = Azurite::start() else { return };
    Box::pin(run_main_job(&Place::on_azure(&server))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_are_denied_by_gcs_and_azure_and_not_repeated() {
    let gcs = GcsDouble::start();
    let azure = Azurite::start();
    let places = [
        Some((gcs.url("x"), gcs.config_for("not the token"))),
        azure.as_ref().map(|azure| (azure.url("x"), azure.config_for("bm90IHRoZSBrZXk="))),
    ];
    for (url, config) in places.into_iter().flatten() {
        let prefix = Stores::new(config).open(&StoreUrl::parse(&url).expect("a URL"), Access::ReadWrite);
        let prefix = prefix.expect("nothing is sent");
        for error in [prefix.get("a").await.err(), prefix.is_empty().await.err()] {
            let error = error.expect("access is denied");
            assert_eq!(error.class, ErrorClass::Denied, "{error}");
            assert!(!error.to_string().contains("not the token"), "{error}");
        }
    }
}

/// Whole chunks, parts of raw ones, and shards come from a web server; the plan takes every chunk to be there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arrays_on_a_web_server_are_sources() {
    let place = Place::on_disk();
    let server = WebServer::start(&place.directory());
    let maps = ArraySpec::new(&[64, 24, 20], &[1, 24, 20]).without(&[[7, 0, 0]]);
    let sharded = ArraySpec::new(&[24, 24], &[4, 3]).in_shards(&[8, 12]);
    let cluster =
        Cluster::start(ClusterOptions { config: StoreConfig::environment(), ..ClusterOptions::at(&place) }).await;
    for (node, spec, chunks) in [("maps", &maps, "64,6,5"), ("shards", &sharded, "6,6")] {
        let (source, target) = (format!("{node}/source"), format!("{node}/target"));
        let made = spec.make(&place, &source).await;
        let request = RechunkRequest { source: server.url(&source), ..request(&place, &source, &target, chunks) };
        let view = cluster.run(request).await;
        assert_succeeded(&view);
        assert_equal(&place, &made, &target).await;
        let warnings = &view.plan.as_ref().expect("a plan").warnings;
        assert!(warnings.iter().any(|warning| warning.contains("are not listed")), "{warnings:?}");
    }
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_web_server_cannot_do_is_refused_with_its_reason() {
    let place = Place::on_disk();
    let server = WebServer::without_ranges(&place.directory());
    ArraySpec::new(&[8, 8], &[4, 4]).make(&place, "group/array").await;
    place.put("group/zarr.json", r#"{"zarr_format": 3, "node_type": "group"}"#).await;
    ArraySpec::new(&[8, 8], &[4, 4]).make(&place, "source").await;
    let cluster =
        Cluster::start(ClusterOptions { config: StoreConfig::environment(), ..ClusterOptions::at(&place) }).await;
    let on_web =
        |source: &str| RechunkRequest { source: server.url(source), ..request(&place, "source", "target", "2,8") };
    let listed = RechunkRequest { listing: SourceListing::Always, ..on_web("source") };
    let written = RechunkRequest { target: server.url("target"), ..request(&place, "source", "target", "2,8") };
    for (request, code, field, word) in [
        (on_web("group"), RefusalCode::InvalidArgument, "source", "consolidated metadata"),
        (on_web("nowhere"), RefusalCode::NotFound, "source", "has no zarr.json"),
        (listed, RefusalCode::InvalidArgument, "source", "lists nothing"),
        (written, RefusalCode::InvalidArgument, "target", "can only be read"),
    ] {
        let refusal = refusal(cluster.client().submit(request).await);
        assert_eq!((refusal.code, refusal.field.as_deref()), (code, Some(field)), "{refusal}");
        assert!(refusal.message.contains(word), "{refusal}");
    }
    let url = StoreUrl::parse(&server.url("source")).expect("a URL");
    let prefix = Stores::new(StoreConfig::environment()).open(&url, Access::Read).expect("anybody may read");
    let error = prefix.get_range("c/0/0", 0..4).await.expect_err("it sends all of it");
    assert_eq!(error.class, ErrorClass::Unsupported, "{error}");
    assert!(error.message.contains("a part of a file"), "{error}");
    cluster.shutdown().await;
}
