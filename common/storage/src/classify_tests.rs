use object_store::Error as StoreError;

use super::*;

/// As `object_store` hands over what our connector reports: deep inside of its own errors.
fn answered(status: u16, code: Option<&str>) -> StoreError {
    let code = code.map(str::to_owned);
    let status = StatusError { status, code, bucket_region: None, retry_after: Some(Duration::from_secs(7)) };
    let http = HttpError::new(HttpErrorKind::Unknown, status);
    StoreError::Generic { store: "S3", source: Box::new(http) }
}

fn class(error: &StoreError) -> ErrorClass {
    Fault::from(classify(error)).class
}

fn io(error: io::Error) -> StoreError {
    StoreError::Generic { store: "LocalFileSystem", source: Box::new(error) }
}

#[test]
fn only_a_missing_key_is_absent() {
    assert_eq!(classify(&answered(404, None)), Cause::Absent);
    assert_eq!(classify(&answered(404, Some("NoSuchKey"))), Cause::Absent);
    assert_eq!(class(&answered(404, Some("NoSuchBucket"))), ErrorClass::Missing);
    assert_ne!(classify(&answered(404, Some("NoSuchBucket"))), Cause::Absent);
    for status in [400, 401, 403, 410, 500, 503] {
        assert_ne!(classify(&answered(status, None)), Cause::Absent, "{status}");
    }
}

#[test]
fn a_status_has_its_class_and_the_code_knows_better() {
    use ErrorClass::{Corrupt, Denied, Full, Invalid, Other, TryAgain, Unsupported};
    for (status, code, expected) in [
        (403, None, Denied),
        (401, None, Denied),
        (403, Some("SignatureDoesNotMatch"), Denied),
        (400, Some("ExpiredToken"), Denied),
        (400, Some("RequestTimeout"), TryAgain),
        (500, None, TryAgain),
        (503, Some("SlowDown"), TryAgain),
        (429, None, TryAgain),
        (409, None, TryAgain),
        (507, None, Full),
        (403, Some("QuotaExceeded"), Full),
        (416, None, Corrupt),
        (301, None, Invalid),
        (501, None, Unsupported),
        (418, None, Other),
    ] {
        assert_eq!(class(&answered(status, code)), expected, "{status} {code:?}");
    }
}

#[test]
fn only_throttling_asks_for_fewer_requests() {
    let hint = |error: &StoreError| Fault::from(classify(error)).hint;
    let retry_after = Some(Duration::from_secs(7));
    for (status, code) in [(503, Some("SlowDown")), (503, None), (429, None), (503, Some("ServiceUnavailable"))] {
        assert_eq!(hint(&answered(status, code)), Hint::Throttled { retry_after }, "{status} {code:?}");
    }
    for (status, code) in [(500, None), (502, None), (504, None), (409, None), (404, None), (403, Some("AccessDenied"))]
    {
        assert_eq!(hint(&answered(status, code)), Hint::None, "{status} {code:?}");
    }
    let text = "DeleteObjects request failed for key a/b: Slow Down (code: SlowDown)";
    let error = StoreError::Generic { store: "S3", source: text.into() };
    assert_eq!(hint(&error), Hint::Throttled { retry_after: None });
}

#[test]
fn a_transport_fault_is_worth_another_attempt() {
    for kind in [HttpErrorKind::Connect, HttpErrorKind::Timeout, HttpErrorKind::Interrupted, HttpErrorKind::Decode] {
        let http = HttpError::new(kind, io::Error::from(io::ErrorKind::ConnectionReset));
        let error = StoreError::Generic { store: "S3", source: Box::new(http) };
        assert_eq!(class(&error), ErrorClass::TryAgain, "{kind:?}");
    }
}

#[test]
fn the_operating_system_is_understood_through_every_wrapping() {
    for (errno, expected) in [
        (28, ErrorClass::Full),     // ENOSPC
        (122, ErrorClass::Full),    // EDQUOT
        (13, ErrorClass::Denied),   // EACCES
        (30, ErrorClass::Denied),   // EROFS
        (24, ErrorClass::TryAgain), // EMFILE
        (36, ErrorClass::Invalid),  // ENAMETOOLONG
        (5, ErrorClass::Other),     // EIO
    ] {
        let error = io(io::Error::other(io(io::Error::from_raw_os_error(errno))));
        assert_eq!(class(&error), expected, "{errno}");
    }
}

#[test]
fn the_code_of_one_key_of_a_bulk_deletion_decides() {
    let text = "DeleteObjects request failed for key a/b: Access Denied (code: AccessDenied)";
    assert_eq!(class(&io(io::Error::other(text))), ErrorClass::Other, "only object_store's own text is read");
    let error = StoreError::Generic { store: "S3", source: text.into() };
    assert_eq!(class(&error), ErrorClass::Denied);
}

#[test]
fn messages_are_one_line_without_query_strings() {
    assert_eq!(one_line("a\n  b https://h/k?X-Amz-Signature=s3cr3t c."), "a b https://h/k c");
    assert_eq!(one_line("x".repeat(1000)).chars().count(), MAX_MESSAGE + 1);
}
