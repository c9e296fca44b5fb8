//! Who may call: certificates of both sides, and tokens.

use std::{collections::HashMap, error::Error, fmt, sync::Arc};

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{SHA256, digest},
};
use rechunk_proto::status::unauthenticated;
use tonic::{
    Request, Status,
    service::Interceptor,
    transport::{Certificate, Identity, Server, ServerTlsConfig},
};

/// Bytes of a token at the least: shorter ones can be guessed.
const SHORTEST_TOKEN: usize = 16;

/// Who may call. By default anybody, over connections that anybody can read.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// Connections are encrypted.
    pub tls: Option<ServerTls>,
    /// Users have one of these tokens.
    pub users: Option<Tokens>,
    /// Workers have one of these tokens.
    pub workers: Option<Tokens>,
}

/// The coordinator's certificate, and whose certificates workers must have.
#[derive(Clone)]
pub struct ServerTls {
    identity: Identity,
    worker_authorities: Option<Certificate>,
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls")
            .field("worker_authorities", &self.worker_authorities.is_some())
            .finish_non_exhaustive()
    }
}

impl ServerTls {
    /// Of PEM texts: the certificate and those between it and its authority, its key, and the authorities of workers'
    /// certificates. `Err`: they are none, or do not fit together.
    pub fn of_pem(certificate: &[u8], key: &[u8], worker_authorities: Option<&[u8]>) -> Result<Self, BadCertificates> {
        let tls = Self {
            identity: Identity::from_pem(certificate, key),
            worker_authorities: worker_authorities.map(Certificate::from_pem),
        };
        // Read for the first time here, before anything is begun.
        let read = Server::builder().tls_config(tls.config(true));
        read.map_err(|error| BadCertificates(last_cause(&error)))?;
        Ok(tls)
    }

    /// For a listener; `for_workers`: workers connect there, and show their certificate where that is asked for.
    pub(super) fn config(&self, for_workers: bool) -> ServerTlsConfig {
        let config = ServerTlsConfig::new().identity(self.identity.clone());
        match self.worker_authorities.clone().filter(|_| for_workers) {
            Some(authorities) => config.client_ca_root(authorities),
            None => config,
        }
    }
}

/// Certificates or a key that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the certificates or the key cannot be used: {0}")]
pub struct BadCertificates(String);

fn last_cause(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), last_cause)
}

/// Tokens and whose they are. Only their digests are kept.
#[derive(Clone)]
pub struct Tokens {
    holders: Arc<Vec<Holder>>,
}

struct Holder {
    name: String,
    digest: [u8; 32],
}

/// A list of tokens that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTokens {
    /// A line is not a name and a token.
    #[error("line {0} is not a name, a space and a token")]
    Line(usize),
    /// It can be guessed.
    #[error("line {0}: a token has at least {SHORTEST_TOKEN} characters")]
    Short(usize),
    /// Whose token it is would be open.
    #[error("line {0}: that token is {1}'s already")]
    Twice(usize, String),
    /// Nobody could call.
    #[error("there is no token in it")]
    None,
}

impl Tokens {
    /// Of a text: on each line a name, a space and a token; empty lines and those that begin with `#` say nothing. A name
    /// may have several tokens, so that one can be changed while both are good.
    pub fn parse(text: &str) -> Result<Self, BadTokens> {
        let mut holders: Vec<Holder> = Vec::new();
        let mut names: HashMap<[u8; 32], String> = HashMap::new();
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut words = line.split_whitespace();
            let (Some(name), Some(token), None) = (words.next(), words.next(), words.next()) else {
                return Err(BadTokens::Line(number));
            };
            if token.len() < SHORTEST_TOKEN {
                return Err(BadTokens::Short(number));
            }
            let digest = digest_of(token);
            if let Some(other) = names.insert(digest, name.to_owned()) {
                return Err(BadTokens::Twice(number, other));
            }
            holders.push(Holder { name: name.to_owned(), digest });
        }
        if holders.is_empty() { Err(BadTokens::None) } else { Ok(Self { holders: Arc::new(holders) }) }
    }

    /// Whose token it is. Digests are compared, so that the time it takes says nothing of any token.
    fn holder(&self, token: &str) -> Option<&str> {
        let digest = digest_of(token);
        let is_it = |holder: &&Holder| verify_slices_are_equal(&holder.digest, &digest).is_ok();
        self.holders.iter().find(is_it).map(|holder| holder.name.as_str())
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.holders.iter().map(|holder| &holder.name)).finish()
    }
}

