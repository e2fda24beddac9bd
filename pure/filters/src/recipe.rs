//! Every filter there is: what its frames are made of, and the frames. A closed list, so that a
//! stack of them needs no boxes: a new filter is a module of its own and a variant of both.

use std::fmt;
use std::sync::Arc;

use steelyard_http::{RequestEdits, ResponseEdits};
use steelyard_model::Sorted;
use steelyard_model::routing::backend::Internal;
use steelyard_model::routing::filter::told::ToldLines;
use steelyard_model::routing::filter::{Filter, FilterNode, MOST_DEPTH, MOST_LOOKS, Use};
use steelyard_model::routing::id::FilterId;

use crate::addresses::{AllowedAddresses, RefusedAddresses};
use crate::ask::Got;
use crate::breaker::Breaker;
use crate::buffers::Buffers;
use crate::certificate::ToldCertificate;
use crate::characters::AllowedCharacters;
use crate::compress::Compress;
use crate::content_type::ContentType;
use crate::context::{Context, Ending};
use crate::detour::Detour;
use crate::either::Either;
use crate::exempt::Exempt;
use crate::folded::Folded;
use crate::forward::ForwardAuth;
use crate::frame::{Blueprint, Enter, Flow, Frame, Leave, Needs, Piece};
use crate::grpc_web::GrpcWeb;
use crate::headers::{HeaderFrame, WrittenLines};
use crate::key::ApiKey;
use crate::led::{ByRegex, ToScheme};
use crate::limit::flight::InFlight;
use crate::limit::rate::Rate;
use crate::limit::shared::SharedRate;
use crate::login::Login;
use crate::memory::{Lifespan, Memory};
use crate::nginx::NginxFrame;
use crate::own::{Own, OwnServices};
use crate::pages::Pages;
use crate::password::Password;
use crate::proof::Proof;
use crate::redirect::Redirect;
use crate::retry::Retry;
use crate::rewrite::Rewritten;
use crate::run::Run;
use crate::signed::Signed;
use crate::step::Step;
use crate::token::Token;
#[cfg(feature = "trial")]
use crate::trial::TrialFrame;

/// What the frames of one use are made of, shared by all requests that pass it: a frame that no
/// request has passed yet.
#[derive(Clone)]
pub struct Recipe {
    made: Made,
    kind: &'static str,
    /// The filter that it is of; none where no use of one stands for it.
    of: Option<FilterId>,
}

/// A frame of any filter.
#[derive(Clone)]
pub struct AnyFrame(Made);

