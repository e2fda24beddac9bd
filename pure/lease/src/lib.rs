//! Which of several replicas leads, by a Lease object of the cluster, without a socket.
//!
//! One [`Election`] is one replica's part. Told what an API server answered and the time, it says
//! what to ask, and whether this replica leads. It owns no clock and no socket; times in the
//! object are read by nobody, since clocks of machines differ.
//!
//! Promises, and the rule that keeps each:
//! - *At most one leads.* A leader counts from when it *began* to ask for a renewal, and stops
//!   [`ElectionTiming::deadline`] later, answered or not; another one waits for
//!   [`ElectionTiming::duration`], which is longer, from when it *saw* the object as it is. Each
//!   change is made to the version that was read, so of two at once the API server refuses one.
//! - *Asleep is deposed.* Whether this replica leads is asked with the time, before each write
//!   ([`Election::leads`]); who slept past its deadline learns so first.
//! - *Somebody leads* while the API server answers: a lease that nobody renews is taken.
//! - *Who goes says so.* A leader that ends lets go, and the next one need not wait.
//!
//! The rule is that of Kubernetes' own components (client-go, `leaderelection`), by what a replica
//! itself observed.

mod election;
mod record;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;

pub use election::{Election, ElectionInput, ElectionOutput, ElectionTiming};
pub use record::{LeaseRecord, SeenLease};
