use std::future::Future;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::slice::from_ref;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use rustix::net::{SendAncillaryBuffer, SendFlags};
use steelyard_host::netns::{self, Namespace};
use tempfile::TempDir;

use crate::closing::Closer;
use crate::door;
use crate::word::Word;
use crate::{Borrower, Lender, LentPlace, MOST_PLACES};

const PATIENCE: Duration = Duration::from_secs(60);

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Who runs this test.
fn own() -> u32 {
    rustix::process::geteuid().as_raw()
}

struct Meeting {
    _folder: TempDir,
    path: PathBuf,
}

impl Meeting {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { path: folder.path().join("listeners"), _folder: folder }
    }

    fn lender(&self) -> Lender {
        Lender::start(&self.path, own()).unwrap()
    }

    fn borrower(&self) -> Borrower {
        let borrower = Borrower::new(&self.path, own());
        borrower.begin();
        borrower
    }
}

/// Comes to the door as nobody in particular.
fn enter(path: &Path) -> crate::wire::Wire {
    door::enter(path, &Closer::start().unwrap()).unwrap()
}

/// A place at an address that is nobody else's: a free port may be somebody's a moment later.
fn place(name: &str) -> LentPlace {
    static NUMBER: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, high | 0x80, low, NUMBER.fetch_add(1, Ordering::Relaxed));
    LentPlace { entry_point: name.to_owned(), address: (own, 8080).into() }
}

fn open(place: &LentPlace) -> io::Result<Vec<TcpListener>> {
    Ok(vec![TcpListener::bind(place.address)?])
}

/// At another port of the same address.
fn anywhere(place: &LentPlace) -> io::Result<Vec<TcpListener>> {
    Ok(vec![TcpListener::bind((place.address.ip(), 0))?])
}

fn never(place: &LentPlace) -> io::Result<Vec<TcpListener>> {
    panic!("{place:?} is opened again")
}

/// Waits until it is lent; its only socket, which blocks.
async fn lent(borrower: &Borrower, place: &LentPlace) -> TcpListener {
    until("it to be lent", || borrower.loans().contains_key(place)).await;
    let (_, mut all) = borrower.loans()[place].listeners().unwrap();
    all.remove(0)
}

/// Accepts one who has connected already, and answers.
async fn answer(listener: &TcpListener) {
    let mut taken = None;
    until("a client", || {
        taken = listener.accept().ok();
        taken.is_some()
    })
    .await;
    taken.unwrap().0.write_all(b"yes").unwrap();
}

fn is_answered(mut client: TcpStream) -> bool {
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).is_ok() && answer == "yes"
}

#[test]
fn who_waits_to_be_accepted_outlives_a_borrower() {
    run(async {
        let meeting = Meeting::new();
        let (lender, web) = (meeting.lender(), place("web"));
        assert!(!lender.is_served());
        assert_eq!(lender.lend(from_ref(&web), open)[0].as_ref().unwrap(), &web.address);
        let first = meeting.borrower();
        let listener = lent(&first, &web).await;
        assert!(lender.is_served());
        let client = TcpStream::connect(web.address).unwrap();
        answer(&listener).await;
        assert!(is_answered(client));

        drop((first, listener));
        let waiting = TcpStream::connect(web.address).unwrap();
        let second = meeting.borrower();
        answer(&lent(&second, &web).await).await;
        assert!(is_answered(waiting));

        // What is not lent any more is given up, and its port is free then.
        lender.lend(&[], never);
        until("it to be given up", || second.loans().is_empty()).await;
        until("its port to be free", || TcpListener::bind(web.address).is_ok()).await;
    });
}

