//! A client: asks one thing after the other, or several ahead, and holds every answer against what
//! it asked.

use std::time::{Duration, Instant};

use steelyard_testbed::Chance;

use super::ask::{Ask, pattern};
use super::pipe::End;
use super::reader::{Head, Read, Reader};
use super::world::World;

/// A client with one connection.
pub(super) struct Client {
    pipe: Option<usize>,
    /// The next number, and those that are left to ask.
    first: usize,
    count: usize,
    asked: usize,
    answered: usize,
    out: Vec<u8>,
    wrote: usize,
    /// A body that waits for a 100, or some time.
    withheld: Option<(Vec<u8>, Instant)>,
    reader: Reader,
    head: Option<Head>,
    body: Vec<u8>,
    /// Interim responses of the present answer.
    interims: usize,
    habits: Habits,
    /// It was told that its connection closes.
    told: bool,
    /// Its socket takes no more.
    mute: bool,
    shut: bool,
    resume: Option<Instant>,
    pauses: usize,
    pub(super) over: bool,
}

#[derive(Clone, Copy, Debug)]
struct Habits {
    pipelines: bool,
    /// Reads when it has written all.
    reads_late: bool,
    /// Writes all it has, whatever it is told.
    stubborn: bool,
    half_closes: bool,
    slow: bool,
    waits_for_100: bool,
    /// Takes its time before it asks again.
    dawdles: bool,
    /// Resets the connection after so many bytes.
    resets: Option<usize>,
}

/// How often a slow client pauses: all in all for less than it may take after its last answer.
const PAUSES: usize = 4;

/// Longer than a head may take.
const DAWDLE: Duration = Duration::from_secs(70);

impl Client {
    pub(super) fn new(asks: &mut Vec<Ask>, calm: bool, chance: &mut Chance) -> Self {
        let (first, count) = (asks.len(), 1 + chance.below(5));
        let http10 = chance.percent(10);
        asks.extend((0..count).map(|n| Ask::new(n + 1 == count, http10, chance)));
        let at = chance.below(2000);
        let pipelines = chance.percent(40);
        let habits = Habits {
            pipelines,
            // Who does both may wait for itself.
            reads_late: !pipelines && chance.percent(25),
            stubborn: chance.percent(30),
            half_closes: chance.percent(15),
            slow: chance.percent(15),
            waits_for_100: chance.percent(60),
            dawdles: chance.percent(15),
            resets: Some(at).filter(|_| !calm && chance.percent(20)),
        };
        Self {
            pipe: None,
            first,
            count,
            asked: 0,
            answered: 0,
            out: Vec::new(),
            wrote: 0,
            withheld: None,
            reader: Reader::new(),
            head: None,
            body: Vec::new(),
            interims: 0,
            habits,
            told: false,
            mute: false,
            shut: false,
            resume: None,
            pauses: 0,
            over: false,
        }
    }

    /// When it goes on, if it pauses.
    pub(super) fn resume(&self) -> Option<Instant> {
        let continues = self.withheld.as_ref().map(|(_, at)| *at);
        self.resume.or(continues).filter(|_| !self.over)
    }

    /// Does something; whether it could.
    pub(super) fn turn(&mut self, world: &mut World) -> bool {
        if self.over || self.resume.is_some_and(|at| at > world.stage.now) {
            return false;
        }
        self.resume = None;
        let Some(pipe) = self.pipe else {
            self.pipe = Some(world.connect());
            return true;
        };
        if self.habits.resets.is_some_and(|at| self.wrote >= at) {
            self.give_up(world);
            return true;
        }
        let now = world.stage.now;
        if let Some((body, _)) = self.withheld.take_if(|(_, until)| *until <= now) {
            self.out.extend(body);
        }
        self.ask(world);
        let writes_first = world.stage.chance.percent(50);
        let moved = (writes_first && self.write(pipe, world))
            || self.read(pipe, world)
            || self.write(pipe, world);
        if moved && self.habits.slow && self.pauses < PAUSES && world.stage.chance.percent(10) {
            self.pauses += 1;
            let millis = world.stage.chance.within(100..1000);
            self.resume = Some(world.stage.now + Duration::from_millis(millis));
        }
        moved
    }

    /// Leaves without a word.
    pub(super) fn give_up(&mut self, world: &mut World) {
        if let Some(pipe) = self.pipe.filter(|_| !self.over) {
            world.stage.pipes[pipe].reset_by(End::Near);
        }
        self.over = true;
    }

    /// What went wrong, of one that waits for nothing that may yet come.
    pub(super) fn complaint(&self, world: &World) -> Option<String> {
        let waits = !self.over && self.answered < self.asked;
        let id = self.first + self.answered;
        (waits && !world.may_fail(id)).then(|| format!("{id} was never answered"))
    }

    fn has_written(&self) -> bool {
        self.wrote == self.out.len() && self.withheld.is_none()
    }

    /// The next request, when it is its turn.
    fn ask(&mut self, world: &mut World) {
        let turn = self.habits.pipelines || self.answered == self.asked;
        if self.asked == self.count || self.told || self.mute || !turn || !self.has_written() {
            return;
        }
        if self.habits.dawdles && self.asked > 0 && self.answered == self.asked {
            self.habits.dawdles = false;
            self.resume = Some(world.stage.now + DAWDLE);
            return;
        }
        let id = self.first + self.asked;
        self.asked += 1;
        let ask = world.stage.asks[id].clone();
        world.stage.note(|| format!("{id} is asked: {ask:?} {:?}", self.habits));
        let (head, body) = ask.bytes(id, &mut world.stage.chance);
        self.out.extend(head);
        if ask.expects && self.habits.waits_for_100 {
            self.withheld = Some((body, world.stage.now + Duration::from_secs(1)));
        } else {
            self.out.extend(body);
        }
    }

