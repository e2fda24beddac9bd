//! Listeners of the gateway's vips, opened here and lent to a gateway that runs in a pod of its
//! own, without privileges.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;

use anyhow::Result;
use steelyard_forward::Forwarder;
use steelyard_gateway::{Bind, Sockets, open_sockets};
use steelyard_lending::{Lender, LentPlace};
use steelyard_model::Protocol;

use super::history::History;
use super::{Applied, Doing, Hand, Listeners, binds};
use crate::mind::Decided;

/// The lender, and what was lent last.
pub(crate) struct Lending {
    lender: Lender,
    forwarder: Option<Arc<Forwarder>>,
    history: History,
    opened: Arc<Listeners>,
    /// As told last, if ever.
    is_served: Option<bool>,
}

impl Lending {
    pub(crate) fn new(lender: Lender, forwarder: Option<Arc<Forwarder>>, history: History) -> Self {
        Self { lender, forwarder, history, opened: Arc::default(), is_served: None }
    }

    async fn lend(&mut self, decided: &Decided) -> Arc<Listeners> {
        let wanted = binds::at_vips(decided, self.forwarder.as_deref()).await;
        let by_place: BTreeMap<LentPlace, &Bind> =
            wanted.iter().filter(|it| is_lent(it)).map(|it| (place(it), it)).collect();
        let places: Vec<LentPlace> = by_place.keys().cloned().collect();
        let count = std::thread::available_parallelism().map_or(1, NonZero::get);
        let outcomes = self.lender.lend(&places, |place| {
            // As many as the gateway has workers, unless it is told otherwise.
            match open_sockets(by_place[place], count)?.1 {
                Sockets::Tcp(listeners) => Ok(listeners),
                Sockets::Udp(_) => Err(std::io::ErrorKind::Unsupported.into()),
            }
        });
        let is_served = self.lender.is_served();
        let outcomes = outcomes.into_iter().map(|it| it.map_err(|error| error.to_string()));
        let listeners = by_place.values().map(|it| Bind::clone(it)).zip(outcomes);
        // As long as nobody accepts from them, this node is none to come to.
        let listeners: Listeners = listeners.filter(|_| is_served).collect();
        self.tell(&listeners, (!places.is_empty()).then_some(is_served));
        if *self.opened != listeners {
            self.opened = Arc::new(listeners);
        }
        Arc::clone(&self.opened)
    }

    /// Notes what is otherwise than before, once. Where there is nothing to lend, whether anybody
    /// would serve it is nobody's business.
    fn tell(&mut self, listeners: &Listeners, is_served: Option<bool>) {
        if let Some(is_served) = is_served.filter(|it| self.is_served != Some(*it)) {
            self.is_served = Some(is_served);
            let message = match is_served {
                true => "a gateway of this node serves the listeners that are lent to it",
                false => "no gateway of this node serves the listeners that it would be lent",
            };
            self.history.note(is_served, "ListenersLent", "Node/gateway", message);
        }
        let fails = |bind: &Bind| self.opened.iter().any(|it| it.0 == *bind && it.1.is_err());
        for (bind, outcome) in listeners.iter().filter(|(bind, _)| !fails(bind)) {
            let Err(error) = outcome else { continue };
            let object = format!("EntryPoint/{}", bind.entry_point);
            let message = format!("cannot listen on {}: {error}", bind.address);
            self.history.note(false, "ListenFailed", &object, &message);
        }
    }
}

impl Hand for Lending {
    fn apply<'a>(
        &'a mut self,
        decided: &'a Arc<Decided>,
        applied: &'a mut Applied,
    ) -> Doing<'a, Result<()>> {
        Box::pin(async {
            applied.opened = Some(self.lend(decided).await);
            Ok(())
        })
    }
}

/// Sockets of UDP are not lent.
fn is_lent(bind: &Bind) -> bool {
    bind.protocol == Protocol::Tcp
}

fn place(bind: &Bind) -> LentPlace {
    LentPlace { entry_point: bind.entry_point.clone(), address: bind.address }
}
