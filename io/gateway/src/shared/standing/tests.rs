use steelyard_model::EndpointState;
use steelyard_model::routing::care::{CheckProbe, HealthCheck, Most, PassiveCheck};

use super::*;

fn spot(port: u16, care: Care) -> Spot {
    let host = Host::Ip([10, 0, 0, 1].into());
    let endpoint = Endpoint { host, port, state: EndpointState::Ready, node: None, zones: None };
    Spot::new(&endpoint, &"http".into(), &Arc::new(care))
}

fn failed(kind: ErrorKind) -> io::Result<()> {
    Err(kind.into())
}

const REFUSED: ErrorKind = ErrorKind::ConnectionRefused;

#[test]
fn one_spot_is_known_once() {
    let standings = EndpointStandings::default();
    let one = standings.of(spot(80, Care::default()));
    assert!(Arc::ptr_eq(&one, &standings.of(spot(80, Care::default()))));
    let slow_start = Some(Duration::from_secs(9));
    for other in [spot(81, Care::default()), spot(80, Care { slow_start, ..Care::default() })] {
        assert!(!Arc::ptr_eq(&one, &standings.of(other)));
    }
    let known = || standings.all(Instant::now()).len();
    standings.prune(|spot| spot.port == 81);
    assert_eq!(known(), 2, "one is held, one is wanted");
    drop(one);
    standings.prune(|_| false);
    assert_eq!(known(), 0);
}

#[test]
fn who_takes_no_connections_is_asked_last_for_a_while() {
    let standings = EndpointStandings::default();
    let standing = standings.of(spot(80, Care::default()));
    let now = Instant::now();
    let changes = || standings.changes();
    standing.connected(now, &failed(REFUSED));
    assert!(standing.is_fit(now) && changes() == 0, "once is nothing");
    assert_eq!(standings.silent(), ["10.0.0.1:80".parse().unwrap()].into(), "but it is told");
    standing.connected(now, &failed(ErrorKind::AddrNotAvailable));
    assert!(standing.is_fit(now), "nothing of its doing");
    standing.connected(now, &failed(ErrorKind::TimedOut));
    assert_eq!((standing.fitness(now), changes()), (Fitness::Shunned, 1));
    let until = standing.shunned_until(now).unwrap();
    assert!(until > now && standing.is_fit(until) && standing.shunned_until(until).is_none());
    let told = &standings.all(now)[0];
    assert_eq!((told.fitness, told.since), (Fitness::Shunned, Some(now)));
    assert_eq!(&*told.last_failure.as_ref().unwrap().1, "timed out");
    standing.connected(now, &Ok(()));
    assert_eq!((standing.fitness(now), changes()), (Fitness::Fit, 2));
    assert!(standings.silent().is_empty());
}

#[test]
fn checks_and_answers_are_signs_where_they_are_asked_for() {
    let standings = EndpointStandings::default();
    let probe = CheckProbe::Connect { send: "".into(), expect: "".into() };
    let check = Some(HealthCheck::new(probe));
    let checked = standings.of(spot(80, Care { check, ..Care::default() }));
    let passive = Some(PassiveCheck::default());
    let watched = standings.of(spot(80, Care { passive, ..Care::default() }));
    let now = Instant::now();
    checked.checked(now, Err("it answered 500".into()));
    watched.answered(now, 499);
    assert_eq!((checked.fitness(now), watched.fitness(now)), (Fitness::Down, Fitness::Fit));
    checked.checked(now, Ok(()));
    checked.answered(now, 500);
    watched.answered(now, 500);
    assert_eq!((checked.fitness(now), watched.fitness(now)), (Fitness::Fit, Fitness::Shunned));
}

#[test]
fn who_is_well_again_gets_more_and_more() {
    let standings = EndpointStandings::default();
    let slow_start = Some(Duration::from_secs(10));
    let standing = standings.of(spot(80, Care { slow_start, ..Care::default() }));
    let now = Instant::now();
    assert_eq!(standing.share(now), 1_000);
    standing.connected(now, &failed(REFUSED));
    standing.connected(now, &failed(REFUSED));
    let well = now + Duration::from_secs(1);
    for (seconds, share) in [(0, 100), (5, 500), (10, 1_000)] {
        assert_eq!(standing.share(well + Duration::from_secs(seconds)), share, "{seconds}");
    }
}

#[tokio::test]
async fn an_endpoint_has_so_many_places_and_who_waits_gets_the_next() {
    let standings = EndpointStandings::default();
    let most = Most { in_flight: 2, pending: 1, patience: Duration::from_secs(9) };
    let standing = standings.of(spot(80, Care { most: Some(most), ..Care::default() }));
    let line = Arc::<Line>::default();
    let mut seats = Vec::from_iter((0..3).map_while(|_| standing.enter(Some(&line))));
    assert_eq!((seats.len(), standing.in_flight()), (2, 2));
    let waiter = line.join(most).unwrap();
    assert!(line.join(most).is_none(), "one may wait");
    let freed = std::cell::Cell::new(false);
    let waiting = async {
        while standing.enter(Some(&line)).is_none() {
            waiter.wait().await;
        }
        assert!(freed.get());
    };
    let freeing = async {
        tokio::task::yield_now().await;
        freed.set(true);
        seats.pop();
    };
    tokio::join!(waiting, freeing);
    drop((waiter, seats));
    assert!(standing.in_flight() == 0 && line.join(most).is_some());
}
