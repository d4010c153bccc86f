#[perlmod::package(name = "PVE::RS::Multipath::Events", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_events {
    //! What changed between two states of the cluster.

    use pve_multipath::cluster::events::{self, Damping, Event, Snapshot, StatusLuns};
    use pve_multipath::wire::scalar::Scalar;
    use serde::{Deserialize, Serialize};

    use crate::types::Bytes;

    #[derive(Deserialize)]
    pub struct EventsArgs<'a> {
        #[serde(borrow)]
        previous: StatusLuns<'a>,
        #[serde(borrow)]
        current: StatusLuns<'a>,
        /// The time; without it nothing is damped.
        #[serde(borrow, default)]
        now: Scalar<'a>,
        /// The `damping` of the last call.
        #[serde(borrow, default)]
        damping: Option<&'a [u8]>,
    }

    #[derive(Serialize)]
    pub struct Events {
        events: Vec<Event>,
        /// For the next call.
        damping: Bytes<'static>,
    }

    /// The events between two statuses.
    #[export]
    pub fn health_events(args: EventsArgs) -> Events {
        let (previous, current) = (Snapshot::from(args.previous), Snapshot::from(args.current));
        let mut damping = Damping::parse(args.damping);
        let damped = args.now.as_int().map(|now| (&mut damping, now));
        let events = events::health_events(&previous, &current, damped);
        Events {
            events,
            damping: damping.to_json().into(),
        }
    }
}
