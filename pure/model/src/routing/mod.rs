//! One routing model for every language: what each dialect makes of its objects, and all that the
//! gateway serves by.
//!
//! Every noun has an id, remembers the place it came from, and is shared between generations.
//! What churns (endpoints) stands apart from what does not; what refers to another names its id.
//! A rank is data that the dialect writes; a setting that restricts and cannot be honoured ends
//! as [`backend::Backend::Refused`], the one place where it may.

mod alike;
pub mod asked;
pub mod backend;
mod beginning;
pub mod belief;
pub mod care;
pub mod claims;
pub mod cookie;
pub mod entry_point;
pub mod exposure;
pub mod expression;
pub mod filter;
pub mod id;
pub mod left_out;
pub mod listener;
pub mod matcher;
pub mod nginx_log;
pub mod observability;
mod own_services;
pub mod pattern;
pub mod ranges;
pub mod rank;
mod re2;
pub mod readable;
pub mod route;
pub mod rule;
pub mod subject;
pub mod text;
pub mod times;
pub mod tls;
pub mod transport;
pub mod trust;
pub mod variables;
pub mod world;
