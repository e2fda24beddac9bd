//! What is done about what happens by itself.

use std::sync::Arc;
use std::time::Instant;

use steelyard_host::links::LinkError;
use steelyard_speaker::SpeakerEvent;
use tokio::sync::broadcast::error::RecvError;

use super::Instance;
use super::senses::{News, addresses};
use crate::hands;

impl Instance {
    /// Waits until something happened by itself. Cancel-safe.
    pub(crate) async fn news(&mut self) -> News {
        tokio::select! {
            () = self.hands.names.changed() => News::Names,
            news = self.senses.news() => news,
        }
    }

    /// Answers to news.
    pub(crate) async fn hear(&mut self, news: News) {
        match news {
            News::Names | News::Lent => return self.apply_again().await,
            News::Links(told) => {
                // Routes and what else follows are there a moment later.
                self.next_repair = Instant::now();
                return self.look(told).await;
            }
            // At the next tick: such changes come in swarms.
            News::Filter => return self.next_repair = Instant::now(),
            News::Status => {}
            News::Shared => self.meet().await,
            News::Spoken(Ok(event)) => self.note_spoken(&event),
            News::Spoken(Err(RecvError::Lagged(missed))) => {
                tracing::warn!(missed, "too many events at once");
            }
            News::Spoken(Err(RecvError::Closed)) => {
                self.senses.spoken = None;
                tracing::error!("the speaker ended: nothing is answered for");
            }
        }
        self.hands.board.show();
    }

    fn note_spoken(&self, event: &SpeakerEvent) {
        let object = match event.address {
            Some(vip) => format!("Vip/{vip}"),
            None => format!("Node/{}", self.node()),
        };
        let normal = !event.kind.is_warning();
        let help = event.kind.help().map(|help| format!("; {help}")).unwrap_or_default();
        self.history.keep(normal, event.kind.as_str(), &object, &format!("{event}{help}"));
    }

    /// Looks at this machine's addresses: a vip that became one of them is the machine's.
    pub(super) async fn look(&mut self, told: Result<(), LinkError>) {
        if let Err(error) = told {
            tracing::warn!(%error, "changes of addresses are noticed late");
            self.senses.links = None;
        }
        let Some(addresses) = addresses().filter(|now| *now != *self.own.addresses) else { return };
        self.own.addresses = Arc::new(addresses);
        if self.current().is_some() {
            // Which endpoints are here, and which elsewhere, may be otherwise now.
            hands::forget(&mut self.hands);
            // Only the start fails for want of the lock.
            let _ = self.take_again().await;
        }
    }

    /// Machines that were never heard before may own vips as well.
    async fn meet(&mut self) {
        let Some(shared) = &mut self.senses.shared else { return };
        let heard = Arc::clone(&shared.borrow_and_update());
        let Some(company) = &mut self.own.company else { return };
        let before = company.others.len();
        let members = heard.members.iter().map(|it| &it.status).filter(|it| !it.this);
        company.others.extend(members.map(|member| member.name.to_string()));
        if company.others.len() > before && self.current().is_some() {
            // Only the start fails for want of the lock.
            let _ = self.take_again().await;
        }
    }
}
