//! Watches the ip rule and the private routing table: nobody but us has business there.

use steelyard_host::rule::{Detours, MarkRule, RuleWatch};

use crate::told::Told;

#[derive(Debug)]
pub(crate) struct Vigil {
    /// None where the kernel does not tell: then what others did is mended with the next apply.
    watch: Option<RuleWatch>,
    /// What others did and was not seen to yet.
    seen: Detours,
    told: Told,
}

impl Vigil {
    pub(crate) fn open(rule: MarkRule) -> Self {
        let late = |error: &std::io::Error| {
            tracing::debug!(%error, "changes to ip rules are noticed late");
        };
        let watch = RuleWatch::open(rule).inspect_err(late).ok();
        Self { watch, seen: Detours::default(), told: Told::default() }
    }

    /// What comes through this port of netlink is ours from now on.
    pub(crate) fn is_own(&mut self, port: u32) {
        self.watch.iter_mut().for_each(|watch| watch.is_own(port));
    }

    /// Waits until others changed a rule or our routes; whether what is ours is to be set again.
    /// What they did is kept, so nothing is lost when the wait is given up.
    pub(crate) async fn stirred(&mut self) -> bool {
        loop {
            let readable = match &self.watch {
                Some(watch) => watch.readable().await,
                None => std::future::pending().await,
            };
            if let Err(error) = readable {
                self.give_up(&error);
                continue;
            }
            let news = self.read();
            self.seen.merge(news);
            if news.touches() || news.rules {
                return news.touches();
            }
        }
    }

    /// All is about to be set again: tells whose doing that is.
    pub(crate) fn attend(&mut self) {
        let mut seen = std::mem::take(&mut self.seen);
        seen.merge(self.read());
        let what = match (seen.rule, seen.routes) {
            (true, true) => "ip rules and routes",
            (true, false) => "ip rules",
            (false, true) => "routes",
            (false, false) => return,
        };
        self.told.tell("another program", what);
    }

    fn read(&mut self) -> Detours {
        match self.watch.as_ref().map(RuleWatch::read) {
            Some(Ok(news)) => news,
            Some(Err(error)) => {
                self.give_up(&error);
                Detours::default()
            }
            None => Detours::default(),
        }
    }

    fn give_up(&mut self, error: &std::io::Error) {
        tracing::warn!(%error, "changes to ip rules are noticed late");
        self.watch = None;
    }
}
