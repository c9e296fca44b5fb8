//! The stores of a plan by what they are assumed to do: places that share a profile stand together.

use rechunk_common::{cost_profile::CostProfile, plan::CostBasis};

/// Each profile once, with the places that have it: `source, target`.
pub(super) fn stores(basis: &CostBasis, has_temp: bool) -> Vec<(String, &CostProfile)> {
    let mut stores: Vec<(String, &CostProfile)> = Vec::new();
    let temp = has_temp.then_some(("temporary", &basis.temp));
    for (place, profile) in [("source", &basis.source), ("target", &basis.target)].into_iter().chain(temp) {
        match stores.iter_mut().find(|(_, known)| *known == profile) {
            Some((places, _)) => {
                places.push_str(", ");
                places.push_str(place);
            }
            None => stores.push((place.to_owned(), profile)),
        }
    }
    stores
}
