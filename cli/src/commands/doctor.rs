//! `rechunk doctor`: looks at what jobs will need, and says what to do about what is missing.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rechunk_common::{Refusal, RefusalCode};
use rechunk_program::CredentialArgs;
use rechunk_storage::{StoreUrl, Stores};
use serde_json::json;

use crate::{
    args::{DoctorArgs, OutputArgs, OutputFormat, connect},
    console::say,
    doctor::{Finding, Verdict, examine, of_workers},
    failure::Failure,
    machine::store_config,
};

/// Examines, prints every finding, and fails where one is bad.
pub(crate) async fn run(args: &DoctorArgs, output: &OutputArgs) -> Result<(), Failure> {
    let mut findings = Vec::new();
    match store_config(&args.stores) {
        Ok(config) => {
            let said = match &args.stores.config {
                Some(file) => format!("{}: {} [[stores]] tables", file.display(), config.profiles().len()),
                None => "no --config: stores as the AWS command line sees them".to_owned(),
            };
            findings.push(Finding::good("configuration", said));
            examine_places(args, &Stores::new(config), &mut findings).await;
        }
        Err(failure) => findings.push(Finding::bad("configuration", failure.refusal().message.clone())),
    }
    if let Some(url) = &args.coordinator {
        findings.extend(ask_coordinator(url, &args.credentials).await);
    }
    print(&findings, output);
    let bad = findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count();
    if bad == 0 {
        return Ok(());
    }
    let message = format!("{bad} of {} checks failed", findings.len());
    Err(Failure::Unwell(Refusal::new(RefusalCode::FailedPrecondition, "CHECKS_FAILED", message)))
}

/// The places that were named, else those of the tables.
async fn examine_places(args: &DoctorArgs, stores: &Stores, findings: &mut Vec<Finding>) {
    let unique = uuid::Uuid::new_v4().simple().to_string();
    let mut places = Vec::new();
    for text in &args.places {
        match StoreUrl::parse(text) {
            Ok(url) => places.push(url),
            Err(error) => findings.push(Finding::bad(format!("open {text}"), error.to_string())),
        }
    }
    if args.places.is_empty() {
        places.extend(stores.config().profiles().iter().map(|profile| profile.prefix.clone()));
    }
    for url in &places {
        findings.extend(examine(stores, url, !args.read_only, &unique).await);
    }
    if places.is_empty() && args.places.is_empty() {
        findings.push(Finding::warning("stores", "none was looked at: name the URLs of a job, or give --config"));
    }
}

async fn ask_coordinator(url: &str, credentials: &CredentialArgs) -> Vec<Finding> {
    let check = format!("coordinator {url}");
    let workers = match connect(url, credentials, Duration::ZERO).await {
        Ok(service) => service.workers().await,
        Err(failure) => Err(failure),
    };
    match workers {
        Ok(workers) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
            let mut findings = vec![Finding::good(check, "answers")];
            findings.extend(of_workers(&workers, env!("CARGO_PKG_VERSION"), now_ms));
            findings
        }
        Err(failure) => vec![Finding::bad(check, failure.refusal().message.clone())],
    }
}

fn print(findings: &[Finding], output: &OutputArgs) {
    match output.output {
        OutputFormat::Json => {
            let row = |finding: &Finding| json!({"check": finding.check, "verdict": finding.verdict.as_str(), "message": finding.message});
            let rows: Vec<_> = findings.iter().map(row).collect();
            say!("{:#}", json!({"checks": rows}));
        }
        OutputFormat::Text => {
            for Finding { check, verdict, message } in findings {
                say!("{:<8}{check}: {message}", verdict.as_str());
            }
        }
    }
}
