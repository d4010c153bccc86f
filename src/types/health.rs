//! States of maps on a node and of LUNs in the cluster.

use super::words::words;

words! {
    /// Health of one map on one node, from best to worst.
    Health {
        /// Every path is active and none is known to be missing.
        Optimal = "optimal",
        /// Some path is active, but not all of them are, or one is missing.
        Degraded = "degraded",
        /// There is no path, or no active path.
        Failed = "failed",
    }
}

impl Health {
    /// The health of a map with these numbers of active paths and of all paths.
    ///
    /// A path is active if device-mapper has it in state `active`; the path checker's state lags.
    pub fn from_paths(active: usize, total: usize) -> Self {
        if active == 0 {
            Self::Failed
        } else if active >= total {
            Self::Optimal
        } else {
            Self::Degraded
        }
    }
}

words! {
    /// State of a LUN on one node, or over all nodes.
    ///
    /// The variants are ordered by severity: the worst state is the greatest.
    CellState {
        /// The node is offline, or its last report is too old or cannot be read.
        Unknown = "unknown",
        /// See [`Health::Optimal`].
        Optimal = "optimal",
        /// See [`Health::Degraded`].
        Degraded = "degraded",
        /// The node should carry the LUN, and does not.
        Missing = "missing",
        /// See [`Health::Failed`].
        Failed = "failed",
    }
}

impl From<Health> for CellState {
    fn from(health: Health) -> Self {
        match health {
            Health::Optimal => Self::Optimal,
            Health::Degraded => Self::Degraded,
            Health::Failed => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_of_a_map() {
        assert_eq!(Health::from_paths(0, 0), Health::Failed);
        assert_eq!(Health::from_paths(0, 4), Health::Failed);
        assert_eq!(Health::from_paths(1, 4), Health::Degraded);
        assert_eq!(Health::from_paths(4, 4), Health::Optimal);
    }

    #[test]
    fn severity() {
        use CellState::*;
        let mut states = [Failed, Optimal, Unknown, Missing, Degraded];
        states.sort();
        assert_eq!(states, [Unknown, Optimal, Degraded, Missing, Failed]);
        for state in states {
            assert_eq!(CellState::from_name(state.as_str()), Some(state));
        }
    }
}
