//! What is noticed, and what is waited for how long.

use super::*;

const ANSWERS_IN: Duration = Duration::from_secs(3);
const GOES_ON_IN: Duration = Duration::from_secs(5);

fn limited() -> Exchange<&'static [u8], Bytes> {
    let limits = Limits { request_body: GOES_ON_IN, response_head: Some(ANSWERS_IN), ..limits() };
    by(terms(Framing::Length(2)), limits, Framing::Length(2))
}

fn client_sends(exchange: &mut Exchange<&'static [u8], Bytes>, bytes: &[u8]) {
    *exchange.client_slot() = Some(Bytes(bytes.to_vec()));
    exchange.client_sent();
}

/// The next bytes as long as they are wanted; then that it ends, and of who has ended that it
/// breaks.
#[test]
fn of_the_client_is_noticed_what_matters() {
    let mut exchange = exchange(Framing::Length(2));
    assert!(exchange.client_sends_body());
    assert_eq!(exchange.watch(), Watch::Break, "the head is not written");
    written(&mut exchange);
    assert_eq!(exchange.watch(), Watch::Bytes);
    client_sends(&mut exchange, b"abNEXT");
    assert!(!exchange.client_sends_body());
    assert_eq!(exchange.watch(), Watch::End, "the next request is there already");
    exchange.client_ended();
    assert_eq!(exchange.watch(), Watch::Break);
    assert!(!exchange.is_over(), "it asked for all it wants");
}

#[test]
fn each_wait_has_its_limit() {
    let start = start();
    let second = Duration::from_secs(1);
    let mut exchange = limited();
    assert!(exchange.is_limited());
    assert_eq!(exchange.wait(start), Some(start + second), "the endpoint takes the head");
    written(&mut exchange);
    assert_eq!(exchange.wait(start), Some(start + GOES_ON_IN), "the client goes on");
    client_sends(&mut exchange, b"ab");
    written(&mut exchange);
    assert!(exchange.is_limited());
    assert_eq!(exchange.wait(start), Some(start + ANSWERS_IN), "the endpoint answers");
    from_endpoint(&mut exchange, HEAD);
    assert_eq!(exchange.wait(start), Some(start + second), "the client takes it");
    written(&mut exchange);
    assert!(!exchange.is_limited(), "slow is not stuck");
    assert_eq!(exchange.wait(start), None);
    assert!(!exchange.is_over());
}

/// A stream of HTTP/2 that is being answered has no hurry; one that is not has.
#[test]
fn who_is_answered_on_a_stream_may_be_silent() {
    let start = start();
    for is_duplex in [false, true] {
        let mut exchange = limited();
        if is_duplex {
            exchange.make_duplex();
        }
        written(&mut exchange);
        assert_eq!(exchange.wait(start), Some(start + GOES_ON_IN), "{is_duplex}");
        from_endpoint(&mut exchange, HEAD);
        written(&mut exchange);
        assert_eq!(exchange.is_limited(), !is_duplex);
        let until = Some(start + GOES_ON_IN).filter(|_| !is_duplex);
        assert_eq!(exchange.wait(start), until);
    }
}

/// Who may take as long as it likes is not waited for.
#[test]
fn an_answer_without_a_limit_has_none() {
    let mut exchange = exchange(Framing::None);
    written(&mut exchange);
    assert!(!exchange.is_limited());
    assert_eq!(exchange.wait(start()), None);
}

/// A request of which a part is missing has no answer that could be late.
#[test]
fn the_answer_is_waited_for_from_the_last_byte_of_the_request() {
    let start = start();
    let mut exchange = limited();
    written(&mut exchange);
    client_sends(&mut exchange, b"ab");
    // The last piece is owed.
    assert_eq!(exchange.wait(start), Some(start + Duration::from_secs(1)));
    let late = start + Duration::from_millis(900);
    written(&mut exchange);
    assert_eq!(exchange.wait(late), Some(late + ANSWERS_IN));
}

#[test]
fn an_attempt_has_its_time_for_itself() {
    let start = start();
    let limits = Limits { response_head: Some(ANSWERS_IN), ..limits() };
    let mut exchange = by(terms(Framing::None), limits, Framing::None);
    written(&mut exchange);
    assert_eq!(exchange.wait(start), Some(start + ANSWERS_IN));
    exchange.endpoint_broke();
    assert_eq!(exchange.verdict(), Verdict::Retry(Break::EndpointClosed));
    exchange.begin();
    written(&mut exchange);
    let later = start + Duration::from_secs(2);
    assert_eq!(exchange.wait(later), Some(later + ANSWERS_IN));
}

/// Whoever has the body in hand owes the rest of it.
#[test]
fn a_request_in_hand_is_not_waited_for_as_if_it_were_written() {
    let mut exchange = limited();
    exchange.tap_request(Wrapping::Plain, false);
    written(&mut exchange);
    client_sends(&mut exchange, b"ab");
    assert_eq!(exchange.wait(start()), None);
    assert_eq!(exchange.request_came(), came(b"ab", true));
    exchange.give_request(b"ab", true);
    written(&mut exchange);
    let start = start();
    assert_eq!(exchange.wait(start), Some(start + ANSWERS_IN));
}

/// Nothing more is to come of it, nor to be given.
#[test]
fn a_request_in_hand_that_was_whole_is_written_with_its_opening() {
    let limits = Limits { response_head: Some(ANSWERS_IN), ..limits() };
    let mut exchange = by(terms(Framing::None), limits, Framing::None);
    exchange.tap_request(Wrapping::Plain, true);
    assert_eq!(exchange.request_came(), None);
    exchange.give_request(b"more", true);
    assert_eq!(written(&mut exchange)[0], "head");
    let start = start();
    assert_eq!(exchange.wait(start), Some(start + ANSWERS_IN));
}

/// Its answer says why, if it comes soon.
#[test]
fn an_endpoint_that_takes_no_more_ends_soon() {
    let start = start();
    let second = Duration::from_secs(1);
    let mut exchange = limited();
    exchange.endpoint_refuses();
    assert_eq!(written(&mut exchange)[0], "");
    assert_eq!(exchange.wait(start), Some(start + second));
    assert_eq!(exchange.wait(start + second), None);
    assert_eq!(exchange.verdict(), Verdict::Retry(Break::EndpointClosed));
}
