//! An API server of one kind, that does what it is told, wrong or right.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

/// What it does with a question in the place of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// This status, with this header.
    Status(u16, &'static str),
    /// This text, as if it were well, and then the end.
    Text(&'static str),
    /// So many bytes of the right answer, of which more were promised.
    Half(usize),
    /// The right answer, without what ends a list.
    Endless,
    /// Nothing at all.
    Silence,
    /// No list in the form of a stream.
    NotStreamed,
    /// What begins like an answer, and goes on for as long as somebody reads.
    Flood,
    /// An error inside of a watch.
    Error(u16),
}

/// What it has.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) objects: Vec<Value>,
    pub(crate) version: u64,
    /// The oldest version that a watch can go on from.
    pub(crate) oldest: u64,
    /// Of the questions to come.
    pub(crate) faults: VecDeque<Fault>,
    /// Questions with this in them are answered well all the same.
    pub(crate) spared: Option<&'static str>,
    /// Of all questions to come.
    pub(crate) always: Option<Fault>,
    /// What is asked about this is never answered.
    pub(crate) stuck: Option<&'static str>,
    /// The token that is accepted.
    pub(crate) token: Option<&'static str>,
    /// Paths and queries.
    pub(crate) asked: Vec<String>,
    /// What happened, by version.
    log: Vec<(u64, &'static str, Value)>,
    /// Counts how often watches were ended.
    ended: u64,
}

pub(crate) struct Fake {
    pub(crate) address: String,
    shared: Arc<(Mutex<Store>, Condvar)>,
}

impl Store {
    fn stamp(&mut self, kind: &'static str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.log.push((self.version, kind, object.clone()));
        object
    }
}

impl Fake {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new((Mutex::new(Store::default()), Condvar::new()));
        let serving = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = serving.clone();
                std::thread::spawn(move || {
                    let _ = Talk { shared, stream: &stream }.answer();
                    let _ = stream.shutdown(Shutdown::Both);
                });
            }
        });
        Self { address, shared }
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes or changes an object.
    pub(crate) fn put(&self, object: Value) {
        let mut store = self.store();
        let object = store.stamp("MODIFIED", object);
        let name = object["metadata"]["name"].clone();
        store.objects.retain(|it| it["metadata"]["name"] != name);
        store.objects.push(object);
        self.shared.1.notify_all();
    }

    pub(crate) fn delete(&self, name: &str) {
        let mut store = self.store();
        let place = store.objects.iter().position(|it| it["metadata"]["name"] == name).unwrap();
        let object = store.objects.remove(place);
        store.stamp("DELETED", object);
        self.shared.1.notify_all();
    }

    /// What it has now, for another time.
    pub(crate) fn backup(&self) -> (u64, Vec<Value>) {
        let store = self.store();
        (store.version, store.objects.clone())
    }

    /// Puts back what it had then, and forgets what came since and what was before. It starts
    /// again: watches end.
    pub(crate) fn restore(&self, (version, objects): (u64, Vec<Value>)) {
        {
            let mut store = self.store();
            (store.version, store.oldest, store.objects) = (version, version, objects);
            store.log.clear();
        }
        self.end_watches();
    }

    /// Ends all watches.
    pub(crate) fn end_watches(&self) {
        self.store().ended += 1;
        self.shared.1.notify_all();
    }
}

struct Talk<'a> {
    shared: Arc<(Mutex<Store>, Condvar)>,
    stream: &'a TcpStream,
}

