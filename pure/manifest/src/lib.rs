//! Manifests exactly as users write them, with the place of every key and value.
//!
//! [`load`] turns the bytes of one file into [`Object`]s and located diagnostics; it is total and
//! bounded: whatever the bytes, it ends with values, within [`ReadLimits`]. [`Object::read`] is a
//! serde deserializer over the kept tree, so that every wrong type and unknown field is reported
//! with its line and column. [`place`] adds places to the diagnostics of later stages, and
//! [`render`] prints them with the line and a caret. [`lock`] is the text form of what Services
//! hold. [`Front`] turns files into changes by object,
//! and [`ClusterFront`] what was heard of a cluster.
//!
//! It is not a judge of meaning: which kinds exist, which values make sense, and what refers to
//! what belongs to the dialects and to the planner. It opens no file.
//!
//! YAML is read as the Kubernetes API server reads it where a user would notice: 1.2 syntax, but
//! plain `yes`, `no`, `on`, `off`, `y`, `n` are booleans, `010` is octal, and `<<` merges.

mod build;
mod cluster;
pub mod codes;
mod compose;
mod digest;
mod dynamic;
mod exercise;
mod fault;
mod followed;
mod front;
mod identity;
mod key;
pub mod kinds;
mod load;
pub mod lock;
mod named;
mod nameless;
mod names;
mod object;
mod origin;
mod path;
mod place;
mod read;
pub mod render;
mod settings;
mod sight;
mod source;
mod spot;
mod syntax;
mod toml_text;
mod tree;
mod unfit;
mod watched;
mod words;
mod written;

pub use build::Builds;
pub use cluster::{
    ClusterEvent, ClusterFront, ClusterObject, NoObject, RawObject, Verb, is_older, refusal,
};
pub use dynamic::{DynamicPlaces, FILE_PROVIDER, FILE_VERSION, STATIC_SECTIONS, is_extension};
#[doc(hidden)]
pub use exercise::{exercise, exercise_cluster};
pub use followed::{NamedPaths, files_named};
pub use front::{Awaited, Front, ObjectChanges, Teller};
pub use key::Key;
pub use load::{Loaded, load, load_dynamic, load_unnamed};
pub use named::{NAMED_FILE, NAMED_FILES, is_path};
pub use object::{Object, Soundness};
pub use origin::ClusterOrigin;
pub use place::{merge, place};
pub use read::{Read, UnknownField};
pub use settings::{Setting, settings};
pub use sight::{Blindness, Extent, Sight, Unseen, is_under};
pub use source::{KeptText, Lapse, ReadLimits, Source, SourceText};
pub use unfit::Heed;
pub use watched::{Breadth, Reach, Role, STATES, Selection, Watched, watched};
pub use written::{Extract, Reread, Written};

#[cfg(test)]
mod tests;
