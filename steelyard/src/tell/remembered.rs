//! What is told of addresses before anything is decided: a speaker that was started while the API
//! server was away goes on with those it had, and knows of no Service whose they are.

use std::net::IpAddr;

use serde_json::{Value, json};
use steelyard_speaker::VipStatus;

use super::account::Account;

/// A row of announcements for each, as others are told, without a Service.
pub(super) fn announcements<'a>(
    stands: &[VipStatus],
    account: impl Fn(IpAddr) -> Account<'a>,
) -> Value {
    let row = |vip: &VipStatus| {
        let mut row = json!({
            "address": vip.address,
            "service": null,
            "protocol": "layer2",
            "interfaces": vip.interfaces,
        });
        account(vip.address).tell(&mut row, true);
        row
    };
    stands.iter().map(row).collect()
}