fn digest_of(token: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    bytes
}

/// Whose call it is, where tokens are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller(pub(super) String);

/// Lets a call through that has one of the tokens; any call where there are none.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    tokens: Option<Tokens>,
}

impl Guard {
    pub(super) fn new(tokens: Option<Tokens>) -> Self {
        Self { tokens }
    }
}

impl Interceptor for Guard {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let Some(tokens) = &self.tokens else { return Ok(request) };
        let refuse = |reason, message| Err(unauthenticated(reason, message));
        let Some(header) = request.metadata().get("authorization") else {
            return refuse(
                "TOKEN_MISSING",
                "this coordinator asks for a token: set RECHUNK_TOKEN_FILE or RECHUNK_TOKEN",
            );
        };
        let token = header.to_str().ok().and_then(|header| header.split_once(' '));
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some(name) = token.and_then(|(_, token)| tokens.holder(token.trim())) else {
            return refuse(
                "TOKEN_UNKNOWN",
                "this coordinator does not know the token: ask whoever runs it for another one",
            );
        };
        let caller = Caller(name.to_owned());
        request.extensions_mut().insert(caller);
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    const ANNA: &str = "anna 0123456789abcdef0";

    fn call(tokens: Option<&str>, header: Option<&str>) -> Result<Option<Caller>, Status> {
        let mut guard = Guard::new(tokens.map(|text| Tokens::parse(text).expect("tokens")));
        let mut request = Request::new(());
        if let Some(header) = header {
            request.metadata_mut().insert("authorization", header.parse().expect("a header"));
        }
        guard.call(request).map(|request| request.extensions().get::<Caller>().cloned())
    }

    #[test]
    fn a_call_with_a_token_is_its_holders() {
        let lists = format!("# people\n\n{ANNA}\nben fedcba9876543210\nanna new-token-of-anna\n");
        for (header, name) in [
            ("Bearer 0123456789abcdef0", "anna"),
            ("bearer fedcba9876543210", "ben"),
            ("Bearer new-token-of-anna", "anna"),
        ] {
            assert_eq!(call(Some(&lists), Some(header)).expect("let through"), Some(Caller(name.to_owned())));
        }
        assert_eq!(call(None, None).expect("let through"), None);
    }

    #[test]
    fn a_call_without_a_known_token_is_not_let_through() {
        for (header, reason) in [
            (None, "TOKEN_MISSING"),
            (Some("Bearer 0123456789abcdef"), "TOKEN_UNKNOWN"),
            (Some("Bearer"), "TOKEN_UNKNOWN"),
            (Some("Basic 0123456789abcdef0"), "TOKEN_UNKNOWN"),
            (Some("Bearer anna"), "TOKEN_UNKNOWN"),
        ] {
            let status = call(Some(ANNA), header).expect_err("refused");
            assert_eq!(status.code(), Code::Unauthenticated);
            let refusal = rechunk_proto::status::from_status(&status);
            assert_eq!(refusal.reason, reason, "{header:?}");
            assert!(!status.message().contains("0123"), "{status:?}");
        }
    }

    #[test]
    fn a_list_that_cannot_be_used_is_refused_with_its_line() {
        for (text, bad) in [
            ("", BadTokens::None),
            ("# nobody", BadTokens::None),
            ("\nanna", BadTokens::Line(2)),
            ("anna two words-of-a-token", BadTokens::Line(1)),
            ("anna short", BadTokens::Short(1)),
            ("anna 0123456789abcdef\nben 0123456789abcdef", BadTokens::Twice(2, "anna".to_owned())),
        ] {
            assert_eq!(Tokens::parse(text).expect_err(text), bad);
        }
    }

    #[test]
    fn a_token_is_never_shown() {
        let tokens = Tokens::parse(ANNA).expect("tokens");
        let security = Security { users: Some(tokens), ..Security::default() };
        let shown = format!("{security:?}");
        assert!(shown.contains("anna") && !shown.contains("0123"), "{shown}");
    }
}
