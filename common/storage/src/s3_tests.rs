//! The S3 client against a server that answers from a script: what is sent, and what answers mean.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::{
    Access, CountingObserver, ErrorClass, Prefix, RequestKind, RetryPolicy, StoreConfig, StoreProfile, StoreUrl,
    Stores, Unguarded, UploadSizes,
};

/// A server that gives each request, in order, the next answer, and remembers the request.
struct Scripted {
    prefix: Prefix,
    seen: Arc<CountingObserver>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    fn new(answers: Vec<String>) -> Self {
        Self::with(answers, |config| config)
    }

    fn with(answers: Vec<String>, change: impl FnOnce(StoreConfig) -> StoreConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = requests.clone();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let head = read_request(&mut stream);
                log.lock().unwrap().push(head);
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let url = StoreUrl::parse("s3://bucket/a b%20.zarr").unwrap();
        let mut profile = StoreProfile::new(url.clone(), Access::ReadWrite);
        profile.settings.endpoint = Some(endpoint);
        let retry = RetryPolicy { base_delay: Duration::ZERO, max_attempts: 3, ..RetryPolicy::default() };
        let keys = |name: &str| match name {
            "AWS_ACCESS_KEY_ID" => Some("key".to_owned()),
            "AWS_SECRET_ACCESS_KEY" => Some("s3cr3t".to_owned()),
            _ => None,
        };
        let config = StoreConfig::of_profiles(vec![profile]).with_retry(retry).with_variables(keys);
        let seen = Arc::new(CountingObserver::new());
        let stores = Stores::new(change(config)).with_observer(seen.clone());
        Self { prefix: stores.open(&url, Access::ReadWrite).unwrap(), seen, requests }
    }

    fn lines(&self) -> Vec<String> {
        let first = |request: &String| request.lines().next().unwrap_or_default().to_owned();
        self.requests.lock().unwrap().iter().map(first).collect()
    }
}

/// The head of a request; its body is read and dropped.
fn read_request(stream: &mut impl Read) -> String {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line.to_ascii_lowercase());
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    let length: u64 = length.trim().parse().unwrap();
    std::io::copy(&mut reader.take(length), &mut std::io::sink()).unwrap();
    head
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\nETag: \"e\"\r\n\
         Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n{headers}\r\n{body}"
    )
}

fn fault(status: &str, code: &str) -> String {
    answer(status, "", &format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>m</Message></Error>"))
}

#[tokio::test]
async fn a_range_is_one_signed_get_of_the_key_as_it_is() {
    let server = Scripted::new(vec![answer("206 Partial Content", "Content-Range: bytes 2-4/10\r\n", "234")]);
    assert_eq!(server.prefix.get_range("c/0", 2..5).await.unwrap().as_deref(), Some(&b"234"[..]));
    assert_eq!(server.lines(), ["get /bucket/a%20b%2520.zarr/c/0 http/1.1"], "no HEAD before it");
    let request = server.requests.lock().unwrap()[0].clone();
    assert!(request.contains("range: bytes=2-4"), "{request}");
    assert!(request.contains("authorization: aws4-hmac-sha256 credential=key/"), "{request}");
    assert!(!request.contains("s3cr3t"));
}

#[tokio::test]
async fn only_a_missing_key_reads_as_none() {
    let not_found = |code| fault("404 Not Found", code);
    let server = Scripted::new(vec![not_found("NoSuchKey"), not_found("NoSuchBucket"), fault("403 F", "AccessDenied")]);
    assert_eq!(server.prefix.get("c/0").await.unwrap(), None);
    let error = server.prefix.get("c/0").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Missing);
    assert_eq!(error.to_string(), "cannot read s3://bucket/a b%20.zarr/c/0: there is no such bucket");
    let error = server.prefix.get("c/0").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Denied);
    assert_eq!(error.to_string(), "cannot read s3://bucket/a b%20.zarr/c/0: access denied");
    assert_eq!(server.seen.count(RequestKind::Get), 3, "none was asked twice");
}

#[tokio::test]
async fn throttling_and_bodies_cut_short_are_asked_again() {
    let cut = answer("200 OK", "", "0123456789").replace("Content-Length: 10", "Content-Length: 99");
    let answers = vec![fault("503 Slow Down", "SlowDown"), cut, answer("200 OK", "", "whole")];
    let server = Scripted::new(answers);
    // The object that was announced with 99 bytes has 5 now: that is told, not passed over.
    let error = server.prefix.get("k").await.unwrap_err();
    assert_eq!((error.class, server.seen.count(RequestKind::Get)), (ErrorClass::Corrupt, 3));

    let whole = answer("200 OK", "", "0123456789");
    let cut = whole.strip_suffix("6789").unwrap().to_owned();
    let server = Scripted::new(vec![cut, whole]);
    assert_eq!(server.prefix.get("k").await.unwrap().as_deref(), Some(&b"0123456789"[..]));
    assert_eq!(server.seen.repeated(), 1);
}

