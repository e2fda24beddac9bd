//! What lowering reports; each has a row in docs/diagnostics.md and a golden case.

use steelyard_model::Code;

/// An annotation or field restricts access in a way that is not honoured; what it is about is
/// closed instead.
pub const ACCESS_NOT_HONOURED: Code = Code::new("access-not-honoured");
/// An annotation that was written as a label.
pub const ANNOTATION_AS_LABEL: Code = Code::new("annotation-as-label");
/// An annotation of another load balancer, for what we know by another name.
pub const ANNOTATION_FOREIGN: Code = Code::new("annotation-foreign");
/// A value for which ingress-nginx leaves out the whole object.
pub const ANNOTATION_INVALID: Code = Code::new("annotation-invalid");
/// A known annotation that changes how requests are served, not honoured yet.
pub const ANNOTATION_NOT_HONOURED: Code = Code::new("annotation-not-honoured");
/// An annotation under a prefix we know, with a name nobody reads.
pub const ANNOTATION_UNKNOWN: Code = Code::new("annotation-unknown");
/// A known kind in a version that is not read.
pub const API_VERSION_UNKNOWN: Code = Code::new("api-version-unknown");
/// The backend wants another protocol than HTTP/1.1 without TLS.
pub const BACKEND_PROTOCOL_NOT_HONOURED: Code = Code::new("backend-protocol-not-honoured");
/// A BGP community that cannot be one.
pub const COMMUNITY_INVALID: Code = Code::new("community-invalid");
/// A list names the same thing twice.
pub const ENTRY_DUPLICATE: Code = Code::new("entry-duplicate");
/// A field asks for something that is not done yet.
pub const FIELD_NOT_HONOURED: Code = Code::new("field-not-honoured");
/// Fields that exclude each other.
pub const FIELDS_EXCLUSIVE: Code = Code::new("fields-exclusive");
/// `healthCheckNodePort` without `externalTrafficPolicy: Local`.
pub const HEALTH_CHECK_NODE_PORT_UNUSED: Code = Code::new("health-check-node-port-unused");
/// A host name of a rule is none.
pub const HOST_INVALID: Code = Code::new("host-invalid");
/// A value out of range or not of the known ones.
pub const INVALID_VALUE: Code = Code::new("invalid-value");
/// A kind steelyard does not read.
pub const KIND_IGNORED: Code = Code::new("kind-ignored");
/// A kind steelyard will read, but does not yet.
pub const KIND_LATER: Code = Code::new("kind-later");
/// A kind that does not exist, nearly named like one that does.
pub const KIND_UNKNOWN: Code = Code::new("kind-unknown");
/// A label that was written as an annotation.
pub const LABEL_AS_ANNOTATION: Code = Code::new("label-as-annotation");
/// Configuration of MetalLB before its custom resources of today.
pub const METALLB_LEGACY: Code = Code::new("metallb-legacy");
/// A required field is absent.
pub const MISSING_FIELD: Code = Code::new("missing-field");
/// A path of a rule is none.
pub const PATH_INVALID: Code = Code::new("path-invalid");
/// A path that is a regular expression, where paths are compared letter by letter.
pub const PATH_REGEX: Code = Code::new("path-regex");
/// A path that no request has.
pub const PATH_UNREACHABLE: Code = Code::new("path-unreachable");
/// An entry of `spec.addresses` is neither a CIDR nor a range.
pub const POOL_ADDRESS_INVALID: Code = Code::new("pool-address-invalid");
/// A CIDR with host bits set: the whole network is the pool's.
pub const POOL_HOST_BITS: Code = Code::new("pool-host-bits");
/// A pool without addresses.
pub const POOL_EMPTY: Code = Code::new("pool-empty");
/// A range whose first address is after its last.
pub const POOL_RANGE_REVERSED: Code = Code::new("pool-range-reversed");
/// Two entries of one pool share addresses.
pub const POOL_SELF_OVERLAP: Code = Code::new("pool-self-overlap");
/// A policy of another kind than NetworkPolicy: it keeps nobody out.
pub const POLICY_NOT_READ: Code = Code::new("policy-not-read");
/// A backend that is not a Service.
pub const RESOURCE_BACKEND: Code = Code::new("resource-backend");
/// A rule of Traefik's language that cannot be read, or has a part that means nothing.
pub const RULE_INVALID: Code = Code::new("rule-invalid");
/// A rule that routes nothing.
pub const RULE_WITHOUT_HTTP: Code = Code::new("rule-without-http");
/// Operator and values of a selector do not fit.
pub const SELECTOR_INVALID: Code = Code::new("selector-invalid");
/// Values for Traefik's chart, and the static options that they come to.
pub const STATIC_OPTION: Code = Code::new("static-option");
/// An EndpointSlice that belongs to no Service.
pub const SLICE_WITHOUT_SERVICE: Code = Code::new("slice-without-service");
