//! A double of S3 in this process: [`objects`] in memory, the [`protocol`] and its signatures by `s3s`, and below them
//! the [`wire`], on which everything goes wrong that a seed decides ([`faults`]).
//!
//! Requests of programs and of the test itself are signed with different keys, and only the programs' are disturbed: a
//! test looks at what is there without a fault in between.

mod asked;
mod faults;
mod keys;
mod objects;
mod protocol;
mod wire;

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rechunk_storage::{StoreConfig, Stores};
use s3s::service::S3ServiceBuilder;
use tokio::{net::TcpListener, task::JoinSet};

use self::{keys::Keys, objects::Bucket, protocol::Protocol, wire::Server};
use crate::{place::Place, s3_profile};

pub use self::{
    asked::Operation,
    faults::{Fired, WireFault, WireFaults, WireRule},
    keys::Ended,
};

const BUCKET: &str = "test";

/// Key and secret of programs.
const PROGRAM: (&str, &str) = ("rechunk-key", "rechunk-secret");

/// Key and secret of the test itself.
const TEST: (&str, &str) = ("test-key", "test-secret");

/// A running double with one bucket. Dropping it ends every connection at once.
#[derive(Debug)]
pub struct S3Double {
    address: SocketAddr,
    bucket: Arc<Mutex<Bucket>>,
    faults: Arc<WireFaults>,
    keys: Keys,
    _listening: JoinSet<()>,
}

impl S3Double {
    /// Starts one whose faults follow from `seed`; there are none until rules are added.
    pub async fn start(seed: u64) -> Self {
        let bucket = Arc::new(Mutex::new(Bucket::default()));
        let keys = Keys::new(&[PROGRAM, TEST]);
        let faults = Arc::new(WireFaults::new(seed));
        let mut service = S3ServiceBuilder::new(Protocol { name: BUCKET, bucket: Arc::clone(&bucket) });
        service.set_auth(keys.clone());
        let server =
            Server { service: service.build(), faults: Arc::clone(&faults), keys: keys.clone(), disturbed: PROGRAM.0 };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let mut listening = JoinSet::new();
        listening.spawn(listen(listener, server));
        Self { address, bucket, faults, keys, _listening: listening }
    }

    /// What programs need to use it: everything in the bucket may be read and written.
    pub fn config(&self) -> StoreConfig {
        self.config_for(PROGRAM)
    }

    fn config_for(&self, (key, secret): (&str, &str)) -> StoreConfig {
        s3_profile::config(BUCKET, self.address.port(), key, secret)
    }

    /// The same with a secret that is not the key's.
    pub fn config_with_wrong_secret(&self) -> StoreConfig {
        self.config_for((PROGRAM.0, "not the secret"))
    }

    /// The bucket as a place: its stores are the test's, which nothing disturbs, and its configuration the programs'.
    pub fn place(&self) -> Place {
        let stores = Stores::new(self.config_for(TEST));
        Place::on(&self.url("here"), stores).with_config(|_of_the_test| self.config())
    }

    /// The URL of `path` in the bucket, beside the place.
    pub fn url(&self, path: &str) -> String {
        format!("s3://{BUCKET}/{path}")
    }

    /// What goes wrong.
    pub fn faults(&self) -> &WireFaults {
        &self.faults
    }

    /// From now on the programs' key is refused; `None`: is good again.
    pub fn end_key(&self, ended: Option<Ended>) {
        self.keys.set(PROGRAM.0, ended);
    }

    /// How many requests were refused because their key had ended.
    pub fn refused_for_their_key(&self) -> u64 {
        self.keys.refused()
    }

    /// Every key in the bucket.
    pub fn keys(&self) -> BTreeSet<String> {
        self.bucket().keys()
    }

    /// The keys of uploads in parts that are under way.
    pub fn uploads(&self) -> Vec<String> {
        self.bucket().uploads().into_iter().map(|(key, _id)| key).collect()
    }

    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves every connection, until it is dropped with all of them.
async fn listen(listener: TcpListener, server: Server) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _client) = listener.accept().await.expect("a connection");
        connections.spawn(wire::serve(stream, server.clone()));
        while connections.try_join_next().is_some() {}
    }
}
