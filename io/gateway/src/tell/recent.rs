//! The last requests of one core that were not answered with success, and why: for whoever asks
//! what became of one.
//!
//! A ring of rows, each bounded, whose memory is used again. Nothing of it is touched by a request
//! that is answered with success, and nothing of it is shared: who asks gets a copy of each core's.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::tell::access_log::Note;
use crate::tell::fault::Fault;
use crate::tell::request_id::{RequestId, RequestIds};

/// How many are told of, the newest of all cores.
pub(crate) const MOST: usize = 1_000;

/// A request that was not answered with success.
#[derive(Clone, Debug)]
pub struct FailedRequest {
    /// What it is called in the answer and in the access log.
    pub id: RequestId,
    /// When it was over.
    pub time: SystemTime,
    /// How long it took.
    pub duration: Duration,
    /// Who asked, as far as those may say it that are trusted.
    pub client: IpAddr,
    /// Where it came in.
    pub entry_point: Arc<str>,
    /// Whether it came over TLS.
    pub is_tls: bool,
    /// As sent; empty where it could not be understood.
    pub method: String,
    /// The host that was named.
    pub host: String,
    /// The path, without the query: that is often a secret.
    pub path: String,
    /// What it was answered with; 499 where nobody was there any more.
    pub status: u16,
    /// The route that took it.
    pub router: Option<Arc<str>>,
    /// The backend that was tried.
    pub service: Option<Arc<str>>,
    /// The endpoint that was tried last.
    pub endpoint: Option<Arc<str>>,
    /// Attempts after the first.
    pub retries: u32,
    /// The place of the filter that answered, among those that it passed, counted from outside.
    pub frame: Option<usize>,
    /// Why it is not what an endpoint said, or not all of it; none: the endpoint said so.
    pub reason: Option<&'static str>,
    /// What is known beside it: attempts that failed, rules that were near.
    pub details: Vec<String>,
}

/// The same, as it is handed in.
pub(crate) struct Unkept<'a> {
    pub(crate) id: RequestId,
    pub(crate) note: &'a Note,
    pub(crate) client: IpAddr,
    pub(crate) entry_point: &'a Arc<str>,
    pub(crate) is_tls: bool,
    pub(crate) status: u16,
    pub(crate) duration: Duration,
    pub(crate) router: Option<&'a Arc<str>>,
    pub(crate) service: Option<&'a Arc<str>>,
    pub(crate) endpoint: Option<&'a Arc<str>>,
    pub(crate) retries: u32,
    pub(crate) frame: Option<usize>,
    pub(crate) why: Option<Fault>,
    pub(crate) details: Vec<String>,
}

/// Those of one core.
pub(crate) struct Recent {
    rows: RefCell<VecDeque<FailedRequest>>,
    most: usize,
    ids: RequestIds,
}

/// Most details of one row, and bytes of each text.
const MOST_DETAILS: usize = 8;
const LONGEST: usize = 256;

impl Recent {
    /// Of the core `index` of so many, whose process has this `seed`.
    pub(crate) fn new(index: usize, cores: usize, seed: u64) -> Self {
        let most = MOST.min(4 * MOST / cores.max(1));
        Self { rows: RefCell::default(), most, ids: RequestIds::new(index, seed) }
    }

    /// Whether such an answer is kept: no success, nor that what the client has is still good; or
    /// one that was cut off.
    pub(crate) fn keeps(status: u16, why: Option<Fault>) -> bool {
        why.is_some() || !matches!(status, 100..=299 | 304)
    }

    /// A name that no other request has.
    pub(crate) fn name(&self) -> RequestId {
        self.ids.next()
    }

