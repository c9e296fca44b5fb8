use std::collections::HashMap;

use proptest::prelude::*;
use rechunk_common::{Refusal, RefusalCode};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::*;

/// As it arrives: through HTTP headers.
fn sent(status: &Status) -> Status {
    let response = status.clone().into_http::<()>();
    Status::from_header_map(response.headers()).expect("a status")
}

fn refusal(code: RefusalCode) -> Refusal {
    Refusal { code, reason: "TARGET_EXISTS".into(), field: None, message: "s3://b/a is there already".into() }
}

const CODES: [RefusalCode; 8] = [
    RefusalCode::InvalidArgument,
    RefusalCode::NotFound,
    RefusalCode::AlreadyExists,
    RefusalCode::PermissionDenied,
    RefusalCode::FailedPrecondition,
    RefusalCode::ResourceExhausted,
    RefusalCode::Unavailable,
    RefusalCode::Internal,
];

proptest! {
    #[test]
    fn a_refusal_comes_back_through_the_headers(
        code in prop::sample::select(CODES.to_vec()),
        reason in "[A-Z]{2,8}_[A-Z]{2,8}",
        field in prop::option::of("[a-z]{1,8}\\[[0-9]\\]"),
        message in "\\PC{0,60}",
    ) {
        let refusal = Refusal { code, reason, field, message };
        prop_assert_eq!(from_status(&sent(&to_status(refusal.clone()))), refusal);
    }
}

#[test]
fn every_code_is_spelt_as_grpc_spells_it() {
    for code in CODES {
        let status = to_status(refusal(code));
        assert_eq!(name_of(status.code()), code.as_str());
    }
}

#[test]
fn a_status_carries_the_standard_details() {
    let status = sent(&to_status(refusal(RefusalCode::AlreadyExists).at("target")));
    let details = status.get_error_details();
    let info = details.error_info().expect("error info");
    assert_eq!((info.reason.as_str(), info.domain.as_str()), ("TARGET_EXISTS", "rechunk"));
    let violations = &details.bad_request().expect("bad request").field_violations;
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].field, "target");
    assert_eq!(violations[0].description, status.message());
}

#[test]
fn a_refusal_without_a_field_has_no_bad_request() {
    assert!(sent(&to_status(refusal(RefusalCode::NotFound))).get_details_bad_request().is_none());
}

#[test]
fn the_longest_refusal_fits_into_the_headers_that_clients_take() {
    let long = Refusal {
        code: RefusalCode::Internal,
        reason: "R".repeat(60),
        field: Some("é".repeat(10_000)),
        message: "é".repeat(10_000),
    };
    let response = to_status(long.clone()).into_http::<()>();
    let size: usize = response.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
    assert!(size < 16 << 10, "{size}");
    let back = from_status(&sent(&to_status(long)));
    assert_eq!(back.message.len(), MAX_STATUS_MESSAGE_BYTES);
    assert_eq!(back.field.map(|field| field.len()), Some(MAX_STATUS_FIELD_BYTES));
}

#[test]
fn a_status_of_someone_else_has_its_code_as_the_reason() {
    let mut details = ErrorDetails::new();
    details.set_error_info("QUOTA", "proxy.example", HashMap::new());
    let status = Status::with_error_details(Code::Unauthenticated, "who are you", details);
    let refusal = from_status(&sent(&status));
    assert_eq!(refusal, Refusal::new(RefusalCode::PermissionDenied, "UNAUTHENTICATED", "who are you"));
}

#[test]
fn unavailable_of_a_coordinator_is_an_answer_and_of_the_way_there_is_none() {
    assert!(!is_of_transport(&sent(&to_status(refusal(RefusalCode::Unavailable)))));
    assert!(is_of_transport(&Status::unavailable("no route")));
    assert!(is_of_transport(&Status::deadline_exceeded("late")));
    assert!(!is_of_transport(&Status::not_found("no such job")));
    let reset = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "reset");
    assert!(is_of_transport(&Status::from_error(Box::new(reset))));
}

#[test]
fn details_that_are_no_details_are_ignored() {
    let status =
        Status::with_details(Code::NotFound, "no such job", tonic::codegen::Bytes::from_static(b"\xff\xff\x01"));
    assert_eq!(from_status(&status), Refusal::new(RefusalCode::NotFound, "NOT_FOUND", "no such job"));
}
