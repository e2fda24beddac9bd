//! A backend that takes its requests at once, and answers them when it is told to.

use std::io::{BufReader, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Received, Server, eventually, ok};

/// Answers nobody before it is released, and everybody afterwards.
pub(crate) struct HeldServer {
    pub(crate) server: Server,
    released: Arc<AtomicBool>,
}

impl HeldServer {
    /// Will answer with `body`.
    pub(crate) fn start(body: &'static str) -> Self {
        let released = Arc::new(AtomicBool::new(false));
        let is_released = released.clone();
        let server = Server::start(move |mut stream, _| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while Received::read(&mut reader).is_some() {
                eventually("it is released", || is_released.load(Ordering::SeqCst));
                let _ = stream.write_all(&ok(body));
            }
        });
        Self { server, released }
    }

    pub(crate) fn release(&self) {
        self.released.store(true, Ordering::SeqCst);
    }
}
