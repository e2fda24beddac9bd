//! The diagnostics of this crate.

use steelyard_model::Code;

/// The API server does not let this account look at a kind of objects.
pub const ACCESS_REFUSED: Code = Code::new("access-refused");
/// A folder that kustomize or Helm makes other objects of than those that stand in it.
pub const BUILD_NEEDED: Code = Code::new("build-needed");
/// A file of Traefik's dynamic configuration has something that is none.
pub const DYNAMIC_FILE: Code = Code::new("dynamic-file");
/// A key is written twice in one mapping, so one of its values would be lost.
pub const DUPLICATE_KEY: Code = Code::new("duplicate-key");
/// The same object is defined twice; the first stays.
pub const DUPLICATE_OBJECT: Code = Code::new("duplicate-object");
/// A file could never be read to its end since the start: what it would close is not known.
pub const FILE_NEVER_READ: Code = Code::new("file-never-read");
/// A file or folder has lost what it held, and that is not believed yet.
pub const FILE_LAPSED: Code = Code::new("file-lapsed");
/// A file is unreadable, too large, or not UTF-8 text.
pub const FILE_UNREADABLE: Code = Code::new("file-unreadable");
/// `steelyard.lock` does not say clearly which Service holds which address.
pub const LOCK_INVALID: Code = Code::new("lock-invalid");
/// A character that only looks like the one that is meant.
pub const LOOKALIKE_CHARACTER: Code = Code::new("lookalike-character");
/// A document has neither `apiVersion` nor `kind`, or is a tool's configuration file.
pub const NOT_AN_OBJECT: Code = Code::new("not-an-object");
/// A template that nobody has rendered.
pub const NOT_RENDERED: Code = Code::new("not-rendered");
/// A document lacks `apiVersion`, `kind` or `metadata.name`.
pub const OBJECT_INCOMPLETE: Code = Code::new("object-incomplete");
/// A name or namespace is not one that Kubernetes accepts.
pub const OBJECT_NAME: Code = Code::new("object-name");
/// A field that no such object has; it has no effect.
pub const UNKNOWN_FIELD: Code = Code::new("unknown-field");
/// A value that the field cannot take: of another type, or none of the words it knows.
pub const WRONG_TYPE: Code = Code::new("wrong-type");
/// The text is not YAML.
pub const YAML_SYNTAX: Code = Code::new("yaml-syntax");
/// The YAML is nested too deep, has too many values, or aliases multiply them.
pub const YAML_TOO_COMPLEX: Code = Code::new("yaml-too-complex");
/// The text is not TOML.
pub const TOML_SYNTAX: Code = Code::new("toml-syntax");