#[test]
fn who_waits_to_be_accepted_outlives_a_lender() {
    run(async {
        let meeting = Meeting::new();
        let (web, other) = (place("web"), place("other"));
        let lender = meeting.lender();
        lender.lend(&[web.clone(), other.clone()], open);
        let borrower = meeting.borrower();
        let listener = lent(&borrower, &web).await;
        until("all of it", || borrower.loans().len() == 2).await;
        drop(lender);
        let waiting = TcpStream::connect(web.address).unwrap();

        // It decides before the borrower is back: the address is taken until then.
        let lender = meeting.lender();
        let mut news = lender.news();
        let outcome = lender.lend(from_ref(&web), open);
        assert_eq!(outcome[0].as_ref().unwrap_err().kind(), io::ErrorKind::AddrInUse);
        tokio::time::timeout(PATIENCE, news.changed()).await.unwrap().unwrap();
        until("it to be brought back", || {
            let again = lender.lend(from_ref(&web), open);
            again[0].as_ref().is_ok_and(|at| *at == web.address)
        })
        .await;
        // It may have been told to give up both, until it was known to have them.
        until("the other alone to be given up", || {
            let loans = borrower.loans();
            !loans.contains_key(&other) && loans.contains_key(&web)
        })
        .await;
        answer(&listener).await;
        assert!(is_answered(waiting));
        // It is the lender's again: it outlives that borrower too.
        drop((borrower, listener));
        let waiting = TcpStream::connect(web.address).unwrap();
        let borrower = meeting.borrower();
        answer(&lent(&borrower, &web).await).await;
        assert!(is_answered(waiting));
    });
}

#[test]
fn sockets_that_are_others_are_told_to_be_others() {
    run(async {
        let meeting = Meeting::new();
        let (lender, borrower, web) = (meeting.lender(), meeting.borrower(), place("web"));
        lender.lend(from_ref(&web), open);
        lent(&borrower, &web).await;
        let loan = borrower.loans()[&web].clone();
        // As a vip that goes and comes back, before the borrower has heard of it.
        lender.lend(&[], never);
        assert!(lender.lend(from_ref(&web), anywhere)[0].is_ok());
        until("the others", || borrower.loans().get(&web).is_some_and(|it| *it != loan)).await;
    });
}

#[test]
fn other_users_are_lent_nothing_and_lend_nothing() {
    run(async {
        let meeting = Meeting::new();
        let web = place("web");
        let lender = Lender::start(&meeting.path, own() + 1).unwrap();
        lender.lend(from_ref(&web), open);
        let wire = enter(&meeting.path);
        let said = tokio::time::timeout(PATIENCE, wire.receive()).await.unwrap();
        assert!(!matches!(said, Ok(Some(_))), "it is sent away");
        assert!(!lender.is_served());
        let mode = std::fs::metadata(&meeting.path).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&mode.permissions());
        assert_eq!(mode & 0o777, 0o660);
        drop(lender);
        assert!(!meeting.path.exists());

        let (lender, web) = (meeting.lender(), place("web"));
        lender.lend(from_ref(&web), open);
        let wary = Borrower::new(&meeting.path, own() + 1);
        wary.begin();
        let trusting = meeting.borrower();
        lent(&trusting, &web).await;
        assert!(wary.loans().is_empty());
    });
}

/// Sends these bytes as they are.
async fn send(path: &Path, bytes: &[u8], sockets: &[OwnedFd]) -> crate::wire::Wire {
    let wire = enter(path);
    let beside: Vec<BorrowedFd<'_>> = sockets.iter().map(AsFd::as_fd).collect();
    if let Some(word) = Word::read(bytes) {
        wire.send(&word, &beside).await.unwrap();
    } else {
        let mut nothing = SendAncillaryBuffer::default();
        let parts = [IoSlice::new(bytes)];
        rustix::net::sendmsg(wire.descriptor(), &parts, &mut nothing, SendFlags::NOSIGNAL).unwrap();
    }
    wire
}

