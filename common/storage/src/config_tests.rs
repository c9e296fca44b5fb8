use std::time::Duration;

use rechunk_common::{cost_profile::StoreKind, request_rate::StoreRates};

use super::*;
use crate::{ErrorClass, Stores};

const SERVER: &str = r#"
    [listen]
    anything = "belongs to the program"

    [[stores]]
    prefix = "s3://data/"
    access = "read"
    region = "eu-central-1"
    anonymous = true

    [[stores]]
    prefix = "s3://data/scratch"
    access = "read-write"
    endpoint = "http://127.0.0.1:8333"
    path_style = true
    requester_pays = true
    max_concurrent_requests = 40
    max_gets_per_second = 5000
    credentials = { access_key_id_env = "A", secret_access_key_env = "B" }

    [[stores]]
    prefix = "s3://other"
    access = "read"
    credentials = "/etc/rechunk/credentials"

    [[stores]]
    prefix = "/no-such-dir/zarr"
    access = "read-write"
"#;

fn url(text: &str) -> StoreUrl {
    StoreUrl::parse(text).unwrap()
}

#[test]
fn the_tables_of_a_server_are_read_whole() {
    let config = StoreConfig::from_toml(SERVER).unwrap();
    let [data, scratch, other, local] = config.profiles() else { panic!("four tables") };
    assert_eq!(data.prefix, url("s3://data"));
    assert_eq!(
        (data.access, data.settings.anonymous, data.settings.region.as_deref()),
        (Access::Read, true, Some("eu-central-1"))
    );
    assert_eq!(data.settings.credentials, Credentials::Environment);
    assert_eq!(scratch.access, Access::ReadWrite);
    assert_eq!(scratch.settings.endpoint.as_deref(), Some("http://127.0.0.1:8333"));
    assert_eq!((scratch.settings.path_style, scratch.settings.requester_pays), (Some(true), true));
    assert_eq!(
        scratch.settings.credentials,
        Credentials::Variables { access_key_id: "A".into(), secret_access_key: "B".into(), session_token: None }
    );
    assert_eq!(
        other.settings.credentials,
        Credentials::File { path: "/etc/rechunk/credentials".into(), profile: None }
    );
    assert_eq!(local.prefix, url("/no-such-dir/zarr"));
    assert_eq!((data.limits.concurrent, scratch.limits.concurrent), (None, std::num::NonZeroU32::new(40)));
    let gets = Some(RequestRate::per_second(5000));
    assert_eq!(config.request_rates(), [StoreRates { prefix: "s3://data/scratch".to_owned(), gets, puts: None }]);
}

#[test]
fn the_longest_prefix_that_covers_a_url_decides() {
    let config = StoreConfig::from_toml(SERVER).unwrap();
    let profile = |text, access| config.grant(&url(text), access).map(|granted| granted.profile);
    assert_eq!(profile("s3://data/x", Access::Read), Ok(Some(0)));
    assert_eq!(profile("s3://data/scratch/x", Access::ReadWrite), Ok(Some(1)));
    assert_eq!(profile("s3://data/scratch", Access::Read), Ok(Some(1)));
    assert_eq!(profile("s3://data/scratchy", Access::Read), Ok(Some(0)), "by whole segments");
    assert_eq!(profile("/no-such-dir/zarr/a", Access::ReadWrite), Ok(Some(3)));
}

#[test]
fn what_no_table_covers_or_allows_is_denied_with_a_sentence() {
    let stores = Stores::new(StoreConfig::from_toml(SERVER).unwrap());
    for (text, access, reason) in [
        ("s3://elsewhere/x", Access::Read, "no store profile covers it"),
        ("/no-such-dir/x", Access::Read, "no store profile covers it"),
        ("memory://m/x", Access::Read, "no store profile covers it"),
        ("s3://data/x", Access::ReadWrite, "the store profile of s3://data allows reading only"),
    ] {
        let error = stores.open(&url(text), access).unwrap_err();
        assert_eq!(error.class, ErrorClass::Denied, "{error}");
        assert!(error.to_string().contains(reason), "{error}");
        assert!(error.to_string().starts_with(&format!("cannot open {}: ", url(text))), "{error}");
    }
}

