//! Who may ask: key pairs, of which one can expire or be revoked, and be good again.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use s3s::{
    S3Error, S3ErrorCode, S3Result,
    auth::{S3Auth, SecretKey, SimpleAuth},
};

/// What is wrong with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The session that it belongs to is over: `ExpiredToken`.
    Expired,
    /// It was rotated away: `InvalidAccessKeyId`.
    Revoked,
}

/// The key pairs that are known.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    known: Arc<SimpleAuth>,
    ended: Arc<Mutex<BTreeMap<String, Ended>>>,
    refused: Arc<AtomicU64>,
}

impl Keys {
    pub(crate) fn new(pairs: &[(&str, &str)]) -> Self {
        let mut known = SimpleAuth::new();
        for (key, secret) in pairs {
            known.register((*key).to_owned(), SecretKey::from(*secret));
        }
        Self { known: Arc::new(known), ended: Arc::default(), refused: Arc::default() }
    }

    /// From now on requests with `key` are refused; `None`: are answered again.
    pub(crate) fn set(&self, key: &str, ended: Option<Ended>) {
        let mut all = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        match ended {
            Some(ended) => all.insert(key.to_owned(), ended),
            None => all.remove(key),
        };
    }

    /// How many requests were refused because their key had ended.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, key: &str) -> S3Result<SecretKey> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied();
        let refused = |code: S3ErrorCode| {
            self.refused.fetch_add(1, Ordering::Relaxed);
            Err(S3Error::new(code))
        };
        match ended {
            Some(Ended::Expired) => refused(S3ErrorCode::ExpiredToken),
            Some(Ended::Revoked) => refused(S3ErrorCode::InvalidAccessKeyId),
            None => match self.known.lookup(key) {
                Some(secret) => Ok(secret.clone()),
                None => Err(S3Error::new(S3ErrorCode::InvalidAccessKeyId)),
            },
        }
    }
}
