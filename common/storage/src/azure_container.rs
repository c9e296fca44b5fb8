//! How URLs name a container of Azure: alone (`az://container/key`), or with the account that it is in
//! (`abfs://container@account.dfs.core.windows.net/key`).
//!
//! Whose cloud a host is in is checked: credentials are sent to it.

/// What hosts of storage accounts end in.
const CLOUDS: [&str; 3] = ["core.windows.net", "core.chinacloudapi.cn", "core.usgovcloudapi.net"];

/// The host of an account in its one form, from `account`, `account.dfs.…` or `account.blob.…`.
pub(crate) fn host(text: &str) -> Result<String, &'static str> {
    let (account, rest) = text.split_once('.').unwrap_or((text, ""));
    let is_account = (3..=24).contains(&account.len())
        && account.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !is_account {
        return Err("after the @ stands a storage account: 3 to 24 small letters and digits");
    }
    let cloud = match rest {
        "" => CLOUDS.first().copied(),
        rest => {
            let cloud = rest.strip_prefix("dfs.").or_else(|| rest.strip_prefix("blob."));
            CLOUDS.into_iter().find(|known| cloud == Some(*known))
        }
    };
    match cloud {
        Some(cloud) => Ok(format!("{account}.dfs.{cloud}")),
        None => Err("after the @ stands ACCOUNT.dfs.core.windows.net; another endpoint goes into a store profile"),
    }
}

/// The parts of a container as a URL holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Named<'a> {
    pub(crate) container: &'a str,
    /// The account, where the URL names it.
    pub(crate) account: Option<&'a str>,
    /// The cloud that the account is in.
    pub(crate) cloud: &'a str,
}

/// Takes a container apart.
pub(crate) fn named(text: &str) -> Named<'_> {
    let usual = CLOUDS.first().copied().unwrap_or_default();
    match text.split_once('@') {
        None => Named { container: text, account: None, cloud: usual },
        Some((container, host)) => {
            let (account, cloud) = host.split_once(".dfs.").unwrap_or((host, usual));
            Named { container, account: Some(account), cloud }
        }
    }
}

/// Whether two may be one container: one of them does not say its account.
pub(crate) fn may_be_one(left: &str, right: &str) -> bool {
    let (left, right) = (named(left), named(right));
    left.container == right.container && (left.account.is_none() || right.account.is_none() || left == right)
}