#[test]
fn nonsense_ends_a_conversation_and_nothing_else() {
    run(async {
        let meeting = Meeting::new();
        let (lender, web) = (meeting.lender(), place("web"));
        lender.lend(from_ref(&web), open);
        let lent_word = Word::Lent(web.clone()).bytes();
        let ended = Word::Ended(web.clone()).bytes();
        let long = vec![b'x'; 4000];
        let connected = || TcpStream::connect(web.address).unwrap().into();
        let elsewhere = || TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).unwrap().into();
        let file = || std::fs::File::open("/dev/null").unwrap().into();
        let cases: Vec<(&[u8], Vec<OwnedFd>)> = vec![
            (b"{", vec![]),
            (b"null", vec![]),
            (b"\xff\xfe", vec![]),
            (br#"{"lent": {"entry_point": 1, "address": "x"}}"#, vec![]),
            (&long, vec![]),
            (&ended, vec![]),
            (&lent_word, vec![]),
            (&lent_word, vec![connected()]),
            (&lent_word, vec![elsewhere()]),
            (&lent_word, vec![file()]),
        ];
        for (bytes, sockets) in cases {
            let wire = send(&meeting.path, bytes, &sockets).await;
            let said = tokio::time::timeout(PATIENCE, wire.receive()).await.unwrap();
            assert!(!matches!(said, Ok(Some(_))), "{bytes:?}");
        }
        // One who says more than was asked for.
        let wire = send(&meeting.path, &Word::Told.bytes(), &[]).await;
        wire.send(&Word::Told, &[]).await.unwrap();
        let mut words = 0;
        while let Ok(Some(_)) = tokio::time::timeout(PATIENCE, wire.receive()).await.unwrap() {
            words += 1;
        }
        assert!(words <= 2, "{words}");

        // Those who are silent, and one who never reads, are in nobody's way.
        let silent = [(); 2].map(|()| enter(&meeting.path));
        let deaf = send(&meeting.path, &Word::Told.bytes(), &[]).await;
        for turn in 0..2000_u16 {
            let changing = SocketAddr::from((Ipv4Addr::LOCALHOST, turn));
            let changing = LentPlace { entry_point: "changing".to_owned(), address: changing };
            lender.lend(&[web.clone(), changing], anywhere);
            tokio::task::yield_now().await;
        }
        let good = meeting.borrower();
        lent(&good, &web).await;
        drop((silent, deaf));
    });
}

#[test]
fn who_talks_and_does_not_go_is_in_no_gateways_way() {
    run(async {
        let meeting = Meeting::new();
        let (lender, web) = (meeting.lender(), place("web"));
        lender.lend(from_ref(&web), open);
        // As many as there may be, who look like gateways, before one and after it.
        let talkative = async || {
            let wire = send(&meeting.path, &Word::Told.bytes(), &[]).await;
            let said = tokio::time::timeout(PATIENCE, wire.receive()).await.unwrap();
            assert!(matches!(said, Ok(Some(_))), "it is lent what there is");
            wire
        };
        let mut crowd = Vec::new();
        for _ in 0..8 {
            crowd.push(talkative().await);
        }
        let good = meeting.borrower();
        let listener = lent(&good, &web).await;
        for _ in 0..8 {
            crowd.push(talkative().await);
        }
        // It was left alone, comes back, and is told what is new.
        let other = place("other");
        lender.lend(&[web.clone(), other.clone()], open);
        until("the new one", || good.loans().contains_key(&other)).await;
        let client = TcpStream::connect(web.address).unwrap();
        answer(&listener).await;
        assert!(is_answered(client));
        assert!(lender.is_served());
    });
}

#[test]
fn who_drips_is_given_up() {
    run(async {
        let meeting = Meeting::new();
        let (lender, web) = (meeting.lender(), place("web"));
        lender.lend(from_ref(&web), open);
        let wire = enter(&meeting.path);
        let begun = Instant::now();
        // Each word comes soon enough, and there is no end of them.
        let drip = async {
            for number in 1..u16::MAX {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, number));
                let place = LentPlace { entry_point: "drip".to_owned(), address };
                let socket = TcpListener::bind(place.address);
                let Ok(socket) = socket else { continue };
                if wire.send(&Word::Lent(place), &[socket.as_fd()]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, drip).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        assert!(!lender.is_served(), "it is no gateway");
        lent(&meeting.borrower(), &web).await;
    });
}

#[test]
fn there_is_a_bound_to_what_is_lent() {
    run(async {
        let meeting = Meeting::new();
        let lender = meeting.lender();
        let many: Vec<LentPlace> = (0..=MOST_PLACES)
            .map(|number| LentPlace {
                entry_point: format!("n{number}"),
                address: (Ipv4Addr::LOCALHOST, 0).into(),
            })
            .collect();
        let outcomes = lender.lend(&many, open);
        assert_eq!(outcomes.iter().filter(|it| it.is_ok()).count(), MOST_PLACES);
        let borrower = meeting.borrower();
        until("all of them", || borrower.loans().len() == MOST_PLACES).await;
    });
}

