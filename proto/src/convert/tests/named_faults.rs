//! One wrong field at a time: the error names it and says what is wrong with it.

mod functions;
mod pipelines;
mod sessions;

use rechunk_common::{Refusal, RefusalCode, ids::JobId, limits, request::RechunkRequest};

use crate::{Fault, Problem, v1};

/// Changes a valid message and compares the fault.
fn expect<W, D>(mut message: W, field: &str, problem: Problem, change: impl FnOnce(&mut W))
where
    W: Clone,
    D: TryFrom<W> + std::fmt::Debug,
    D::Error: Into<Fault> + std::fmt::Debug,
{
    D::try_from(message.clone()).expect("the unchanged message is valid");
    change(&mut message);
    let fault: Fault = D::try_from(message).expect_err(field).into();
    assert_eq!(fault, Fault { field: field.to_owned(), problem });
}

#[test]
fn a_refusal_names_the_field_as_users_know_it() {
    let invalid = RechunkRequest::try_from(v1::SubmitRechunkRequest::default()).expect_err("empty");
    let refusal = Refusal::from(invalid);
    assert_eq!((refusal.code, refusal.field.as_deref()), (RefusalCode::InvalidArgument, Some("spec")));

    let spec = v1::RechunkSpec { source: "s3://b/a".into(), ..Default::default() };
    let refusal = Refusal::from(RechunkRequest::try_from(spec.clone()).expect_err("no target"));
    assert_eq!(refusal, Refusal::invalid("target", "FIELD_EMPTY", "invalid rechunk request: target is empty"));

    let long = "1,".repeat(8 << 20);
    let spec = v1::RechunkSpec { target: "s3://b/c".into(), chunks: vec!["1".into(), long], ..spec };
    let refusal = Refusal::from(RechunkRequest::try_from(spec).expect_err("a long spec"));
    assert_eq!(refusal.field.as_deref(), Some("chunks[1]"));
    assert_eq!(refusal.code, RefusalCode::ResourceExhausted);
    assert!(refusal.message.contains("MAX_DOCUMENT_BYTES"), "{}", refusal.message);
}

#[test]
fn a_job_id_is_neither_empty_nor_endless() {
    let of = |job_id: String| JobId::try_from(v1::GetJobRequest { job_id }).map_err(Refusal::from);
    assert_eq!(of("job-1".into()), Ok(JobId::from("job-1")));
    assert_eq!(of(String::new()).expect_err("empty").reason, "FIELD_EMPTY");
    assert_eq!(of("x".repeat(limits::MAX_NAME_BYTES + 1)).expect_err("endless").reason, "LIMIT_EXCEEDED");
}