    /// Keeps one, in the place of the oldest.
    pub(crate) fn keep(&self, mut it: Unkept<'_>) {
        let mut rows = self.rows.borrow_mut();
        let oldest = if rows.len() < self.most { None } else { rows.pop_front() };
        let (mut method, mut host, mut path) =
            oldest.map_or_else(Default::default, |row| (row.method, row.host, row.path));
        let asked = it.note.target.split('?').next().unwrap_or_default();
        for (to, from) in
            [(&mut method, &*it.note.method), (&mut host, &*it.note.host), (&mut path, asked)]
        {
            to.clear();
            to.push_str(cut(from));
        }
        it.details.truncate(MOST_DETAILS);
        rows.push_back(FailedRequest {
            id: it.id,
            time: SystemTime::now(),
            duration: it.duration,
            client: it.client,
            entry_point: it.entry_point.clone(),
            is_tls: it.is_tls,
            method,
            host,
            path,
            status: it.status,
            router: it.router.cloned(),
            service: it.service.cloned(),
            endpoint: it.endpoint.cloned(),
            retries: it.retries,
            frame: it.frame,
            reason: it.why.map(Fault::reason),
            details: it.details,
        });
    }

    /// A copy.
    pub(crate) fn all(&self) -> Vec<FailedRequest> {
        self.rows.borrow().iter().cloned().collect()
    }
}

/// The newest of all cores' first.
pub(crate) fn newest(all: impl IntoIterator<Item = Vec<FailedRequest>>) -> Vec<FailedRequest> {
    let mut rows: Vec<FailedRequest> = all.into_iter().flatten().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.time));
    rows.truncate(MOST);
    rows
}

/// Whether a text of at most [`LONGEST`] bytes was cut is seen by its end.
fn cut(text: &str) -> &str {
    if text.len() <= LONGEST { text } else { &text[..text.floor_char_boundary(LONGEST)] }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn keep(recent: &Recent, target: &str, details: usize) {
        let mut note = Note::default();
        note.take_rewritten(format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes());
        recent.keep(Unkept {
            id: recent.name(),
            note: &note,
            client: [127, 0, 0, 1].into(),
            entry_point: &"web".into(),
            is_tls: false,
            status: 404,
            duration: Duration::ZERO,
            router: None,
            service: None,
            endpoint: None,
            retries: 0,
            frame: None,
            why: Some(Fault::NoRoute),
            details: vec![String::new(); details],
        });
    }

    #[test]
    fn the_newest_are_kept_and_none_is_long() {
        let recent = Recent::new(0, 1, 7);
        for number in 0..=MOST {
            keep(&recent, &format!("/{number}?token=secret"), 0);
        }
        keep(&recent, &"/\u{fc}".repeat(LONGEST), 100);
        let rows = recent.all();
        assert_eq!((rows.len(), &*rows[0].path), (MOST, "/2"));
        let last = rows.last().expect("it was kept");
        assert!((LONGEST - 2..=LONGEST).contains(&last.path.len()), "{}", last.path.len());
        assert_eq!(last.details.len(), MOST_DETAILS);
        assert_eq!(last.reason, Some("no route matches"));
        let ids: BTreeSet<RequestId> = rows.iter().map(|row| row.id).collect();
        assert_eq!(ids.len(), MOST);
    }

    #[test]
    fn of_all_cores_the_newest_are_told_and_many_cores_keep_few_each() {
        let cores = [0, 1].map(|index| Recent::new(index, 2, 7));
        for number in 0..MOST {
            keep(&cores[number % 2], &format!("/{number}"), 0);
        }
        cores.iter().for_each(|core| keep(core, "/last", 0));
        let rows = newest(cores.iter().map(Recent::all));
        assert_eq!(rows.len(), MOST);
        assert_eq!([&*rows[0].path, &*rows[1].path], ["/last"; 2]);
        assert!(rows.is_sorted_by(|a, b| a.time >= b.time));
        let ids: BTreeSet<String> = rows.iter().map(|row| row.id.to_string()).collect();
        assert!(ids.len() == MOST && ids.iter().all(|id| id.len() == 16));
        let many = Recent::new(0, 100, 7);
        (0..MOST).for_each(|_| keep(&many, "/", 0));
        assert_eq!(many.all().len(), 40);
    }

    #[test]
    fn what_is_no_failure_is_not_kept() {
        for (status, why, kept) in [
            (200, None, false),
            (101, None, false),
            (304, None, false),
            (302, None, true),
            (404, None, true),
            (200, Some(Fault::UpstreamClosed), true),
            (0, None, true),
        ] {
            assert_eq!(Recent::keeps(status, why), kept, "{status} {why:?}");
        }
    }
}
