//! Raw objects as users write them: one struct per kind, field by field, nothing checked but types.
//!
//! Not the validated world: that is `steelyard-model`, which the dialects make of these.
//!
//! - Every field is optional here; the dialects say what is missing, in words that help.
//! - Structs of Service, Ingress, IngressClass and metallb.io name *every* field those kinds have,
//!   also the ones we do not use (as [`Ignored`]), because an unknown one is reported with the
//!   nearest known name. The other kinds name what we read.
//! - Numbers are wider than what is valid, so that `port: 70000` is a finding about that port and
//!   not about the whole object.

pub mod apps;
pub mod core;
pub mod discovery;
pub mod file;
pub mod meta;
pub mod metallb;
pub mod networking;
mod opaque;
pub mod service;
pub mod traefik;

pub use meta::{Ignored, IntOrString, LabelSelector, LabelSelectorRequirement, ObjectMeta};
