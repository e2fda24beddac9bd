//! One rule: conditions and what is done, in their order.

use crate::matching::{Condition, Key, Values};
use crate::words::{Word, number};

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// As it is written, without counters.
    pub(crate) text: String,
    pub(crate) steps: Vec<Step>,
}

/// A part of a rule. What does nothing to a packet's way is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    If(Condition),
    Do(Verdict),
    /// The verdict depends on a value.
    Choose(Key, Vec<(String, Verdict)>),
    SetMark(Vec<String>),
    Untrack,
    /// Another destination, or socket.
    Redirect,
    /// Another port of this host.
    RedirectHere,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accept,
    Drop,
    Return,
    Jump(String),
    Goto(String),
    /// None that matters.
    GoOn,
}

/// Words that begin the last part of a rule.
const ENDS: [&str; 13] = [
    "accept", "drop", "reject", "return", "continue", "jump", "goto", "queue", "counter", "log",
    "limit", "notrack", "comment",
];

/// Reads the words of a rule from left to right.
struct Reader<'a> {
    rest: &'a [Word],
    steps: Vec<Step>,
}

impl Rule {
    pub(crate) fn read(words: &[Word]) -> Self {
        let mut reader = Reader { rest: words, steps: Vec::new() };
        while !reader.rest.is_empty() {
            reader.step();
        }
        Self { text: text(words), steps: reader.steps }
    }

    /// A rule of iptables as it stands in `iptables-save`.
    pub(crate) fn untranslated(line: &str) -> Self {
        let words: Vec<&str> = line.split_whitespace().collect();
        let after = |flag: &str| {
            let at = words.iter().position(|word| *word == flag)?;
            words.get(at + 1).copied()
        };
        let modules = words.windows(2).filter(|pair| pair[0] == "-m").map(|pair| pair[1]);
        let mut steps: Vec<Step> = modules.map(|name| Step::If(Condition::xt(name))).collect();
        if steps.is_empty() {
            steps.push(Step::If(Condition::Obscure));
        }
        let verdict = match after("-j").or_else(|| after("-g")) {
            Some("ACCEPT") => Verdict::Accept,
            Some("DROP" | "REJECT") => Verdict::Drop,
            Some("RETURN") => Verdict::Return,
            Some(chain) if words.contains(&"-g") => Verdict::Goto(chain.to_owned()),
            Some(chain) => Verdict::Jump(chain.to_owned()),
            None => Verdict::GoOn,
        };
        steps.push(Step::Do(verdict));
        Self { text: line.trim().to_owned(), steps }
    }
}

