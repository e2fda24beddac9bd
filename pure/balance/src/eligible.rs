//! Which endpoints may take new traffic.

use steelyard_model::{Endpoint, EndpointState};

/// The ready ones; when none is ready, those on their way out, which still answer. Never those
/// that are not ready.
pub fn eligible(endpoints: &[Endpoint]) -> Vec<&Endpoint> {
    let of = |state: EndpointState| -> Vec<&Endpoint> {
        endpoints.iter().filter(|endpoint| endpoint.state == state).collect()
    };
    let ready = of(EndpointState::Ready);
    if ready.is_empty() { of(EndpointState::Terminating) } else { ready }
}

#[cfg(test)]
mod tests {
    use steelyard_model::Host;

    use super::*;

    fn endpoint(port: u16, state: EndpointState) -> Endpoint {
        Endpoint { host: Host::Name("h".into()), port, state, node: None }
    }

    fn ports(endpoints: &[Endpoint]) -> Vec<u16> {
        eligible(endpoints).iter().map(|endpoint| endpoint.port).collect()
    }

    #[test]
    fn ready_before_terminating() {
        use EndpointState::{NotReady, Ready, Terminating};
        let all = [endpoint(1, Ready), endpoint(2, Terminating), endpoint(3, NotReady)];
        assert_eq!(ports(&all), [1]);
        assert_eq!(ports(&all[1..]), [2]);
        assert_eq!(ports(&all[2..]), [0_u16; 0]);
    }
}