#[test]
fn a_place_that_holds_a_read_only_place_cannot_be_opened_for_writing() {
    let text = "[[stores]]\nprefix='memory://t/a'\naccess='read-write'\n\
                [[stores]]\nprefix='memory://t/a/source'\naccess='read'";
    let stores = Stores::new(StoreConfig::from_toml(text).unwrap());
    assert_eq!(stores.open(&url("memory://t/a"), Access::ReadWrite).unwrap_err().class, ErrorClass::Denied);
    assert!(stores.open(&url("memory://t/a"), Access::Read).is_ok());
    assert!(stores.open(&url("memory://t/a/target"), Access::ReadWrite).is_ok());
}

#[test]
fn a_misspelt_or_contradictory_table_is_refused_and_named() {
    let refused = |text: &str| StoreConfig::from_toml(text).unwrap_err();
    let table = |rest: &str| format!("[[stores]]\nprefix = 's3://b'\naccess = 'read'\n{rest}");

    let error = refused(&table("anonymus = true"));
    assert!(matches!(error, ConfigError::Syntax { line: 4, .. }), "{error:?}");
    assert!(error.to_string().contains("anonymus"), "{error}");
    assert!(matches!(refused("[[stores]]\nprefix = 's3://b'"), ConfigError::Syntax { .. }), "access is needed");
    assert!(matches!(refused("[[stores]]\nprefix='s3://b'\naccess='write'"), ConfigError::Syntax { line: 3, .. }));
    assert!(matches!(refused(&table("max_concurrent_requests = 0")), ConfigError::Syntax { line: 4, .. }));
    assert!(matches!(refused(&table("max_puts_per_second = 0")), ConfigError::Syntax { line: 4, .. }));
    assert!(matches!(refused("[[stores"), ConfigError::Syntax { line: 1, .. }));
    assert!(matches!(refused(&table("credentials = { key = 'k' }")), ConfigError::Syntax { .. }));

    let duplicate = format!("{}[[stores]]\nprefix = 's3://b/'\naccess = 'read-write'", table(""));
    assert_eq!(refused(&duplicate), ConfigError::Duplicate { table: 2, prefix: url("s3://b") });
    assert!(matches!(refused("[[stores]]\nprefix='hdfs://b'\naccess='read'"), ConfigError::Prefix { table: 1, .. }));
    assert!(matches!(refused("[[stores]]\nprefix='data'\naccess='read'"), ConfigError::RelativePrefix { .. }));
    let local = refused("[[stores]]\nprefix='/data'\naccess='read'\nregion='x'");
    assert_eq!(local, ConfigError::NotForScheme { table: 1, key: "region", scheme: Scheme::File });
    let many = "[[stores]]\nprefix='s3://b'\naccess='read'\n".repeat(MAX_STORE_TABLES + 1);
    assert_eq!(refused(&many), ConfigError::TooMany { tables: MAX_STORE_TABLES + 1 });
    let both = refused(&table("anonymous = true\ncredentials = 'environment'"));
    assert_eq!(both, ConfigError::AnonymousWithCredentials { table: 1 });
}

const CLOUDS: &str = r#"
    [[stores]]
    prefix = "gs://data"
    access = "read"
    anonymous = true

    [[stores]]
    prefix = "gs://results"
    access = "read-write"
    credentials = "/etc/rechunk/service-account.json"

    [[stores]]
    prefix = "abfss://box@lab.dfs.core.windows.net/zarr"
    access = "read-write"
    credentials = { account_key_env = "LAB_KEY" }

    [[stores]]
    prefix = "az://open"
    access = "read"
    account = "lab"
    endpoint = "http://127.0.0.1:10000/lab"
    credentials = { sas_token_env = "LAB_SAS" }

    [[stores]]
    prefix = "https://data.example/zarr"
    access = "read"
    max_gets_per_second = 20
"#;

