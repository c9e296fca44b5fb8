//! Whom a program that calls a coordinator believes, and how it proves who it is.

use std::path::PathBuf;

use clap::Args;
use rechunk_proto::client::{CredentialFiles, Credentials};

use crate::Failure;

/// Flags of a program that calls a coordinator. A token itself is no flag, because other users of the machine see those:
/// it stands in a file, or in RECHUNK_TOKEN.
#[derive(Debug, Clone, Default, Args)]
pub struct CredentialArgs {
    /// PEM file with the authorities that a coordinator's certificate may be of [default: those of this machine]
    #[arg(long, value_name = "FILE", env = CredentialFiles::AUTHORITIES)]
    pub tls_ca: Option<PathBuf>,
    /// PEM file with our own certificate, where the coordinator asks for one
    #[arg(long, value_name = "FILE", env = CredentialFiles::CERTIFICATE, requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// PEM file with its key
    #[arg(long, value_name = "FILE", env = CredentialFiles::KEY, requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// File with our token, where the coordinator asks for one [default: what RECHUNK_TOKEN holds]
    #[arg(long, value_name = "FILE", env = CredentialFiles::TOKEN_FILE)]
    pub token_file: Option<PathBuf>,
}

impl CredentialArgs {
    /// Where they are.
    pub fn files(&self) -> CredentialFiles {
        let Self { tls_ca, tls_cert, tls_key, token_file } = self.clone();
        CredentialFiles { authorities: tls_ca, certificate: tls_cert, key: tls_key, token: token_file }
    }

    /// Reads the files. Called once, when the program starts.
    pub fn read(&self) -> Result<Credentials, Failure> {
        self.files().read().map_err(|error| Failure::wrong(error.to_string()))
    }
}
