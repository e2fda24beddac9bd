//! What opens a door shows in no debug output, wherever that is printed.

use steelyard_model::routing::asked::AskedUrl;
use steelyard_model::routing::filter::access::{FilterTls, PasswordAuth, PasswordManner};
use steelyard_model::routing::filter::key::KeyAuth;
use steelyard_model::routing::filter::limit::RedisStore;

#[test]
fn secrets_of_filters_do_not_show() {
    const SECRET: &str = "OPEN-SESAME";
    let tls = FilterTls {
        ca: None,
        identity: Some(("CHAIN".into(), SECRET.into())),
        is_unverified: false,
    };
    let users = PasswordAuth {
        users: vec![format!("ann:{{PLAIN}}{SECRET}").into()].into(),
        realm: "REALM".into(),
        removes_header: false,
        user_header: None,
        manner: PasswordManner::Traefik,
    };
    let keys = KeyAuth {
        header: Some("X-KEY".into()),
        scheme: None,
        parameter: None,
        cookie: None,
        is_encoded: false,
        hashes: vec![SECRET.into()],
    };
    let server = AskedUrl::server("redis:6379", true).expect("it is one");
    let store = RedisStore {
        servers: vec![(server, "redis".into())],
        credentials: Some(("ann".into(), SECRET.into())),
        tls: Some(tls.clone()),
        database: 0,
        pool: 0,
        idle: 0,
        active: 0,
        read: None,
        write: None,
        dial: None,
    };
    for (shown, part) in [
        (format!("{tls:?}"), "CHAIN"),
        (format!("{users:?}"), "REALM"),
        (format!("{keys:?}"), "X-KEY"),
        (format!("{store:?}"), "redis:6379"),
        (format!("{store:#?}"), "ann"),
    ] {
        assert!(!shown.contains(SECRET) && shown.contains(part), "{shown}");
    }
}