/// A socket whose last close waits for a minute: nobody reads what was sent.
fn lingering() -> OwnedFd {
    let peer = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut socket = TcpStream::connect(peer.local_addr().unwrap()).unwrap();
    let deaf = peer.accept().unwrap();
    socket.set_nonblocking(true).unwrap();
    while socket.write(&[0; 1 << 16]).is_ok() {}
    rustix::net::sockopt::set_socket_linger(&socket, Some(PATIENCE)).unwrap();
    std::mem::forget(deaf);
    socket.into()
}

#[test]
fn nobody_waits_for_what_somebody_sent_to_be_closed() {
    run(async {
        let meeting = Meeting::new();
        let (lender, web) = (meeting.lender(), place("web"));
        lender.lend(from_ref(&web), open);
        for word in [Word::Told, Word::Lent(web.clone()), Word::Ended(web.clone())] {
            let begun = Instant::now();
            let wire = send(&meeting.path, &word.bytes(), &[lingering()]).await;
            let _ = tokio::time::timeout(PATIENCE, wire.receive()).await;
            assert!(begun.elapsed() < PATIENCE / 4, "{word:?} took {:?}", begun.elapsed());
        }
    });
}

#[test]
fn who_ends_late_takes_no_place_of_the_next_one() {
    run(async {
        let meeting = Meeting::new();
        let first = meeting.lender();
        let second = meeting.lender();
        drop(first);
        let web = place("web");
        second.lend(from_ref(&web), open);
        lent(&meeting.borrower(), &web).await;
    });
}

#[test]
fn what_listens_in_another_network_is_not_taken() {
    if let Some(why) = netns::unavailable() {
        return eprintln!("skipped: what_listens_in_another_network: {why}");
    }
    run(async {
        let meeting = Meeting::new();
        let (lender, web) = (meeting.lender(), place("web"));
        let elsewhere = Namespace::create(&format!("sy-lend-{}", std::process::id())).unwrap();
        elsewhere.ip(&["link", "set", "lo", "up"]).unwrap();
        let listen = || TcpListener::bind(web.address).unwrap();
        let false_one = elsewhere.run(listen).unwrap();
        let word = Word::Lent(web.clone()).bytes();
        let wire = send(&meeting.path, &word, &[false_one.into()]).await;
        wire.send(&Word::Told, &[]).await.ok();
        let said = tokio::time::timeout(PATIENCE, wire.receive()).await.unwrap();
        assert!(!matches!(said, Ok(Some(_))), "it is sent away");
        lender.lend(from_ref(&web), open);
        let listener = lent(&meeting.borrower(), &web).await;
        let client = TcpStream::connect(web.address).unwrap();
        answer(&listener).await;
        assert!(is_answered(client));
    });
}

#[test]
fn the_door_is_where_nobody_can_put_another() {
    run(async {
        let mode = |path: &Path, mode| {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            std::fs::set_permissions(path, mode).unwrap();
        };
        let open = |meeting: &Meeting| Lender::start(&meeting.path, own()).map(drop);
        let meeting = Meeting::new();
        let folder = meeting.path.parent().unwrap();
        for bits in [0o777, 0o775, 0o757] {
            mode(folder, bits);
            let refused = open(&meeting).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied, "{bits:o}");
        }
        mode(folder, 0o1777);
        open(&meeting).unwrap();
        mode(folder, 0o755);
        open(&meeting).unwrap();
        let aside = folder.join("aside");
        std::fs::write(&aside, "kept").unwrap();
        mode(&aside, 0o600);
        for target in [&aside, &folder.join("nothing")] {
            std::os::unix::fs::symlink(target, &meeting.path).unwrap();
            assert_eq!(open(&meeting).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            std::fs::remove_file(&meeting.path).unwrap();
        }
        let kept = std::fs::metadata(&aside).unwrap().permissions();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&kept) & 0o777, 0o600);
        std::fs::create_dir(&meeting.path).unwrap();
        assert_eq!(open(&meeting).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        std::fs::remove_dir(&meeting.path).unwrap();
        // One that was killed leaves its own.
        std::mem::forget(std::os::unix::net::UnixListener::bind(&meeting.path).unwrap());
        open(&meeting).unwrap();
        assert!(!meeting.path.exists());
    });
}
