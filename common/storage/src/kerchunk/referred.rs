//! Where the data of a place really lies.

use std::sync::Arc;

use crate::{
    error::{ErrorClass, Operation, StorageError},
    prefix::Prefix,
    url::StoreUrl,
};

/// What the keys of a place refer to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Referred {
    /// One object; `None`: the place is in no index, or all data is in it.
    pub example: Option<StoreUrl>,
    /// An object that is, lies in or contains a place that it must be apart from, and that place.
    pub overlap: Option<(StoreUrl, StoreUrl)>,
}

impl Prefix {
    /// Looks at every object that the index of references at this place refers to below `keys`. One that may not be
    /// read is an error that names it; one that overlaps a place of `apart`, or may do so, is told of.
    pub async fn referred(&self, keys: &[&str], apart: Vec<StoreUrl>) -> Result<Referred, StorageError> {
        let Some(references) = self.place.references.clone() else { return Ok(Referred::default()) };
        let path = |key: &&str| self.directory_of(key, Operation::Read).map(|path| path.to_string());
        let keys: Vec<String> = keys.iter().map(path).collect::<Result<_, _>>()?;
        let index = Arc::clone(&references.load().await?.index);
        let url = self.url().clone();
        let looked = tokio::task::spawn_blocking(move || {
            let below: Vec<_> = keys.iter().map(|key| index.below(key)).collect();
            let mut referred = Referred::default();
            for text in index.urls(&below) {
                let object = references.permitted(text)?;
                if let Some(place) = apart.iter().find(|place| place.overlaps(&object)) {
                    referred.overlap.get_or_insert((object.clone(), place.clone()));
                }
                referred.example.get_or_insert(object);
            }
            Ok(referred)
        });
        looked.await.unwrap_or_else(|_| {
            let message = "looking at what it refers to broke off";
            Err(StorageError::new(ErrorClass::Other, Operation::Read, url, message))
        })
    }
}