#[tokio::test]
async fn a_put_that_meets_a_server_error_is_sent_again_whole() {
    let server = Scripted::new(vec![fault("500 Oops", "InternalError"), answer("200 OK", "", "")]);
    server.prefix.put("k", "0123456789", &Unguarded).await.unwrap();
    let sent: Vec<_> = server.seen.of_kind(RequestKind::Put).iter().map(|put| (put.attempt, put.bytes)).collect();
    assert_eq!(sent, [(1, 10), (2, 10)]);
    assert_eq!(server.lines(), ["put /bucket/a%20b%2520.zarr/k http/1.1"; 2]);
}

#[tokio::test]
async fn a_large_object_is_begun_sent_in_parts_and_completed() {
    let begun = "<InitiateMultipartUploadResult><UploadId>u 1</UploadId></InitiateMultipartUploadResult>";
    let done = "<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>";
    let (ok, fault) = (answer("200 OK", "", ""), fault("500 Oops", "InternalError"));
    let answers = vec![answer("200 OK", "", begun), fault, ok.clone(), ok, answer("200 OK", "", done)];
    let server = Scripted::with(answers, |config| {
        config.with_upload_sizes(UploadSizes { threshold: 9, part: 9, least_part: 9 })
    });
    server.prefix.put("k", "0123456789", &Unguarded).await.unwrap();
    let lines = server.lines();
    let place = "/bucket/a%20b%2520.zarr/k?";
    assert_eq!(lines[0], format!("post {place}uploads= http/1.1"));
    assert!(lines[1..4].iter().all(|line| line.starts_with(&format!("put {place}partnumber="))), "{lines:?}");
    assert!(lines[4].starts_with(&format!("post {place}uploadid=u")), "{lines:?}");
    assert_eq!((server.seen.count(RequestKind::Part), server.seen.repeated()), (3, 1));
    assert_eq!((server.seen.count(RequestKind::Put), server.seen.bytes_sent() >= 10), (1, true));
}

#[tokio::test]
async fn an_upload_that_the_store_refuses_to_complete_is_aborted() {
    let begun = "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>";
    let ok = answer("200 OK", "", "");
    let refused = fault("403 Forbidden", "AccessDenied");
    let answers = vec![answer("200 OK", "", begun), ok.clone(), ok, refused, answer("204 No Content", "", "")];
    let server = Scripted::with(answers, |config| {
        config.with_upload_sizes(UploadSizes { threshold: 9, part: 9, least_part: 9 })
    });
    let error = server.prefix.put("k", "0123456789", &Unguarded).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Denied, "{error}");
    let aborted = async {
        while server.lines().len() < 5 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), aborted).await.unwrap();
    assert_eq!(server.lines()[4], "delete /bucket/a%20b%2520.zarr/k?uploadid=u1 http/1.1");
}

#[tokio::test]
async fn a_server_that_never_recovers_is_given_up() {
    let server = Scripted::new(vec![fault("503 Slow Down", "SlowDown"); 3]);
    let error = server.prefix.put("k", "x", &Unguarded).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::TryAgain);
    assert_eq!(error.to_string(), "cannot write s3://bucket/a b%20.zarr/k: the store answered with SlowDown");
}

#[tokio::test]
async fn a_range_beyond_the_object_is_corrupt() {
    let server = Scripted::new(vec![
        fault("416 Range Not Satisfiable", "InvalidRange"),
        answer("206 Partial Content", "Content-Range: bytes 2-4/5\r\n", "234"),
    ]);
    for _ in 0..2 {
        let error = server.prefix.get_range("k", 2..9).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Corrupt, "{error}");
    }
}

#[tokio::test]
async fn a_bucket_elsewhere_is_named_with_its_region() {
    let headers = "x-amz-bucket-region: eu-north-1\r\n";
    let server = Scripted::new(vec![answer("301 Moved Permanently", headers, "")]);
    let error = server.prefix.is_empty().await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Invalid);
    assert!(error.to_string().contains("the region eu-north-1"), "{error}");
}

#[tokio::test]
async fn one_message_deletes_many_keys_and_one_denied_key_fails_it() {
    let body = "<DeleteResult><Deleted><Key>a b%20.zarr/x</Key></Deleted><Error><Key>a b%20.zarr/y</Key><Code>AccessDenied</Code>\
                <Message>m</Message></Error></DeleteResult>";
    let server = Scripted::new(vec![answer("200 OK", "", body)]);
    let error = server.prefix.delete_many(vec!["x".to_owned(), "y".to_owned()], &Unguarded).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Denied, "{error}");
    assert_eq!(server.lines(), ["post /bucket?delete http/1.1"]);
}

#[tokio::test]
async fn an_answer_about_a_key_that_was_not_asked_for_is_an_error() {
    let body =
        "<DeleteResult><Error><Key>other</Key><Code>AccessDenied</Code><Message>m</Message></Error></DeleteResult>";
    let server = Scripted::new(vec![answer("200 OK", "", body)]);
    assert_eq!(server.prefix.delete("x", &Unguarded).await.unwrap_err().class, ErrorClass::Other);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_worth_another_attempt() {
    let server = Scripted::new(vec![]);
    let error = server.prefix.get("k").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::TryAgain, "{error}");
    assert_eq!(server.seen.count(RequestKind::Get), 3);
}
