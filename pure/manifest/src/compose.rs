//! From YAML events to trees, one document at a time.
//!
//! Not recursive, and bounded: every value, and every repetition of one by an alias, is counted
//! against the file's budget before it is built. A faulty document costs only itself, where the
//! text allows finding the next one.

mod builder;
mod mapping;
mod stream;

use granit_parser::{Event, Options, Parser, Span, StrInput};

use crate::codes;
use crate::fault::Fault;
use crate::source::ReadLimits;
use crate::syntax;
use crate::tree::{Mark, Node};

use builder::Builder;

/// The documents of one file, in order; empty ones are left out.
pub(crate) struct Documents<'a> {
    file: &'a str,
    /// The text that is left after `parser` is through.
    rest: &'a str,
    text: &'a str,
    /// Where `text` begins.
    start: Mark,
    limits: ReadLimits,
    parser: Parser<'a, StrInput<'a>>,
    builder: Builder,
    over: bool,
    /// Where `text` can be cut: the last `---` so far, or its start.
    cut: Cut,
    /// What of the document that came last as a fault is a tree all the same.
    marred: Vec<Node>,
    /// Nothing may be cut: what stands before a document says how it is read.
    is_whole: bool,
}

/// Where a text can be cut: what follows is read alike without what is before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// In bytes.
    pub(crate) start: usize,
    /// From 1.
    pub(crate) line: u32,
}

/// A text as a whole.
impl Default for Cut {
    fn default() -> Self {
        Self { start: 0, line: 1 }
    }
}

impl<'a> Documents<'a> {
    /// The documents of `text`, which is called `file`.
    pub(crate) fn new(text: &'a str, file: &'a str, limits: &ReadLimits) -> Self {
        let (text, rest) = stream::split(text);
        Self {
            file,
            rest,
            text,
            start: Mark::START,
            limits: *limits,
            parser: Parser::new_from_str_with_options(text, options(limits)),
            builder: Builder::new(limits),
            over: false,
            cut: Cut::default(),
            marred: Vec::new(),
            is_whole: !rest.is_empty() || has_directives(text),
        }
    }

    /// The same, whose booleans are `true` and `false` alone, as Traefik reads its files.
    pub(crate) fn in_yaml_1_2(mut self) -> Self {
        self.builder.is_core = true;
        self
    }

    /// The part of `text` that follows `cut`, as far as it is needed for the documents up to where
    /// it can be cut again.
    pub(crate) fn part(text: &str, cut: Cut) -> &str {
        if cut == Cut::default() && (!stream::split(text).1.is_empty() || has_directives(text)) {
            return text;
        }
        let part = text.get(cut.start..).unwrap_or_default();
        let mut from = 0;
        while let Some(at) = part[from..].find("\n---") {
            from += at + 4;
            if part[from..].chars().next().is_none_or(char::is_whitespace) {
                return &part[..from - 3];
            }
        }
        part
    }

    /// Where the text can be cut before the document that came last.
    pub(crate) fn cut(&self) -> Cut {
        self.cut
    }

    /// What of the document that came last, as one in which a key stands twice, is a tree all the
    /// same: with the first of them, and with what follows the second where a `---` is missing.
    pub(crate) fn marred(&mut self) -> Vec<Node> {
        std::mem::take(&mut self.marred)
    }

    /// Goes on with the next value of a JSON stream, if there is one.
    fn next_value(&mut self) -> bool {
        if self.rest.is_empty() || self.builder.is_exhausted() {
            return false;
        }
        self.start = stream::advance(self.start, self.text);
        (self.text, self.rest) = stream::split(self.rest);
        self.parser = Parser::new_from_str_with_options(self.text, options(&self.limits));
        self.builder.reset();
        self.over = false;
        true
    }

    /// Leaves the rest of a faulty document, or of the file once the budget is spent.
    fn skip(&mut self) {
        self.builder.reset();
        self.over = self.over
            || self.builder.is_exhausted()
            || !matches!(self.parser.proceed_next_document(), Ok(true));
    }

    fn take(&mut self, event: &Event<'a>, span: Span) -> Result<Option<Node>, Fault> {
        match event {
            Event::StreamEnd => self.over = true,
            Event::DocumentStart(is_explicit, _) => {
                self.builder.reset();
                if *is_explicit && !self.is_whole {
                    let start = span.start.byte_offset().unwrap_or(0);
                    self.cut = Cut { start, line: mark_of(span).line };
                }
            }
            Event::DocumentEnd => return Ok(self.builder.finish()),
            event => self.builder.push(event, span)?,
        }
        Ok(None)
    }
}

impl Iterator for Documents<'_> {
    type Item = Result<Node, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut found = self.next_document();
            match &mut found {
                None if self.next_value() => {}
                Some(Ok(node)) => {
                    stream::shift(node, self.start);
                    return found;
                }
                Some(Err(fault)) => {
                    fault.mark = fault.mark.after(self.start);
                    self.marred.iter_mut().for_each(|node| stream::shift(node, self.start));
                    return found;
                }
                None => return None,
            }
        }
    }
}

impl Documents<'_> {
    /// The next document of `text`.
    fn next_document(&mut self) -> Option<Result<Node, Fault>> {
        while !self.over {
            let taken = match self.parser.next_event()? {
                Ok((event, span)) => self.take(&event, span),
                Err(error) => Err(syntax::fault(&error, self.text)),
            };
            match taken {
                Ok(None) => {}
                Ok(Some(node)) => {
                    let Some(mut fault) = self.builder.doubled() else { return Some(Ok(node)) };
                    self.explain(&mut fault);
                    if fault.code != codes::NOT_RENDERED {
                        self.marred = [node].into_iter().chain(self.builder.again()).collect();
                    }
                    return Some(Err(fault));
                }
                Err(fault) => {
                    // What is wrong comes first in the text.
                    let mut fault = self.builder.doubled().unwrap_or(fault);
                    self.skip();
                    self.explain(&mut fault);
                    return Some(Err(fault));
                }
            }
        }
        None
    }

    /// Says where a fault is from; what follows in a template is no better.
    fn explain(&mut self, fault: &mut Fault) {
        syntax::explain_origin(fault, self.text, self.file);
        if fault.code == codes::NOT_RENDERED {
            (self.over, self.rest) = (true, "");
        }
    }
}

/// Whether there may be directives (`%YAML 1.2`).
fn has_directives(text: &str) -> bool {
    text.starts_with('%') || text.contains("\n%") || text.contains("\r%")
}

fn options(limits: &ReadLimits) -> Options {
    let depth = limits.depth;
    let mut options = granit_parser::options! {
        flow_nesting_limit: depth,
        block_nesting_limit: depth,
    };
    options.set_emit_comments(false);
    options
}

/// Where `span` starts.
fn mark_of(span: Span) -> Mark {
    syntax::mark_of(&span.start)
}