#[test]
fn the_tables_of_other_clouds_and_of_web_servers_are_read_whole() {
    let config = StoreConfig::from_toml(CLOUDS).unwrap();
    let [data, results, lab, open, web] = config.profiles() else { panic!("five tables") };
    assert!(data.settings.anonymous);
    let file = Credentials::File { path: "/etc/rechunk/service-account.json".into(), profile: None };
    assert_eq!(results.settings.credentials, file);
    assert_eq!(lab.prefix, url("az://box@lab/zarr"));
    let azure = |secret, variable: &str| Credentials::Azure { secret, variable: variable.to_owned() };
    assert_eq!(lab.settings.credentials, azure(AzureSecret::AccountKey, "LAB_KEY"));
    assert_eq!(open.settings.credentials, azure(AzureSecret::SasToken, "LAB_SAS"));
    assert_eq!(open.settings.account.as_deref(), Some("lab"));
    assert_eq!(web.limits.gets, Some(RequestRate::per_second(20)));
    assert_eq!(config.cost_profile(&url("gs://data/a")).kind, StoreKind::Gcs);
    assert_eq!(config.cost_profile(&url("abfs://box@lab.dfs.core.windows.net/zarr/a")).kind, StoreKind::Azure);
}

#[test]
fn what_a_kind_of_store_does_not_have_is_refused_by_name() {
    let refused = |prefix: &str, rest: &str| {
        let text = format!("[[stores]]\nprefix = '{prefix}'\naccess = 'read'\n{rest}");
        StoreConfig::from_toml(&text).unwrap_err()
    };
    for (prefix, rest, wrong) in [
        ("gs://b", "region = 'x'", "region"),
        ("gs://b", "account = 'x'", "account"),
        ("gs://b", "credentials = { account_key_env = 'X' }", "credentials"),
        ("gs://b", "credentials = { file = 'x', profile = 'p' }", "credentials"),
        ("az://b", "credentials = '/etc/key'", "credentials"),
        ("az://b", "requester_pays = true", "requester_pays"),
        ("s3://b", "credentials = { sas_token_env = 'X' }", "credentials"),
        ("http://h", "anonymous = true", "anonymous"),
    ] {
        let error = refused(prefix, rest);
        assert!(matches!(error, ConfigError::NotForScheme { key, .. } if key == wrong), "{prefix} {rest}: {error:?}");
    }
    let error = StoreConfig::from_toml("[[stores]]\nprefix='https://h/a'\naccess='read-write'").unwrap_err();
    assert_eq!(error, ConfigError::ReadOnly { table: 1, scheme: Scheme::Https });
    let error = StoreConfig::from_toml("[[stores]]\nprefix='kerchunk+s3://b/r.json'\naccess='read'").unwrap_err();
    assert_eq!(error, ConfigError::OfIndex { table: 1 });
    let stores = Stores::new(StoreConfig::environment());
    let error = stores.open(&url("https://h/a"), Access::ReadWrite).unwrap_err();
    assert_eq!(error.to_string(), "cannot open https://h/a: a web server can only be read");
}

#[test]
fn a_read_only_table_holds_also_where_a_url_does_not_name_the_account() {
    let text = "[[stores]]\nprefix='az://box'\naccess='read-write'\naccount='lab'\n\
                [[stores]]\nprefix='az://box@lab/kept'\naccess='read'";
    let config = StoreConfig::from_toml(text).unwrap();
    assert!(config.grant(&url("az://box/"), Access::ReadWrite).is_err());
    assert!(config.grant(&url("az://box/other"), Access::ReadWrite).is_ok());
    assert!(config.grant(&url("az://box@other/x"), Access::Read).is_err(), "no table covers another account");
}

#[test]
fn an_empty_configuration_allows_nothing_and_the_environment_everything() {
    let closed = StoreConfig::from_toml("").unwrap();
    assert!(closed.grant(&url("memory://m"), Access::Read).is_err());
    let open = StoreConfig::environment().anonymous(true).requester_pays(true);
    let granted = open.grant(&url("s3://b/x"), Access::ReadWrite).unwrap();
    assert_eq!((granted.profile, granted.settings.anonymous, granted.settings.requester_pays), (None, true, true));
    let own = StoreProfile::new(url("s3://b/target"), Access::ReadWrite);
    let granted = open.with_profile(own).grant(&url("s3://b/target/x"), Access::ReadWrite).unwrap();
    assert!(!granted.settings.anonymous, "a profile wins over the environment");
}

