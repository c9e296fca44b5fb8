//! Clients of Azure Blob Storage: account, endpoint and credentials put together. Sends nothing.

use std::sync::Arc;

use object_store::azure::{AzureConfigKey, MicrosoftAzure, MicrosoftAzureBuilder};

use crate::{
    azure_container::{self, Named},
    azure_environment::{self, Account, Identity, Secret},
    client::{needed_variable, no_retries, options, other_store, parse_endpoint},
    config::StoreConfig,
    error::{ErrorClass, Fault, Operation, StorageError},
    http::StatusConnector,
    profile::{Credentials, StoreSettings},
    url::StoreUrl,
};

/// A client for the container of `url`.
pub(crate) fn azure(
    url: &StoreUrl,
    settings: &StoreSettings,
    config: &StoreConfig,
) -> Result<Arc<MicrosoftAzure>, StorageError> {
    build(url.container(), settings, config).map_err(|fault| fault.of(Operation::Open, url))
}

fn build(container: &str, settings: &StoreSettings, config: &StoreConfig) -> Result<Arc<MicrosoftAzure>, Fault> {
    let read = |name: &str| (config.variables)(name).filter(|value| !value.is_empty());
    let named = azure_container::named(container);
    let known = match &settings.credentials {
        Credentials::Azure { secret, variable } => {
            azure_environment::account_of(*secret, needed_variable(&read, variable)?)?
        }
        Credentials::Environment => azure_environment::account(&read)?,
        Credentials::File { .. } => return Err(other_store("a file")),
        Credentials::Variables { .. } => return Err(other_store("S3")),
    };
    let account = choose(named, settings, known)?;
    let name = account.name.unwrap_or_default();
    let usual = || format!("https://{name}.blob.{}", named.cloud);
    let endpoint = parse_endpoint(&account.endpoint.unwrap_or_else(usual))?;
    let builder = MicrosoftAzureBuilder::new()
        .with_account(&name)
        .with_container_name(named.container)
        .with_endpoint(endpoint.as_str().trim_end_matches('/').to_owned())
        .with_client_options(options(endpoint.scheme() == "http"))
        .with_retry(no_retries())
        .with_http_connector(StatusConnector::default());
    let builder = match (settings.anonymous, account.secret) {
        (true, _) => builder.with_skip_signature(true),
        (false, Some(Secret::Key(key))) => builder.with_access_key(key),
        (false, Some(Secret::Sas(sas))) => builder.with_config(AzureConfigKey::SasKey, sas),
        (false, None) => with_identity(builder, azure_environment::identity(&read)),
    };
    // What is wrong with a secret may repeat it.
    let client = builder.build();
    client.map(Arc::new).map_err(|_| Fault::new(ErrorClass::Denied, "the key or signature of the account is not valid"))
}

/// The account of a container: as the URL says, else the store profile, else what `known` came with.
fn choose(named: Named<'_>, settings: &StoreSettings, known: Account) -> Result<Account, Fault> {
    let wanted = named.account.map(str::to_owned).or_else(|| settings.account.clone());
    let known = match (&wanted, &known.name) {
        (Some(wanted), Some(name)) if wanted != name => {
            if known.secret.is_some() && !settings.anonymous {
                let message = format!("the credentials at hand are those of the account {name}, not of {wanted}");
                return Err(Fault::new(ErrorClass::Denied, message));
            }
            Account::default()
        }
        _ => known,
    };
    let endpoint = settings.endpoint.clone().or(known.endpoint);
    // Behind an endpoint of its own the name only says whose key it is.
    let name = wanted.or(known.name).or_else(|| endpoint.as_deref().and_then(account_of_endpoint));
    match name {
        Some(name) => Ok(Account { name: Some(name), endpoint, secret: known.secret }),
        None => Err(Fault::new(
            ErrorClass::Invalid,
            "no storage account is named; write abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/… or set \
             AZURE_STORAGE_ACCOUNT",
        )),
    }
}

/// The account in an endpoint: its host's first label, or its path.
fn account_of_endpoint(endpoint: &str) -> Option<String> {
    let url = parse_endpoint(endpoint).ok()?;
    let path = url.path().trim_matches('/');
    let name = if path.is_empty() { url.domain()?.split('.').next()? } else { path };
    Some(name.to_owned())
}

fn with_identity(builder: MicrosoftAzureBuilder, identity: Identity) -> MicrosoftAzureBuilder {
    let with = |builder: MicrosoftAzureBuilder, key, value: Option<String>| match value {
        Some(value) => builder.with_config(key, value),
        None => builder,
    };
    match identity {
        Identity::Workload { client, tenant, token_file, authority } => {
            let builder = builder.with_client_id(client).with_tenant_id(tenant).with_federated_token_file(token_file);
            with(builder, AzureConfigKey::AuthorityHost, authority)
        }
        Identity::Application { client, tenant, secret, authority } => {
            let builder = builder.with_client_secret_authorization(client, secret, tenant);
            with(builder, AzureConfigKey::AuthorityHost, authority)
        }
        Identity::CommandLine => builder.with_use_azure_cli(true),
        Identity::Managed { client, endpoint } => {
            let builder = with(builder, AzureConfigKey::ClientId, client);
            with(builder, AzureConfigKey::MsiEndpoint, endpoint)
        }
    }
}

#[cfg(test)]
#[path = "azure_client_tests.rs"]
mod tests;
