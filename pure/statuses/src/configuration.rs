//! ConfigurationState: whether the configuration that a component read is valid.

use serde::{Deserialize, Serialize};

use steelyard_model::Diagnostic;
use steelyard_model::Labels;

/// Label with the kind of the component.
const COMPONENT_LABEL: &str = "metallb.io/component-type";
/// Label with a speaker's node.
const NODE_LABEL: &str = "metallb.io/node-name";

/// Kinds that configure; errors about others (a Service, a route) are not the configuration's.
const CONFIGURATION_KINDS: [&str; 6] =
    ["BFDProfile", "BGPAdvertisement", "BGPPeer", "Community", "IPAddressPool", "L2Advertisement"];

/// Who reads configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component<'a> {
    /// The one that gives addresses: it reads pools.
    Controller,
    /// The one that announces them on a node: it reads all of it.
    Speaker {
        /// Its node.
        node: &'a str,
    },
}

/// `status` of a ConfigurationState.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConfigurationState {
    /// One per reader of configuration, by type.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// What they come to; none on a new object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Validity>,
    /// Messages of the conditions that say it is not valid, one a line.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error_summary: String,
}

/// Whether a configuration is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Validity {
    /// Nobody found a fault.
    Valid,
    /// Somebody did.
    Invalid,
    /// Nobody has looked yet.
    Unknown,
}

/// A Kubernetes condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// Which; each at most once.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, in one word.
    pub reason: String,
    /// Why, in sentences; may be empty.
    pub message: String,
    /// Since when it is so, RFC 3339.
    pub last_transition_time: String,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConditionStatus {
    /// It does.
    True,
    /// It does not.
    False,
    /// Nobody knows.
    #[default]
    Unknown,
}

/// Characters that a condition's message has at most (the schema's limit).
const LONGEST_MESSAGE: usize = 32_768;
/// Reason of a condition that holds.
const RECONCILED: &str = "Reconciled";
/// Reason of one that does not, for faults of users' objects.
const CONFIGURATION_ERROR: &str = "ConfigurationError";

/// What `component` says of its configuration, `now`, given what was found wrong anywhere.
pub fn condition<'a>(
    component: Component<'_>,
    findings: impl IntoIterator<Item = &'a Diagnostic>,
    now: &str,
) -> Condition {
    let findings = findings.into_iter();
    let wrong = findings.filter(|it| it.is_error() && is_configuration(component, it));
    let lines: Vec<String> = wrong.map(line).collect();
    let (status, reason) = match lines.is_empty() {
        true => (ConditionStatus::True, RECONCILED),
        false => (ConditionStatus::False, CONFIGURATION_ERROR),
    };
    Condition {
        kind: component.condition().to_owned(),
        status,
        reason: reason.to_owned(),
        message: lines.join("\n").chars().take(LONGEST_MESSAGE).collect(),
        last_transition_time: now.to_owned(),
    }
}

/// Whether a finding is about something that `component` reads.
fn is_configuration(component: Component<'_>, finding: &Diagnostic) -> bool {
    let Some(object) = &finding.object else { return false };
    match component {
        Component::Controller => &*object.kind == "IPAddressPool",
        Component::Speaker { .. } => CONFIGURATION_KINDS.contains(&&*object.kind),
    }
}

fn line(finding: &Diagnostic) -> String {
    let Some(object) = &finding.object else { return finding.message.clone() };
    format!("{object}: {}", finding.message)
}

impl ConfigurationState {
    /// Takes in what one reader says. The time of a condition that stays as it was stays too, and
    /// so an object that says the same is not written again.
    pub fn set(&mut self, mut condition: Condition) {
        match self.conditions.iter_mut().find(|known| known.kind == condition.kind) {
            Some(known) => {
                if known.status == condition.status {
                    condition.last_transition_time.clone_from(&known.last_transition_time);
                }
                *known = condition;
            }
            None => self.conditions.push(condition),
        }
        self.conditions.sort_by(|a, b| a.kind.cmp(&b.kind));
        self.sum_up();
    }

    /// Makes `result` and `error_summary` follow from the conditions, whoever wrote them.
    pub fn sum_up(&mut self) {
        let wrong = |it: &&Condition| {
            it.status == ConditionStatus::False && it.reason == CONFIGURATION_ERROR
        };
        let wrong: Vec<&str> =
            self.conditions.iter().filter(wrong).map(|it| it.message.as_str()).collect();
        self.result = Some(match (self.conditions.is_empty(), wrong.is_empty()) {
            (true, _) => Validity::Unknown,
            (false, true) => Validity::Valid,
            (false, false) => Validity::Invalid,
        });
        self.error_summary = wrong.join("\n");
    }
}

impl Component<'_> {
    /// Name of its ConfigurationState.
    pub fn object_name(self) -> String {
        match self {
            Self::Controller => "controller".to_owned(),
            Self::Speaker { node } => format!("speaker-{node}"),
        }
    }

    /// Labels of its ConfigurationState.
    pub fn labels(self) -> Labels {
        let own: &[(&str, &str)] = match self {
            Self::Controller => &[(COMPONENT_LABEL, "controller")],
            Self::Speaker { node } => &[(COMPONENT_LABEL, "speaker"), (NODE_LABEL, node)],
        };
        own.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    /// Type of its condition.
    fn condition(self) -> &'static str {
        match self {
            Self::Controller => "poolReconcilerValid",
            Self::Speaker { .. } => "configReconcilerValid",
        }
    }
}