const COSTS: &str = r#"
    [prices]
    worker_hour = 0.35

    [[stores]]
    prefix = "s3://data"
    access = "read"

    [[stores]]
    prefix = "s3://far"
    access = "read"
    speed = { latency_ms = 80.5, bytes_per_second = "40MB", gets_per_second = 300 }
    prices = { per_gb_out = 0.09 }

    [[stores]]
    prefix = "s3://lab"
    access = "read-write"
    endpoint = "https://s3.lab.example"

    [[stores]]
    prefix = "file:///data"
    access = "read-write"
"#;

#[test]
fn what_a_store_does_and_charges_follows_from_its_table_and_its_kind() {
    let config = StoreConfig::from_toml(COSTS).unwrap();
    let cost = |text| config.cost_profile(&url(text));
    assert_eq!(config.worker_hour(), MicroUsd(350_000));
    assert_eq!(cost("s3://data/a"), StoreKind::S3.profile());
    assert_eq!(cost("s3://lab/a"), StoreKind::S3Compatible.profile());
    assert_eq!(cost("file:///data/a"), StoreKind::Local.profile());
    let far = cost("s3://far/a");
    assert_eq!(
        (far.kind, far.latency, far.bytes_per_second),
        (StoreKind::Custom, Duration::from_micros(80_500), 40_000_000)
    );
    assert_eq!((far.gets_per_second, far.prices.per_gb_out), (Some(300), MicroUsd(90_000)));
    let s3 = StoreKind::S3.profile();
    assert_eq!((far.puts_per_second, far.prices.per_1000_put), (s3.puts_per_second, s3.prices.per_1000_put), "as S3");
}

#[test]
fn a_plan_counts_on_no_more_requests_than_the_table_allows() {
    let config = StoreConfig::from_toml(
        "[[stores]]\nprefix='s3://slow'\naccess='read'\nmax_gets_per_second=20\nspeed={gets_per_second=300}\n\
         [[stores]]\nprefix='s3://ample'\naccess='read'\nmax_gets_per_second=1000000",
    );
    let config = config.unwrap();
    let slow = config.cost_profile(&url("s3://slow/a"));
    assert_eq!((slow.kind, slow.gets_per_second), (StoreKind::Custom, Some(20)));
    assert_eq!(slow.puts_per_second, StoreKind::S3.profile().puts_per_second, "no limit is stated");
    assert_eq!(config.cost_profile(&url("s3://ample/a")), StoreKind::S3.profile(), "more than it is taken to do");
}

#[test]
fn an_endpoint_of_the_environment_makes_it_no_store_of_amazon() {
    let kind = |endpoint: Option<&str>| {
        let endpoint = endpoint.map(str::to_owned);
        let of = move |name: &str| if name == "AWS_ENDPOINT_URL" { endpoint.clone() } else { None };
        StoreConfig::environment().with_variables(of).cost_profile(&url("s3://b/a")).kind
    };
    assert_eq!(kind(None), StoreKind::S3);
    assert_eq!(kind(Some("http://127.0.0.1:8333")), StoreKind::S3Compatible);
    assert_eq!(kind(Some("https://s3.eu-west-1.amazonaws.com")), StoreKind::S3);
}

#[test]
fn figures_that_can_be_none_are_refused_by_name() {
    let refused = |rest: &str| {
        StoreConfig::from_toml(&format!("[[stores]]\nprefix = 's3://b'\naccess = 'read'\n{rest}")).unwrap_err()
    };
    for (rest, wrong) in [
        ("speed = { latency_ms = -1 }", "latency_ms"),
        ("speed = { bytes_per_second = 'fast' }", "bytes_per_second"),
        ("speed = { requests_in_flight = 0 }", "requests_in_flight"),
        ("speed = { gets_per_second = 0 }", "gets_per_second"),
        ("prices = { per_1000_put = -0.1 }", "per_1000_put"),
        ("prices = { per_gb_out = inf }", "per_gb_out"),
    ] {
        let error = refused(rest);
        assert!(matches!(error, ConfigError::Figure { table: 1, key, .. } if key == wrong), "{rest}: {error:?}");
    }
    assert!(matches!(refused("speed = { latency = 3 }"), ConfigError::Syntax { .. }));
    assert!(matches!(refused("[prices]\nworker_hour = nan"), ConfigError::Price { key: "worker_hour", .. }));
    assert!(matches!(refused("[prices]\nworker = 1"), ConfigError::Syntax { .. }));
}
