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
fn the_codes_of_azure_and_gcs_are_understood() {
    use ErrorClass::{Denied, Invalid, Missing, TryAgain};
    assert_eq!(classify(&answered(404, Some("BlobNotFound"))), Cause::Absent);
    for (status, code, expected) in [
        (404, "ContainerNotFound", Missing),
        (409, "ContainerBeingDeleted", Missing),
        (409, "PublicAccessNotPermitted", Denied),
        (403, "AuthorizationPermissionMismatch", Denied),
        (403, "AuthenticationFailed", Denied),
        (409, "InvalidBlobType", Invalid),
        (500, "OperationTimedOut", TryAgain),
        (503, "ServerBusy", TryAgain),
        (429, "SlowDown", TryAgain),
        (404, "NoSuchBucket", Missing),
    ] {
        assert_eq!(class(&answered(status, Some(code))), expected, "{status} {code}");
    }
    assert_eq!(Fault::from(classify(&answered(400, Some("InvalidBlockList")))).hint, Hint::UploadGone);
    let refused = HttpError::new(HttpErrorKind::Unknown, LoginRefused { status: 400 });
    let error = StoreError::Generic { store: "GCS", source: Box::new(refused) };
    assert_eq!(class(&error), Denied, "who gives out tokens says so with status 400");
}

#[test]
fn who_has_no_credentials_is_told_what_the_store_takes() {
    for (store, word) in [("S3", "AWS_PROFILE"), ("GCS", "gcloud"), ("MicrosoftAzure", "az login")] {
        let nobody = HttpError::new(HttpErrorKind::Unknown, NoCredentials);
        let fault = Fault::from(classify(&StoreError::Generic { store, source: Box::new(nobody) }));
        assert_eq!(fault.class, ErrorClass::Denied);
        assert!(fault.message.contains(word), "{fault:?}");
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
    for (status, expected) in [(403, ErrorClass::Denied), (503, ErrorClass::TryAgain)] {
        let text = format!("Bulk delete request failed for key a/b: no (code: {status})");
        let error = StoreError::Generic { store: "MicrosoftAzure", source: text.into() };
        assert_eq!(class(&error), expected, "on Azure the status is said");
    }
}

#[test]
fn messages_are_one_line_without_query_strings() {
    assert_eq!(one_line("a\n  b https://h/k?X-Amz-Signature=s3cr3t c."), "a b https://h/k c");
    assert_eq!(one_line("x".repeat(1000)).chars().count(), MAX_MESSAGE + 1);
}
