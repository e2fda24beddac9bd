//! The unfinished tree of one document.

use std::collections::BTreeMap;
use std::sync::Arc;

use granit_parser::{Event, ScalarStyle, Span, StructureStyle, Tag};

use super::mapping::OpenMap;
use super::mark_of;
use crate::codes;
use crate::fault::Fault;
use crate::source::ReadLimits;
use crate::tree::{Lead, Mark, Node, Plain, Value};

/// This much text counts as one more value of the budget.
const TEXT_UNIT: usize = 64;

pub(super) struct Builder {
    stack: Vec<Frame>,
    root: Option<Node>,
    /// What a key that is written twice costs: the document.
    doubled: Option<Fault>,
    /// What stands below the root at keys that stand there before: where a `---` is missing,
    /// another object.
    again: Option<Node>,
    anchors: BTreeMap<usize, Anchored>,
    /// Values so far, those of aliases unfolded, over all documents of the file.
    spent: usize,
    limits: ReadLimits,
    /// `yes`, `on`, `n` and the like are texts, as in YAML 1.2.
    pub(super) is_core: bool,
}

/// A collection that is not closed yet.
struct Frame {
    mark: Mark,
    block: bool,
    anchor: usize,
    spent_before: usize,
    height: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map(OpenMap),
}

struct Anchored {
    node: Arc<Node>,
    /// Its values, unfolded.
    weight: usize,
    height: usize,
}

/// A complete value on its way into the tree.
struct Done {
    node: Node,
    height: usize,
    /// Shown at its key, because it is empty or starts on a later line.
    at_key: bool,
}

impl Builder {
    pub(super) fn new(limits: &ReadLimits) -> Self {
        let (stack, anchors) = (Vec::new(), BTreeMap::new());
        let (root, doubled, again) = (None, None, None);
        Self { stack, root, doubled, again, anchors, spent: 0, limits: *limits, is_core: false }
    }

    /// Ready for the next document.
    pub(super) fn reset(&mut self) {
        self.stack.clear();
        self.anchors.clear();
        (self.root, self.doubled, self.again) = (None, None, None);
    }

    /// The first key that is written twice.
    pub(super) fn doubled(&mut self) -> Option<Fault> {
        self.doubled.take()
    }

    /// What follows the document in it.
    pub(super) fn again(&mut self) -> Option<Node> {
        self.again.take()
    }

    /// The document; none for an empty one.
    pub(super) fn finish(&mut self) -> Option<Node> {
        self.anchors.clear();
        let empty = |node: &Node| node.scalar() == Some(Plain::Null);
        self.root.take().filter(|node| !empty(node))
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.spent > self.limits.nodes
    }

    pub(super) fn push(&mut self, event: &Event<'_>, span: Span) -> Result<(), Fault> {
        let mark = mark_of(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.spend(1 + text.len() / TEXT_UNIT, mark)?;
                let mut value = scalar(text, *style, tag.as_deref(), lead(text, *style, span));
                if let Value::Scalar { plain, .. } = &mut value
                    && self.is_core
                    && tag.as_deref().and_then(Tag::core_suffix).is_none()
                {
                    *plain &= !Plain::is_word_of_yaml_1_1(text);
                }
                let below = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let at_key = below || (span.is_empty() && matches!(value, Value::Null));
                let node = Node { mark, value };
                self.complete(Done { node, height: 0, at_key }, *anchor, 1 + text.len() / TEXT_UNIT)
            }
            Event::SequenceStart(style, anchor, _) => {
                self.open(mark, *style, *anchor, Content::List(Vec::new()))
            }
            Event::MappingStart(style, anchor, _) => {
                self.open(mark, *style, *anchor, Content::Map(OpenMap::default()))
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(*anchor, mark),
            _ => Ok(()),
        }
    }

