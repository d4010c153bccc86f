//! States of maps on a node and of LUNs in the cluster.

use serde::{Serialize, Serializer};

/// Health of one map on one node, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// Every path is active and none is known to be missing.
    Optimal,
    /// Some path is active, but not all of them.
    Degraded,
    /// No path, or no active path.
    Failed,
}

impl Health {
    /// Derives the health of a map from its numbers of active paths and of all paths.
    ///
    /// A path is active when device-mapper has it in state `active`; the checker's opinion lags.
    pub fn from_paths(active: usize, total: usize) -> Self {
        if active == 0 {
            Self::Failed
        } else if active >= total {
            Self::Optimal
        } else {
            Self::Degraded
        }
    }

    /// The name used in results.
    pub fn as_str(self) -> &'static str {
        CellState::from(self).as_str()
    }

    /// The health of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Optimal, Self::Degraded, Self::Failed]
            .into_iter()
            .find(|h| h.as_str() == name)
    }
}

impl Serialize for Health {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// State of a LUN on one node, and of a LUN over all nodes, by severity.
///
/// The order of the variants is the order of severity: the worst state is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CellState {
    /// Nothing that counts is known: the node is offline, or its last report is too old.
    Unknown,
    /// See [`Health::Optimal`].
    Optimal,
    /// See [`Health::Degraded`].
    Degraded,
    /// The node should carry the LUN, and does not.
    Missing,
    /// See [`Health::Failed`].
    Failed,
}

impl CellState {
    /// The name used in results.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Optimal => "optimal",
            Self::Degraded => "degraded",
            Self::Missing => "missing",
            Self::Failed => "failed",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "unknown" => Some(Self::Unknown),
            "optimal" => Some(Self::Optimal),
            "degraded" => Some(Self::Degraded),
            "missing" => Some(Self::Missing),
            "failed" => Some(Self::Failed),
            _ => None,
        }
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

impl Serialize for CellState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
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