impl Talk<'_> {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self) -> std::io::Result<()> {
        let mut lines = BufReader::new(self.stream).lines();
        let first = lines.next().unwrap_or(Ok(String::new()))?;
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut token = None;
        for line in lines {
            let line = line?;
            if line.is_empty() {
                break;
            }
            token = line.strip_prefix("authorization: Bearer ").map(str::to_owned).or(token);
        }
        let fault = {
            let mut store = self.store();
            store.asked.push(path.clone());
            let is_known = store.token.is_none_or(|it| token.as_deref() == Some(it));
            match is_known {
                true if store.stuck.is_some_and(|it| path.contains(it)) => Some(Fault::Silence),
                true if store.spared.is_some_and(|it| path.contains(it)) => None,
                true => store.faults.pop_front().or_else(|| store.always.clone()),
                false => Some(Fault::Status(401, "x: y")),
            }
        };
        let has = |key: &str| path.contains(key);
        let is_initial = has("sendInitialEvents=true");
        match fault {
            Some(Fault::Status(status, header)) => self.put(&format!(
                "HTTP/1.1 {status} No\r\n{header}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            )),
            Some(Fault::Text(text)) => self.begin(None).and_then(|()| self.put(text)),
            Some(Fault::Flood) => {
                self.begin(None)?;
                self.put("{\"items\": [\"")?;
                let piece = "x".repeat(1 << 16);
                loop {
                    self.put(&piece)?;
                }
            }
            Some(Fault::Silence) => self.wait_for_end(),
            Some(Fault::NotStreamed) if is_initial => {
                self.put("HTTP/1.1 422 No\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}")
            }
            Some(Fault::Half(bytes)) => {
                let whole = if has("watch=1") { self.initial(&path) } else { self.page(&path) };
                self.begin(Some(whole.len()))?;
                self.put(&whole[..bytes.min(whole.len() - 1)])
            }
            Some(Fault::Endless) => {
                self.begin(None)?;
                let initial = self.initial(&path);
                let end = initial.trim_end().rfind('\n').map_or(0, |end| end + 1);
                self.put(&initial[..end])?;
                self.wait_for_end()
            }
            Some(Fault::Error(code)) => {
                self.begin(None)?;
                let status = json!({"kind": "Status", "code": code, "metadata": {}});
                self.put(&format!("{}\n", json!({"type": "ERROR", "object": status})))
            }
            Some(Fault::NotStreamed) | None if has("watch=1") => self.watch(&path, is_initial),
            Some(Fault::NotStreamed) | None => {
                let page = self.page(&path);
                self.begin(Some(page.len()))?;
                self.put(&page)
            }
        }
    }

    fn begin(&self, length: Option<usize>) -> std::io::Result<()> {
        let length = length.map_or(String::new(), |it| format!("content-length: {it}\r\n"));
        self.put(&format!("HTTP/1.1 200 OK\r\nconnection: close\r\n{length}\r\n"))
    }

    fn put(&self, text: &str) -> std::io::Result<()> {
        let mut stream = self.stream;
        stream.write_all(text.as_bytes())
    }

    /// Until whoever asked goes.
    fn wait_for_end(&self) -> std::io::Result<()> {
        let mut stream = self.stream;
        stream.read(&mut [0; 64]).map(drop)
    }

    /// Two objects a page.
    fn page(&self, path: &str) -> String {
        let store = self.store();
        let from: usize = path
            .split("continue=")
            .nth(1)
            .and_then(|rest| rest.split('&').next()?.parse().ok())
            .unwrap_or_default();
        let limit = path.split("limit=").nth(1).and_then(|it| it.split('&').next()?.parse().ok());
        let limit: usize = limit.unwrap_or_default();
        let name = path.split("metadata.name%3D").nth(1).and_then(|it| it.split('&').next());
        let is_asked = |it: &&Value| name.is_none_or(|name| it["metadata"]["name"] == name);
        let objects: Vec<&Value> = store.objects.iter().filter(is_asked).collect();
        let end = (from + limit.min(2)).min(objects.len());
        let rest = if end < objects.len() { end.to_string() } else { String::new() };
        let bare = |object: &Value| {
            let mut object = object.clone();
            for key in ["kind", "apiVersion"] {
                object.as_object_mut().unwrap().remove(key);
            }
            object
        };
        let items: Vec<Value> = objects[from..end].iter().map(|it| bare(it)).collect();
        let version = store.version.to_string();
        json!({"kind": "ServiceList", "metadata": {"resourceVersion": version, "continue": rest},
               "items": items})
        .to_string()
    }

    fn initial(&self, path: &str) -> String {
        let store = self.store();
        let line =
            |kind: &str, object: &Value| format!("{}\n", json!({"type": kind, "object": object}));
        let name = path.split("metadata.name%3D").nth(1).and_then(|it| it.split('&').next());
        let is_asked = |it: &&Value| name.is_none_or(|name| it["metadata"]["name"] == name);
        let objects = store.objects.iter().filter(is_asked).map(|object| line("ADDED", object));
        let end = json!({"kind": "Service", "metadata": {
            "resourceVersion": store.version.to_string(),
            "annotations": {"k8s.io/initial-events-end": "true"}}});
        objects.chain([line("BOOKMARK", &end)]).collect()
    }

    fn watch(&self, path: &str, is_initial: bool) -> std::io::Result<()> {
        let from =
            path.split("resourceVersion=").nth(1).and_then(|it| it.split('&').next()?.parse().ok());
        let mut seen: u64 = if is_initial { self.store().version } else { from.unwrap_or(0) };
        if !is_initial && seen < self.store().oldest {
            return self.put("HTTP/1.1 410 Gone\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        }
        let (initial, ended) = (self.initial(path), self.store().ended);
        self.begin(None)?;
        if is_initial {
            self.put(&initial)?;
        }
        loop {
            let new: Vec<(u64, &'static str, Value)> = {
                let mut store = self.store();
                while store.ended == ended && store.log.iter().all(|(version, ..)| *version <= seen)
                {
                    let wait = self.shared.1.wait_timeout(store, Duration::from_millis(50));
                    store = wait.unwrap_or_else(PoisonError::into_inner).0;
                }
                if store.ended != ended {
                    return Ok(());
                }
                store.log.iter().filter(|(version, ..)| *version > seen).cloned().collect()
            };
            for (version, kind, object) in new {
                self.put(&format!("{}\n", json!({"type": kind, "object": object})))?;
                seen = version;
            }
        }
    }
}