    fn open(
        &mut self,
        mark: Mark,
        style: StructureStyle,
        anchor: usize,
        content: Content,
    ) -> Result<(), Fault> {
        let spent_before = self.spent;
        self.spend(1, mark)?;
        self.deepen(1, mark)?;
        if let Some(Frame { content: Content::Map(map), .. }) = self.stack.last() {
            map.expect_value(mark)?;
        }
        let block = style == StructureStyle::Block;
        self.stack.push(Frame { mark, block, anchor, spent_before, height: 1, content });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        let frame = self.stack.pop().expect("the parser closes only what it opened");
        let value = match frame.content {
            Content::List(items) => Value::List(items),
            Content::Map(mut map) => {
                let again = map.again();
                if self.stack.is_empty() && !again.is_empty() {
                    let mark = again[0].mark;
                    self.again = Some(Node { mark, value: Value::Map(again) });
                }
                Value::Map(map.close()?)
            }
        };
        let weight = self.spent - frame.spent_before;
        let node = Node { mark: frame.mark, value };
        let done = Done { node, height: frame.height, at_key: frame.block };
        self.complete(done, frame.anchor, weight)
    }

    fn alias(&mut self, anchor: usize, mark: Mark) -> Result<(), Fault> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(Fault {
                mark,
                code: codes::YAML_TOO_COMPLEX,
                message: "this alias stands inside the value that it repeats".to_owned(),
                help: "write out the value instead of the alias".to_owned(),
            });
        };
        let (weight, height) = (anchored.weight, anchored.height);
        let node = Node { mark, value: Value::Shared(anchored.node.clone()) };
        self.spend(weight, mark)?;
        self.deepen(height, mark)?;
        self.add(Done { node, height, at_key: false })
    }

    fn complete(&mut self, mut done: Done, anchor: usize, weight: usize) -> Result<(), Fault> {
        if anchor != 0 {
            let mark = done.node.mark;
            let node = Arc::new(done.node);
            let height = done.height;
            self.anchors.insert(anchor, Anchored { node: node.clone(), weight, height });
            done.node = Node { mark, value: Value::Shared(node) };
        }
        self.add(done)
    }

    fn add(&mut self, done: Done) -> Result<(), Fault> {
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(done.node);
            return Ok(());
        };
        frame.height = frame.height.max(done.height + 1);
        match &mut frame.content {
            Content::List(items) => items.push(done.node),
            Content::Map(map) => {
                let doubled = map.add(done.node, done.at_key)?;
                self.doubled = self.doubled.take().or(doubled);
            }
        }
        Ok(())
    }

    fn spend(&mut self, nodes: usize, mark: Mark) -> Result<(), Fault> {
        self.spent = self.spent.saturating_add(nodes);
        if !self.is_exhausted() {
            return Ok(());
        }
        Err(Fault {
            mark,
            code: codes::YAML_TOO_COMPLEX,
            message: format!(
                "the file has more than {} values, those that aliases repeat included; nothing \
                 from here on is read",
                self.limits.nodes
            ),
            help: "split the file into smaller ones, and use fewer aliases of aliases".to_owned(),
        })
    }

    fn deepen(&self, levels: usize, mark: Mark) -> Result<(), Fault> {
        if self.stack.len() + levels <= self.limits.depth {
            return Ok(());
        }
        Err(too_deep(mark, self.limits.depth))
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, lead: Lead) -> Value {
    let string = tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
    let other = tag.and_then(Tag::core_suffix).is_some() && !string;
    let plain = (style == ScalarStyle::Plain && !string) || other;
    if plain && Plain::of(text) == Plain::Null {
        return Value::Null;
    }
    Value::Scalar { text: text.into(), plain, lead }
}

fn lead(text: &str, style: ScalarStyle, span: Span) -> Lead {
    let lead = match style {
        ScalarStyle::Plain => 0,
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => 1,
        ScalarStyle::Literal | ScalarStyle::Folded => return None,
    };
    let length = span.end.col().checked_sub(span.start.col())?;
    let is_as_it_is = text.chars().count() + 2 * usize::from(lead) == length;
    (is_as_it_is && span.start.line() == span.end.line()).then_some(lead)
}

fn too_deep(mark: Mark, depth: usize) -> Fault {
    Fault {
        mark,
        code: codes::YAML_TOO_COMPLEX,
        message: format!("mappings and lists are nested more than {depth} levels deep here"),
        help: "no Kubernetes object is that deep: check the indentation and the brackets"
            .to_owned(),
    }
}
