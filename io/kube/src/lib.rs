//! An API server of Kubernetes: what a role reads of it, as it changes. What is heard is handed on
//! as [`ClusterEvent`](steelyard_manifest::ClusterEvent)s; it does not judge what an object means.
