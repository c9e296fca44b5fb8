//! Links between worker and coordinator that a test can cut.

use std::sync::Arc;

use async_trait::async_trait;
use rechunk_common::session::{SyncRequest, SyncResponse};
use rechunk_coordinator::Coordinator;
use rechunk_worker::{CoordinatorLink, LinkError};
use tokio::sync::watch;

/// A link that works until it is cut: then calls under way lose their answer, and later ones are not made.
#[derive(Clone)]
pub struct SwitchableLink {
    inner: Arc<dyn CoordinatorLink>,
    switch: LinkSwitch,
}

/// Cuts a link, and restores it. Clones cut the same one.
#[derive(Debug, Clone)]
pub struct LinkSwitch {
    is_cut: Arc<watch::Sender<bool>>,
}

impl LinkSwitch {
    fn new() -> Self {
        Self { is_cut: Arc::new(watch::Sender::new(false)) }
    }

    /// From here on nothing comes through.
    pub fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    /// From here on everything comes through.
    pub fn restore(&self) {
        self.is_cut.send_replace(false);
    }
}

impl SwitchableLink {
    /// A link through `inner`.
    pub fn new(inner: impl CoordinatorLink) -> Self {
        Self { inner: Arc::new(inner), switch: LinkSwitch::new() }
    }

    /// What cuts it.
    pub fn switch(&self) -> LinkSwitch {
        self.switch.clone()
    }
}

#[async_trait]
impl CoordinatorLink for SwitchableLink {
    async fn sync(&self, request: SyncRequest) -> Result<SyncResponse, LinkError> {
        let mut is_cut = self.switch.is_cut.subscribe();
        tokio::select! {
            biased;
            _ = is_cut.wait_for(|is_cut| *is_cut) => Err(LinkError::Unreachable("cut by the test".to_owned())),
            answer = self.inner.sync(request) => answer,
        }
    }
}

/// A link to the coordinator of the same process, without a wire.
#[derive(Clone)]
pub struct DirectLink(pub Coordinator);

#[async_trait]
impl CoordinatorLink for DirectLink {
    async fn sync(&self, request: SyncRequest) -> Result<SyncResponse, LinkError> {
        self.0.sync(request).await.map_err(|refusal| LinkError::Unreachable(refusal.to_string()))
    }
}
