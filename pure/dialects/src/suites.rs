//! What can be had in handshakes, by the names that IANA has for it.

/// Cipher suites of TLS 1.2.
pub(crate) const SUITES: [&str; 6] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];
/// Those of TLS 1.3, which no list takes away.
pub(crate) const SUITES_OF_1_3: [&str; 3] =
    ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];
/// Key exchange groups as Go or OpenSSL have them, and as IANA has them.
pub(crate) const GROUPS: [(&str, &str); 11] = [
    ("CurveP256", "secp256r1"),
    ("secp256r1", "secp256r1"),
    ("prime256v1", "secp256r1"),
    ("P-256", "secp256r1"),
    ("CurveP384", "secp384r1"),
    ("secp384r1", "secp384r1"),
    ("P-384", "secp384r1"),
    ("X25519", "X25519"),
    ("x25519", "X25519"),
    ("X25519MLKEM768", "X25519MLKEM768"),
    ("x25519mlkem768", "X25519MLKEM768"),
];
