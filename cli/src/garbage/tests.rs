//! What is taken for left behind, and what is not.

use super::*;

const ID: &str = "job-0123456789ab";
const DAY_MS: u64 = 86_400_000;
const DAY: Duration = Duration::from_hours(24);

fn url(text: &str) -> StoreUrl {
    StoreUrl::parse(text).expect("a URL")
}

fn space(name: &str) -> Space {
    Space::named(&url("s3://b/d"), name).expect("a space")
}

fn holding(space: &Space, objects: &[(&str, u64)]) -> Contents {
    let mut contents = Contents::default();
    for (key, modified_ms) in objects {
        space.note(&mut contents, (*key).to_owned(), 10, *modified_ms);
    }
    contents
}

#[test]
fn a_space_is_known_by_its_name_alone() {
    let beside = space(".rechunk-job-0123456789ab");
    assert_eq!((beside.job.as_str(), beside.url.to_string().as_str()), (ID, "s3://b/d/.rechunk-job-0123456789ab"));
    assert_eq!(space(ID).job.as_str(), ID);
    for other in
        ["job-0123456789a", "job-0123456789abc", "job-0123456789AB", "rechunk-job-0123456789ab", "a.zarr", ".rechunk-"]
    {
        assert_eq!(Space::named(&url("s3://b/d"), other), None, "{other}");
    }
}

#[test]
fn only_what_a_job_lets_go_for_good_is_removed_whatever_its_age() {
    let space = space(ID);
    let contents = holding(&space, &[("0/0/1/7", 0)]);
    let judge = |standing| judge(Word::Known(standing), &contents, 9 * DAY_MS, Some(DAY));
    assert_eq!(judge(TempStanding::InUse), Verdict::Keep(Needed::InUse));
    assert_eq!(judge(TempStanding::Kept), Verdict::Keep(Needed::Kept));
    assert_eq!(judge(TempStanding::Released), Verdict::Remove(LeftBehind::Released));
}

#[test]
fn what_is_unknown_stays_unless_an_age_is_given_and_its_youngest_object_has_it() {
    let space = space(ID);
    let contents = holding(&space, &[("0/0/1/7", DAY_MS), ("0/0/1/8", 3 * DAY_MS), ("0/0/1/9", 2 * DAY_MS)]);
    let at = |now_ms, age| judge(Word::Unknown, &contents, now_ms, age);
    assert_eq!(at(9 * DAY_MS, None), Verdict::Keep(Needed::Unknown));
    assert_eq!(at(4 * DAY_MS - 1, Some(DAY)), Verdict::Keep(Needed::Young));
    assert_eq!(at(4 * DAY_MS, Some(DAY)), Verdict::Remove(LeftBehind::Old));
    assert_eq!(at(0, Some(DAY)), Verdict::Keep(Needed::Young), "a store whose clock is ahead");
    assert_eq!(judge(Word::Unknown, &Contents::default(), 9 * DAY_MS, Some(DAY)), Verdict::Keep(Needed::Young));
}

#[test]
fn a_space_with_anything_that_is_not_ours_stays() {
    let (beside, asked) = (space(".rechunk-job-0123456789ab"), space(ID));
    for (space, key, is_ours) in [
        (&beside, "job-0123456789ab/0/presence/0", true),
        (&beside, "job-0123456789ab/12/0/3/7", true),
        (&beside, "0/0/3/7", false),
        (&beside, "job-0123456789ac/0/7", false),
        (&beside, "zarr.json", false),
        (&asked, "0/presence/0", true),
        (&asked, "c/0/0", false),
        (&asked, "0", false),
        (&asked, "zarr.json", false),
    ] {
        let contents = holding(space, &[(key, 0)]);
        let verdict = judge(Word::Known(TempStanding::Released), &contents, DAY_MS, None);
        assert_eq!(verdict.removes(), is_ours, "{key} in {}", space.url);
    }
}

#[test]
fn the_places_of_a_coordinators_jobs_are_those_that_hold_their_spaces() {
    let place = |temp: &str| place_of(&JobId::from(ID), &url(temp)).map(|url| url.to_string());
    assert_eq!(place("s3://b/d/.rechunk-job-0123456789ab/job-0123456789ab/0").as_deref(), Some("s3://b/d"));
    assert_eq!(place("s3://b/job-0123456789ab/0").as_deref(), Some("s3://b"));
    assert_eq!(place("s3://b/d/job-ffffffffffff/0"), None, "another job's");
}
