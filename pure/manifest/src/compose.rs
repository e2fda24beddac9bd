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
        }
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
            Event::DocumentStart(..) => self.builder.reset(),
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
                Ok(Some(node)) => return Some(Ok(node)),
                Err(mut fault) => {
                    self.skip();
                    syntax::explain_origin(&mut fault, self.text, self.file);
                    // What follows in a template is no better.
                    if fault.code == codes::NOT_RENDERED {
                        (self.over, self.rest) = (true, "");
                    }
                    return Some(Err(fault));
                }
            }
        }
        None
    }
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
