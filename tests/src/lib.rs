//! What the end-to-end tests are written with: the real binary, folders, requests, laboratories.
//!
//! Everything made here undoes itself when dropped, also when a test fails, and every wait is for
//! a condition and bounded. Traffic stays on loopback or in network namespaces.

pub mod binary;
pub mod capture;
pub mod chart;
pub mod claims;
pub mod clock;
pub mod cluster;
pub mod exposition;
pub mod http;
pub mod lab;
pub mod load;
pub mod machine;
pub mod manifests;
pub mod process;
pub mod roles;
pub mod run;
pub mod scratch;
pub mod senders;
pub mod turns;
pub mod up;
pub mod upgraded;
pub mod wait;

/// Ends the calling test, by name, where it cannot run; see [`lab::unavailable`].
#[macro_export]
macro_rules! needs_lab {
    () => {
        if let Some(reason) = $crate::lab::unavailable() {
            let place = std::thread::current().name().unwrap_or_default().to_owned();
            eprintln!("skipped {place}: {reason}");
            return Ok(());
        }
    };
}

/// Ends the calling test, by name, where there can be no cluster; see [`cluster::unavailable`].
#[macro_export]
macro_rules! needs_cluster {
    () => {
        if let Some(reason) = $crate::cluster::unavailable() {
            let place = std::thread::current().name().unwrap_or_default().to_owned();
            eprintln!("skipped {place}: {reason}");
            return Ok(());
        }
    };
}