impl Reader<'_> {
    fn peek(&self, at: usize) -> &str {
        self.rest.get(at).and_then(Word::plain).unwrap_or_default()
    }

    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// Up to the next word that begins something else.
    fn skip_value(&mut self) -> Vec<String> {
        let end = |word: &Word| word.plain().is_some_and(|it| ENDS.contains(&it));
        let count = self.rest.iter().position(end).unwrap_or(self.rest.len());
        let skipped = self.rest[..count].iter().flat_map(Word::values).collect();
        self.skip(count);
        skipped
    }

    fn step(&mut self) {
        let [first, second] = [self.peek(0).to_owned(), self.peek(1).to_owned()];
        match &*first {
            "counter" => self.skip(match &*second {
                "packets" => 5,
                "name" => 3,
                _ => 1,
            }),
            "comment" => self.skip(2),
            "log" => {
                self.skip(1);
                while ["prefix", "group", "level", "flags", "snaplen", "queue-threshold"]
                    .contains(&self.peek(0))
                {
                    self.skip(2);
                }
            }
            "limit" | "quota" | "meter" | "connlimit" => self.condition_of_client(),
            "add" | "update" | "delete" if second.starts_with('@') => self.condition_of_client(),
            "flow" | "dup" | "fwd" | "synproxy" | "queue" => {
                self.skip(1);
                self.skip_value();
            }
            "notrack" => self.push(1, Step::Untrack),
            "dnat" | "tproxy" => self.last(Step::Redirect),
            "redirect" => self.last(Step::RedirectHere),
            "snat" | "masquerade" | "accept" => self.last(Step::Do(Verdict::Accept)),
            "drop" | "reject" => self.last(Step::Do(Verdict::Drop)),
            "return" => self.last(Step::Do(Verdict::Return)),
            "continue" => self.push(1, Step::Do(Verdict::GoOn)),
            "jump" => self.last(Step::Do(Verdict::Jump(second))),
            "goto" => self.last(Step::Do(Verdict::Goto(second))),
            "xt" if second == "target" => self.skip(3),
            "xt" => {
                let name = self.peek(2).to_owned();
                self.push(3, Step::If(Condition::xt(&name)));
            }
            _ => self.expression(),
        }
    }

    fn push(&mut self, words: usize, step: Step) {
        self.skip(words);
        self.steps.push(step);
    }

    fn last(&mut self, step: Step) {
        self.push(self.rest.len(), step);
    }

    fn condition_of_client(&mut self) {
        self.skip(1);
        self.skip_value();
        self.steps.push(Step::If(Condition::Client));
    }

    /// A key, and what it is compared to, chosen by, or set to.
    fn expression(&mut self) {
        if self.peek(0) == "tcp" && self.peek(1) == "flags" {
            self.skip(2);
            let words = self.skip_value();
            return self.steps.push(Step::If(Condition::flags(&words)));
        }
        let Some((key, implied, used)) = Key::read(self.rest) else {
            self.skip(1);
            self.skip_value();
            return self.steps.push(Step::If(Condition::Obscure));
        };
        self.steps.extend(implied.into_iter().map(Step::If));
        self.skip(used);
        match self.peek(0) {
            "set" => {
                self.skip(1);
                let value = self.skip_value();
                if key == Key::Mark {
                    self.steps.push(Step::SetMark(value));
                }
            }
            "vmap" => self.choice(key),
            _ => self.comparison(key),
        }
    }

    fn choice(&mut self, key: Key) {
        if let Some(Word::Group(parts)) = self.rest.get(1) {
            let choices = parts.iter().filter_map(|part| {
                let (value, verdict) = part.rsplit_once(" : ")?;
                Some((value.trim().to_owned(), verdict_of(verdict)))
            });
            let step = Step::Choose(key, choices.collect());
            return self.push(2, step);
        }
        // A map by name leads to whom it names; a vip of ours is hardly one of them.
        self.skip(2);
    }

    fn comparison(&mut self, key: Key) {
        let mut mask = None;
        if matches!(self.peek(0), "&" | "and") {
            mask = number(self.peek(1));
            self.skip(2);
        }
        let operator = match self.peek(0) {
            operator @ ("==" | "!=" | "<" | ">" | "<=" | ">=" | "!") => operator.to_owned(),
            _ => "==".to_owned(),
        };
        if self.peek(0) == operator {
            self.skip(1);
        }
        let values = match self.rest.first() {
            Some(Word::Plain(name)) if name.starts_with('@') => Values::Named,
            Some(word) => Values::Listed(word.values()),
            None => Values::Listed(Vec::new()),
        };
        let mut values = values;
        self.skip(1);
        // `10.1.1.100 . 80`
        while self.peek(0) == "." {
            if let (Values::Listed(all), Some(word)) = (&mut values, self.rest.get(1)) {
                let more = word.values().concat();
                all.iter_mut().for_each(|value| *value = format!("{value} . {more}"));
            }
            self.skip(2);
        }
        let is_not = matches!(&*operator, "!=" | "!");
        let is_order = matches!(&*operator, "<" | ">" | "<=" | ">=");
        let condition = match is_order {
            true => Condition::order(key, &operator, &values),
            false => Condition::Test { key, mask, is_not, values },
        };
        self.steps.push(Step::If(condition));
    }
}

fn verdict_of(text: &str) -> Verdict {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        ["accept"] => Verdict::Accept,
        ["drop" | "reject", ..] => Verdict::Drop,
        ["return"] => Verdict::Return,
        ["jump", to] => Verdict::Jump(to.to_owned()),
        ["goto", to] => Verdict::Goto(to.to_owned()),
        _ => Verdict::GoOn,
    }
}

fn text(words: &[Word]) -> String {
    let mut parts = Vec::new();
    let mut skip = 0;
    for (at, word) in words.iter().enumerate() {
        let next = words.get(at + 1).and_then(Word::plain);
        match word {
            _ if skip > 0 => skip -= 1,
            Word::Plain(text) if text == "counter" => {
                skip = if next == Some("packets") { 4 } else { 0 };
            }
            Word::Plain(text) if text.contains(' ') => parts.push(format!("\"{text}\"")),
            Word::Plain(text) => parts.push(text.clone()),
            Word::Group(values) => parts.push(format!("{{ {} }}", values.join(", "))),
        }
    }
    parts.join(" ")
}