    fn write(&mut self, pipe: usize, world: &mut World) -> bool {
        if self.mute || self.wrote == self.out.len() {
            let all = self.has_written() && self.asked == self.count;
            if all && self.habits.half_closes && !self.shut {
                self.shut = true;
                world.stage.pipes[pipe].shut(End::Near);
                return true;
            }
            return false;
        }
        let rest = &self.out[self.wrote..];
        match world.stage.pipes[pipe].write(End::Near, rest, &mut world.stage.chance) {
            None => return false,
            Some(Err(())) => self.mute = true,
            Some(Ok(count)) => self.wrote += count,
        }
        true
    }

    fn read(&mut self, pipe: usize, world: &mut World) -> bool {
        if self.habits.reads_late && !self.mute && !self.has_written() {
            return false;
        }
        let most = world.stage.chance.pick(&[1, 30, 1000]);
        match world.stage.pipes[pipe].read(End::Near, most, &mut world.stage.chance) {
            None => return false,
            Some(Ok(bytes)) if !bytes.is_empty() => {
                for byte in bytes {
                    if let Err(why) = self.take(byte, pipe, world) {
                        let id = self.first + self.answered;
                        world.stage.fail(format!("the client of {id}: {why}"));
                        return true;
                    }
                }
            }
            Some(ended) => self.ended(ended.is_ok(), pipe, world),
        }
        true
    }

    fn take(&mut self, byte: u8, pipe: usize, world: &mut World) -> Result<(), String> {
        if self.over {
            return Err("bytes follow the last answer".to_owned());
        }
        let id = self.first + self.answered;
        self.reader.bodiless = world.stage.asks.get(id).is_some_and(|ask| ask.method == "HEAD");
        let mut reads = Vec::new();
        self.reader.feed(byte, &mut reads)?;
        for read in reads {
            if self.answered == self.asked {
                return Err(format!("an answer to nothing: {read:?}"));
            }
            match read {
                Read::Head(head) => self.begins(id, head)?,
                Read::Body(byte) => self.body.push(byte),
                Read::End => self.answered(pipe, world)?,
            }
        }
        Ok(())
    }

    fn begins(&mut self, id: usize, head: Head) -> Result<(), String> {
        let ours = head.field("x-gateway").is_some();
        if !ours && head.field("x-id") != Some(&id.to_string()) {
            return Err(format!("not its answer: {head:?}"));
        }
        self.head = Some(head);
        Ok(())
    }

    fn answered(&mut self, pipe: usize, world: &mut World) -> Result<(), String> {
        let head = self.head.take().ok_or("an end without a head")?;
        let id = self.first + self.answered;
        let (body, seq) = (std::mem::take(&mut self.body), self.interims);
        if head.is_interim() {
            self.interims += 1;
            if id + 1 == self.first + self.asked
                && let Some((body, _)) = self.withheld.take()
            {
                self.out.extend(body);
            }
            return match head.number("x-seq") == Some(seq) {
                true => Ok(()),
                false => Err(format!("an interim response again: {head:?}")),
            };
        }
        let ask = &world.stage.asks[id];
        let bodiless = ask.method == "HEAD" || head.word(1) == "204";
        if head.field("x-gateway").is_some() {
            if !world.may_fail(id) && self.habits.resets.is_none() {
                return Err(format!("{head:?} without a reason"));
            }
        } else if !bodiless && !Self::is_answer(id, &head, &body, world) {
            return Err(format!("not its answer: {:?}", String::from_utf8_lossy(&body)));
        }
        self.interims = 0;
        self.answered += 1;
        self.told |= head.field("connection") == Some("close") || ask.close;
        self.told |= ask.http10 && head.field("connection") != Some("keep-alive");
        let was_last = self.answered == self.asked;
        if was_last && self.withheld.take().is_some() && !self.told {
            return Err("it is to send a body that nobody wants".to_owned());
        }
        if self.told || self.answered == self.count {
            self.finish(pipe, world);
        }
        Ok(())
    }

    /// What ends with its connection may be cut off by who misbehaves, and nobody can tell.
    fn is_answer(id: usize, head: &Head, body: &[u8], world: &World) -> bool {
        let whole = pattern(id, "answer", head.number("x-len").unwrap_or(0));
        let may_be_cut = head.field("x-until").is_some() && world.may_fail(id);
        body == whole || (may_be_cut && whole.starts_with(body))
    }

    /// It has all it can get.
    fn finish(&mut self, pipe: usize, world: &mut World) {
        self.told = true;
        if !self.habits.stubborn || self.has_written() || self.mute {
            world.stage.pipes[pipe].close(End::Near);
            self.over = true;
        }
    }

    /// The gateway has closed, or the connection broke.
    fn ended(&mut self, properly: bool, pipe: usize, world: &mut World) {
        let whole = properly && self.reader.ends_with_connection() && self.head.is_some();
        if whole && let Err(why) = self.answered(pipe, world) {
            world.stage.fail(why);
        }
        let id = self.first + self.answered;
        let asked = self.asked > self.answered;
        // A later answer that was cut off may take an earlier one away that was not read yet.
        let excused = match properly {
            true => world.may_fail(id),
            false => (id..self.first + self.asked).any(|id| world.may_fail(id)),
        };
        if !self.told && asked && !excused {
            world.stage.fail(format!("the connection ends before {id} is answered"));
        } else if !self.told && !asked && !self.over && !world.may_fail(id.saturating_sub(1)) {
            world.stage.fail(format!("the connection ends after {id} without a word"));
        }
        if !self.over {
            world.stage.pipes[pipe].close(End::Near);
        }
        self.over = true;
    }
}
