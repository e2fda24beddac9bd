//! Requests through a gateway to real backends.

mod support;

use support::*;

#[test]
fn a_request_gets_to_the_backend_and_back() {
    let backend = Server::echo("one");
    let (_gateway, address) = gateway(&[route("one", "a.local", "/", &[backend.address])]);
    let mut client = Client::connect(address);
    for path in ["/", "/x?y=z", "/deep/er"] {
        let response = client.get("A.Local:8080", path);
        assert_eq!(response.status(), 200);
        let text = response.text();
        assert!(text.starts_with(&format!("one\nGET {path} HTTP/1.1\r\nHost: A.Local:8080\r\n")));
        assert!(text.contains("\r\nX-Forwarded-For: 127.0.0.1\r\n"), "{text}");
        assert!(text.contains("\r\nX-Forwarded-Host: A.Local:8080\r\n"), "{text}");
        assert!(text.contains("\r\nX-Forwarded-Port: 8080\r\n"), "{text}");
    }
    assert_eq!(backend.accepted.load(std::sync::atomic::Ordering::SeqCst), 1, "it is reused");
    assert_eq!(client.get("b.local", "/").status(), 404);
    assert_eq!(client.get("a.local", "/").status(), 200, "the connection goes on after a 404");
}
