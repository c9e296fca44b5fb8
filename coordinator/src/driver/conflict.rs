//! Places that two jobs want. Pure but for the parsing of places.

use rechunk_common::{Refusal, RefusalCode};
use rechunk_storage::StoreUrl;

use crate::door::LiveSpace;

/// Refuses a job whose places overlap with taken ones, and names who took them.
pub(super) fn find(target: &str, spaces: &[String], taken: &[LiveSpace]) -> Option<Refusal> {
    spaces.iter().find_map(|place| {
        let other = taken.iter().find(|other| overlap(place, &other.url))?;
        let field = if place == target { "target" } else { "temp" };
        let message = format!(
            "{field} {place} overlaps with {}, which {} writes or has just written; wait for that job, then try again",
            other.url, other.job
        );
        Some(Refusal::new(RefusalCode::AlreadyExists, "LIVE_JOB", message).at(field))
    })
}

fn overlap(one: &str, other: &str) -> bool {
    match (StoreUrl::parse(one), StoreUrl::parse(other)) {
        (Ok(one), Ok(other)) => one.overlaps(&other),
        // The door made them; what does not parse is compared as text.
        (Ok(_) | Err(_), _) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(url: &str) -> Vec<LiveSpace> {
        vec![LiveSpace { job: "job-000000000001".into(), url: url.to_owned() }]
    }

    #[test]
    fn a_target_that_is_contains_or_lies_in_a_taken_place_is_refused_and_the_job_named() {
        let target = "memory://conflict/g/a".to_owned();
        for place in ["memory://conflict/g/a", "memory://conflict/g", "memory://conflict/g/a/b"] {
            let refusal = find(&target, std::slice::from_ref(&target), &taken(place)).expect("a refusal");
            assert_eq!(refusal.code, RefusalCode::AlreadyExists);
            assert_eq!(refusal.field.as_deref(), Some("target"));
            assert!(refusal.message.contains("job-000000000001"), "{refusal}");
        }
        for place in ["memory://conflict/g/ab", "memory://conflict/h", "memory://other/g/a"] {
            assert_eq!(find(&target, std::slice::from_ref(&target), &taken(place)), None, "{place}");
        }
    }

    #[test]
    fn a_temporary_space_is_told_from_the_target() {
        let spaces = ["memory://conflict/g/a".to_owned(), "memory://conflict/t".to_owned()];
        let refusal = find(&spaces[0], &spaces, &taken("memory://conflict/t")).expect("a refusal");
        assert_eq!(refusal.field.as_deref(), Some("temp"));
    }
}
