//! The flags that say who may call.

use std::path::{Path, PathBuf};

use clap::Args;
use rechunk_coordinator::services::{Security, ServerTls, Tokens};
use rechunk_program::Failure;

/// Who may call: by default anybody. The files are read once; after a change the coordinator is started again, which no job
/// minds.
#[derive(Debug, Args)]
pub(crate) struct SecurityArgs {
    /// PEM file with the coordinator's certificate and those between it and its authority: connections are encrypted.
    #[arg(long, env = "RECHUNK_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// PEM file with its key.
    #[arg(long, env = "RECHUNK_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// PEM file with the authorities that workers' certificates are of: a worker without one is turned away. Users too,
    /// unless --listen-workers keeps them apart.
    #[arg(long, env = "RECHUNK_TLS_WORKER_CA", value_name = "FILE", requires = "tls_cert")]
    tls_worker_ca: Option<PathBuf>,

    /// A file with a name and a token on each line: users need one of them.
    #[arg(long, env = "RECHUNK_USER_TOKENS", value_name = "FILE")]
    user_tokens: Option<PathBuf>,

    /// A file with a name and a token on each line: workers need one of them.
    #[arg(long, env = "RECHUNK_WORKER_TOKENS", value_name = "FILE")]
    worker_tokens: Option<PathBuf>,
}

impl SecurityArgs {
    /// Reads the files. Called once, when the program starts.
    pub(crate) fn read(&self) -> Result<Security, Failure> {
        let users = self.user_tokens.as_deref().map(tokens).transpose()?;
        let workers = self.worker_tokens.as_deref().map(tokens).transpose()?;
        let Some((certificate, key)) = self.tls_cert.as_deref().zip(self.tls_key.as_deref()) else {
            if users.is_some() || workers.is_some() {
                tracing::warn!(
                    "tokens are asked for and connections are not encrypted: give --tls-cert and --tls-key, or let \
                                something in front do it"
                );
            }
            return Ok(Security { tls: None, users, workers });
        };
        let authorities = self.tls_worker_ca.as_deref().map(read).transpose()?;
        let tls = ServerTls::of_pem(&read(certificate)?, &read(key)?, authorities.as_deref());
        let named = |error| Failure::wrong(format!("{}: {error}", certificate.display()));
        Ok(Security { tls: Some(tls.map_err(named)?), users, workers })
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| Failure::wrong(format!("{} cannot be read: {error}", file.display())))
}

fn tokens(file: &Path) -> Result<Tokens, Failure> {
    let text = String::from_utf8_lossy(&read(file)?).into_owned();
    Tokens::parse(&text).map_err(|error| Failure::wrong(format!("{}: {error}", file.display())))
}
