use crate::opening::{FirstBytes, GSS_REQUEST, SSL_REQUEST, first_bytes};

#[test]
fn a_connection_is_known_by_its_first_bytes() {
    let table: &[(&[u8], Option<FirstBytes>)] = &[
        (b"", None),
        (b"\x16", Some(FirstBytes::Tls)),
        (b"\x16\x03\x01", Some(FirstBytes::Tls)),
        (b"G", Some(FirstBytes::Plain)),
        (b"\x00", None),
        (b"\x00\x00\x00\x08\x04\xd2\x16", None),
        (&SSL_REQUEST, Some(FirstBytes::SslRequest)),
        (&GSS_REQUEST, Some(FirstBytes::GssRequest)),
        // Postgres' StartupMessage, protocol 3.0, and a CancelRequest.
        (b"\x00\x00\x00\x08\x00\x03\x00\x00", Some(FirstBytes::Plain)),
        (b"\x00\x00\x00\x10\x04\xd2\x16\x2e", Some(FirstBytes::Plain)),
        (b"\x00\x00\x01", Some(FirstBytes::Plain)),
        // SSLv2's hello.
        (b"\x80\x2e\x01", Some(FirstBytes::Plain)),
    ];
    for (bytes, expected) in table {
        assert_eq!(first_bytes(bytes), *expected, "{bytes:x?}");
    }
}
