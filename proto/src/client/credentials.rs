//! Whom a client believes, and how it proves who it is. Read once, never shown.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rechunk_common::Refusal;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::Interceptor,
    transport::{Certificate, ClientTlsConfig, Identity},
};

/// Where credentials are: files, but for a token that stands in the environment. Nothing of it is needed where a
/// coordinator asks for none, and its certificate is of an authority that this machine knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CredentialFiles {
    /// PEM: the authorities whose certificates a coordinator may have; `None`: those of this machine.
    pub authorities: Option<PathBuf>,
    /// PEM: our own certificate, and those between it and its authority.
    pub certificate: Option<PathBuf>,
    /// PEM: the key of our certificate.
    pub key: Option<PathBuf>,
    /// A file that holds a token and nothing else.
    pub token: Option<PathBuf>,
}

impl CredentialFiles {
    /// Names [`authorities`](Self::authorities) in the environment.
    pub const AUTHORITIES: &str = "RECHUNK_TLS_CA";
    /// Names [`certificate`](Self::certificate) in the environment.
    pub const CERTIFICATE: &str = "RECHUNK_TLS_CERT";
    /// Names [`key`](Self::key) in the environment.
    pub const KEY: &str = "RECHUNK_TLS_KEY";
    /// Names [`token`](Self::token) in the environment.
    pub const TOKEN_FILE: &str = "RECHUNK_TOKEN_FILE";
    /// Holds a token itself in the environment, for where there is no file. An argument of a program never does: others
    /// see those.
    pub const TOKEN: &str = "RECHUNK_TOKEN";

    /// What the environment names.
    pub fn of_environment() -> Self {
        let path = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            authorities: path(Self::AUTHORITIES),
            certificate: path(Self::CERTIFICATE),
            key: path(Self::KEY),
            token: path(Self::TOKEN_FILE),
        }
    }

    /// Reads them, and a token from the environment where no file is named. Called when a program starts: it may block.
    pub fn read(&self) -> Result<Credentials, BadCredentials> {
        let identity = match (&self.certificate, &self.key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(Identity::from_pem(bytes(certificate)?, bytes(key)?)),
            (Some(_), None) | (None, Some(_)) => return Err(BadCredentials::Half),
        };
        let in_environment = || std::env::var(Self::TOKEN).ok().filter(|token| !token.is_empty());
        let token = match &self.token {
            Some(file) => Some(text(file)?),
            None => in_environment(),
        };
        let held = Held {
            authorities: self.authorities.as_deref().map(bytes).transpose()?.map(Certificate::from_pem),
            identity,
            token: token.map(|token| Token::new(token.trim())).transpose()?,
        };
        Ok(Credentials { held: Arc::new(held) })
    }
}

fn bytes(file: &Path) -> Result<Vec<u8>, BadCredentials> {
    std::fs::read(file).map_err(|error| BadCredentials::Unreadable { file: file.to_owned(), why: error.to_string() })
}

fn text(file: &Path) -> Result<String, BadCredentials> {
    let not_text = |_| BadCredentials::Unreadable { file: file.to_owned(), why: "it is no text".to_owned() };
    String::from_utf8(bytes(file)?).map_err(not_text)
}

/// Credentials that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCredentials {
    /// A file can't be read.
    #[error("{} cannot be read: {why}", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// A certificate without its key, or a key without its certificate.
    #[error("a certificate and its key come together: name both, or neither")]
    Half,
    /// It could not stand in a header.
    #[error("the token is empty, or has characters that no token has")]
    Token,
}

impl From<BadCredentials> for Refusal {
    fn from(error: BadCredentials) -> Self {
        Self::invalid("credentials", "BAD_CREDENTIALS", error.to_string())
    }
}

/// Whom a client believes, and how it proves who it is. By default: whom this machine believes, and not at all.
#[derive(Clone, Default)]
pub struct Credentials {
    held: Arc<Held>,
}

#[derive(Default)]
struct Held {
    authorities: Option<Certificate>,
    identity: Option<Identity>,
    token: Option<Token>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("authorities", &self.held.authorities.is_some())
            .field("identity", &self.held.identity.is_some())
            .field("token", &self.held.token)
            .finish()
    }
}

impl Credentials {
    /// Whether there is something that may only travel encrypted.
    pub(super) fn have_token(&self) -> bool {
        self.held.token.is_some()
    }

    /// What stands in each call.
    pub(super) fn bearer(&self) -> Bearer {
        Bearer { token: self.held.token.clone() }
    }

    pub(super) fn tls(&self) -> ClientTlsConfig {
        let tls = match &self.held.authorities {
            Some(authorities) => ClientTlsConfig::new().ca_certificate(authorities.clone()),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        match &self.held.identity {
            Some(identity) => tls.identity(identity.clone()),
            None => tls,
        }
    }
}

/// A token as a header has it.
#[derive(Clone)]
struct Token(MetadataValue<Ascii>);

impl Token {
    fn new(token: &str) -> Result<Self, BadCredentials> {
        if token.is_empty() || token.contains(char::is_whitespace) {
            return Err(BadCredentials::Token);
        }
        let mut header: MetadataValue<Ascii> =
            format!("Bearer {token}").parse().map_err(|_unusable| BadCredentials::Token)?;
        header.set_sensitive(true);
        Ok(Self(header))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Puts the token into each call.
#[derive(Debug, Clone)]
pub(super) struct Bearer {
    token: Option<Token>,
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(Token(header)) = &self.token {
            request.metadata_mut().insert("authorization", header.clone());
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_shown() {
        let token = Some(Token::new("very-secret-token").expect("a token"));
        let credentials = Credentials { held: Arc::new(Held { token, ..Held::default() }) };
        assert!(!format!("{credentials:?} {:?}", credentials.bearer()).contains("secret"));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for wrong in ["", "two words", "line\nfeed", "naïve\u{7f}"] {
            assert_eq!(Token::new(wrong).err(), Some(BadCredentials::Token), "{wrong:?}");
        }
    }

    #[test]
    fn a_certificate_without_its_key_is_refused_and_a_missing_file_is_named() {
        let half = CredentialFiles { certificate: Some("cert.pem".into()), ..CredentialFiles::default() };
        assert_eq!(half.read().err(), Some(BadCredentials::Half));
        let missing = CredentialFiles { authorities: Some("/no/such/ca.pem".into()), ..CredentialFiles::default() };
        let said = missing.read().err().map(|error| error.to_string()).unwrap_or_default();
        assert!(said.starts_with("/no/such/ca.pem cannot be read: "), "{said}");
    }
}