/// Makes the closed list of frames, and a way to do the same with whichever it is. What is large is
/// boxed: each request has all of its frames moved to their places.
macro_rules! frames {
    ($($(#[$when:meta])? $name:ident($frame:ty),)*) => {
        #[derive(Clone)]
        enum Made {
            $($(#[$when])? $name($frame),)*
        }

        macro_rules! each {
            ($made:expr, $it:ident => $what:expr) => {
                match $made {
                    $($(#[$when])? Made::$name($it) => $what,)*
                }
            };
        }
    };
}

frames! {
    Addresses(AllowedAddresses),
    Breaker(Breaker),
    Buffers(Buffers),
    ApiKey(ApiKey),
    Either(Box<Either<Recipe>>),
    Exempt(Exempt<Recipe>),
    Proof(Proof),
    RefusedAddresses(RefusedAddresses),
    Compress(Compress),
    ByRegex(ByRegex),
    Certificate(ToldCertificate),
    Characters(AllowedCharacters),
    ContentType(ContentType),
    Detour(Detour),
    GrpcWeb(Box<GrpcWeb>),
    Forward(Box<ForwardAuth>),
    Headers(HeaderFrame),
    InFlight(InFlight),
    Login(Box<Login>),
    Pages(Pages),
    Password(Password),
    Nginx(NginxFrame),
    Own(Own),
    Rate(Rate),
    SharedRate(SharedRate),
    Redirect(Redirect),
    Retry(Retry),
    Rewrite(Rewritten),
    Run(Run<Recipe>),
    Signed(Signed),
    Token(Token),
    ToScheme(ToScheme),
    #[cfg(feature = "trial")] Trial(TrialFrame),
}

/// Filters by what they are called.
type Filters = Sorted<FilterId, Arc<FilterNode>>;

impl Recipe {
    /// The same of a use whose filter may have others of `filters` within it.
    pub fn among(usage: &Use, filters: &Filters, memory: &mut Memory) -> Option<Self> {
        let (made, _) = Self::within((usage, usage), filters, (MOST_DEPTH, &mut 0), memory)?;
        Some(Self { of: Some(usage.filter.clone()), ..made })
    }

    /// And what it tells endpoints, where it stands within the use `root`.
    fn within(
        (usage, root): (&Use, &Use),
        filters: &Filters,
        (depth, looks): (usize, &mut usize),
        memory: &mut Memory,
    ) -> Option<(Self, ToldLines)> {
        *looks += 1;
        let filter = filters.get(&usage.filter).map(|node| &node.filter);
        let mut inner = |id: &FilterId| {
            let depth = depth.checked_sub(1).filter(|_| *looks < MOST_LOOKS)?;
            Self::within((&root.within(id), root), filters, (depth, looks), memory)
        };
        let made = match filter {
            Some(Filter::AnyOf(members)) => {
                // What says nothing of who may pass would let in whoever comes to it.
                let says = |id| filters.get(id).is_some_and(|node| node.filter.restricts());
                if !members.iter().all(says) {
                    return None;
                }
                let members = members.iter().map(inner).collect::<Option<Vec<_>>>()?;
                let of = members.iter().map(|(_, told)| told.clone());
                let told = of.fold(ToldLines::default(), ToldLines::and);
                (
                    Self {
                        made: Made::Either(Box::new(Either::new(members)?)),
                        kind: ANY_OF,
                        of: None,
                    },
                    told,
                )
            }
            Some(Filter::When(rule, member)) => {
                let (recipe, told) = inner(member)?;
                // Who is not exempted passes that one.
                let kind = recipe.kind;
                (
                    Self {
                        made: Made::Exempt(Exempt::new(rule, recipe, told.clone())),
                        kind,
                        of: None,
                    },
                    told,
                )
            }
            _ => {
                let told = filter.map(ToldLines::of).unwrap_or_default();
                (Self::of(usage, filter, memory)?, told)
            }
        };
        Some(made)
    }

    /// What frames of a use of `filter` are made of; none where there is no such filter, or it is
    /// not built yet: what uses it must not be served without it. `memory` has what it keeps.
    pub fn of(usage: &Use, filter: Option<&Filter>, memory: &mut Memory) -> Option<Self> {
        #[cfg(feature = "trial")]
        if let Some(trial) = TrialFrame::read(usage, memory) {
            return Some(Self { made: Made::Trial(trial), kind: "trial", of: None });
        }
        let filter = filter?;
        let seed = memory.seed();
        let made = match filter {
            Filter::AllowAddresses(allowed) => {
                Made::Addresses(AllowedAddresses(Arc::new(allowed.clone())))
            }
            Filter::ApiKey(it) => Made::ApiKey(ApiKey::new(it, memory.of(usage), seed)?),
            Filter::DigestAuth(it) => Made::Proof(Proof::new(it, usage, memory.of(usage), seed)?),
            Filter::RefuseAddresses(it) => {
                Made::RefusedAddresses(RefusedAddresses(Arc::new(it.clone())))
            }
            Filter::BasicAuth(it) => Made::Password(Password::new(it, memory.of(usage), seed)?),
            Filter::Buffers(it) => Made::Buffers(Buffers::new(it)?),
            Filter::CircuitBreaker(it) => Made::Breaker(Breaker::new(it, memory.of(usage))?),
            Filter::ClientCertificate(it) => {
                Made::Certificate(ToldCertificate(Arc::from(it.clone())))
            }
            Filter::ContentType => Made::ContentType(ContentType::default()),
            Filter::Compress(it) => Made::Compress(Compress::new(it)),
            Filter::EncodedCharacters(it) => Made::Characters(AllowedCharacters(*it)),
            Filter::GrpcWeb(origins) => Made::GrpcWeb(Box::new(GrpcWeb::new(origins))),
            Filter::ErrorPages(it) => Made::Pages(Pages::new(it)),
            Filter::ForwardAuth(it) => {
                Made::Forward(Box::new(ForwardAuth::new(it, || memory.of(usage))))
            }
            Filter::Headers(it) => Made::Headers(Arc::new(WrittenLines::new(it)).frame()),
            Filter::InFlight(it) => Made::InFlight(InFlight::new(it, memory.of(usage), seed)),
            Filter::Login(it) => {
                Made::Login(Box::new(Login::new(it, usage.filter.as_str(), memory.of(usage))?))
            }
            Filter::Nginx(step) => Made::Nginx(NginxFrame::new(step)),
            Filter::RateLimit(it) => match &it.redis {
                None => Made::Rate(Rate::new(it, memory.of(usage), seed)),
                Some(store) => Made::SharedRate(SharedRate::new(usage.filter.as_str(), it, store)),
            },
            Filter::Redirect(to) => Made::Redirect(Redirect(Arc::new(to.clone()))),
            Filter::RedirectRegex(to) => Made::ByRegex(ByRegex::new(to)),
            Filter::RedirectScheme(to) => Made::ToScheme(ToScheme(Arc::new(to.clone()))),
            Filter::Retry(it) => Made::Retry(Retry::new(it)),
            Filter::Rewrite(it) => Made::Rewrite(Rewritten::new(it)),
            Filter::Signature(it) => Made::Signed(Signed(Arc::new(it.clone()))),
            Filter::Token(it) => Made::Token(Token::new(it, memory.of(usage))?),
            _ => return None,
        };
        Some(Self { made, kind: filter.kind(), of: None })
    }

    /// What answers in the name of a service of the program itself.
    pub fn own(service: Internal, answers: &Arc<dyn OwnServices>) -> Self {
        Self { made: Made::Own(Own::new(service, answers.clone())), kind: "own", of: None }
    }

    /// What has a request go another way after these statuses (ranges), of whose body so many bytes
    /// are kept for that, or as many as are kept at all.
    pub fn detour(statuses: &[(u16, u16)], most: Option<u64>) -> Self {
        Self { made: Made::Detour(Detour::new(statuses, most)), kind: "detour", of: None }
    }

    /// Whether what it keeps counts no more, and it is to be made again.
    pub fn has_lapsed(&self) -> bool {
        each!(&self.made, frame => frame.has_lapsed())
    }

    /// All of these as one; none where one of them is more than a step.
    pub fn folded(recipes: &[Self]) -> Option<Folded> {
        let all = recipes.iter().flat_map(Self::parts);
        all.map(Self::step).collect::<Option<_>>().and_then(Folded::of)
    }

    /// The same, where those that are steps and stand beside each other are one.
    pub fn in_runs(recipes: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let (mut runs, mut steps) = (Vec::new(), Vec::new());
        for recipe in recipes {
            for part in recipe.parts() {
                match part.step() {
                    Some(step) => steps.push((part.clone(), step)),
                    None => {
                        runs.extend(Self::run(std::mem::take(&mut steps)));
                        runs.push(part.clone());
                    }
                }
            }
        }
        runs.extend(Self::run(steps));
        runs
    }

    /// Steps as one; none where there is none.
    fn run(mut steps: Vec<(Self, Step)>) -> Option<Self> {
        match steps.len() {
            0 | 1 => steps.pop().map(|(alone, _)| alone),
            _ => Some(Self { made: Made::Run(Run::of(steps)), kind: RUN, of: None }),
        }
    }

    /// The filter that it is of.
    pub fn of_filter(&self) -> Option<&FilterId> {
        self.of.as_ref()
    }

    /// What it stands for.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Self> {
        let (run, alone) = match &self.made {
            Made::Run(run) => (Some(run.members()), None),
            _ => (None, Some(self)),
        };
        run.into_iter().flatten().chain(alone)
    }

    /// The same as a step of what is folded; none where it is more than that.
    fn step(&self) -> Option<Step> {
        Some(match &self.made {
            Made::Addresses(it) => Step::Allowed(it.clone()),
            Made::RefusedAddresses(it) => Step::Refused(it.clone()),
            Made::Headers(it) => Step::Lines(it.plain()?.clone()),
            Made::InFlight(it) => Step::InFlight(it.clone()),
            Made::Rate(it) => Step::Rate(it.clone()),
            Made::Rewrite(it) => Step::Rewrite(it.clone()),
            Made::Redirect(it) => Step::Redirect(it.clone()),
            Made::ByRegex(it) => Step::ByRegex(it.clone()),
            Made::ToScheme(it) => Step::ToScheme(it.clone()),
            _ => return None,
        })
    }

    /// What it is, in one word.
    pub fn kind(&self) -> &'static str {
        self.kind
    }
}

/// What one of several is.
const ANY_OF: &str = "any-of";

/// What several are that stand beside each other.
const RUN: &str = "run";

impl Blueprint for Recipe {
    type Frame = AnyFrame;

    fn frame(&self) -> AnyFrame {
        AnyFrame(self.made.clone())
    }

    fn has_lapsed(&self) -> bool {
        Self::has_lapsed(self)
    }

    fn count(&self) -> usize {
        match &self.made {
            Made::Run(run) => run.members().len(),
            // No use of a filter stands for it.
            Made::Detour(_) => 0,
            _ => 1,
        }
    }

    fn part(&self, at: usize) -> &Self {
        match &self.made {
            Made::Run(run) => run.members().nth(at).unwrap_or(self),
            _ => self,
        }
    }
}

impl fmt::Debug for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recipe")
    }
}

impl Frame for AnyFrame {
    fn lifespan(&self) -> Option<&Lifespan> {
        each!(&self.0, frame => frame.lifespan())
    }

    fn has_lapsed(&self) -> bool {
        each!(&self.0, frame => frame.has_lapsed())
    }

    fn needs(&self) -> Needs {
        each!(&self.0, frame => frame.needs())
    }

    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, got: Got) -> Enter {
        each!(&mut self.0, frame => frame.enter(cx, head, got))
    }

    fn leave(&mut self, cx: &mut Context<'_>, head: &mut ResponseEdits<'_>, got: Got) -> Leave {
        each!(&mut self.0, frame => frame.leave(cx, head, got))
    }

    fn request(&mut self, cx: &mut Context<'_>, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        each!(&mut self.0, frame => frame.request(cx, piece, out))
    }

    fn response(&mut self, cx: &mut Context<'_>, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        each!(&mut self.0, frame => frame.response(cx, piece, out))
    }

    fn writes(&self) -> bool {
        each!(&self.0, frame => frame.writes())
    }

    fn takes_detour(&self) -> bool {
        each!(&self.0, frame => frame.takes_detour())
    }

    fn repeats(&self) -> bool {
        each!(&self.0, frame => frame.repeats())
    }

    fn at(&self) -> usize {
        each!(&self.0, frame => frame.at())
    }

    fn kept(&self) -> usize {
        each!(&self.0, frame => frame.kept())
    }

    fn let_go(&mut self) {
        each!(&mut self.0, frame => frame.let_go());
    }

    fn done(&mut self, cx: &mut Context<'_>, ending: Ending) {
        each!(&mut self.0, frame => frame.done(cx, ending));
    }
}

impl fmt::Debug for AnyFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyFrame")
    }
}

#[cfg(test)]
mod tests {
    use super::AnyFrame;

    #[test]
    fn frames_are_small() {
        assert!(size_of::<AnyFrame>() <= 64, "{}", size_of::<AnyFrame>());
    }
}
