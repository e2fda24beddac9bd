//! An endpoint's connection: it takes one request after the other, and answers as it likes.

use std::time::{Duration, Instant};

use steelyard_testbed::Chance;

use super::ask::{Ask, pattern, push_chunks};
use super::pipe::End;
use super::reader::{Read, Reader};
use super::stage::Stage;

/// One connection that an endpoint took.
pub(super) struct Endpoint {
    pub(super) pipe: usize,
    pub(super) reader: Reader,
    /// The request it is at, or was at last, and what it does about it.
    pub(super) at: Option<(usize, Plan)>,
    /// What it received of the body.
    body: Vec<u8>,
    out: Vec<u8>,
    wrote: usize,
    /// Bytes that come together with the last of the answer.
    surplus: Vec<u8>,
    /// More of it, which comes when the next request does.
    late: Vec<u8>,
    /// All of the request was read; all of the answer is in `out`.
    is_read: bool,
    answers: bool,
    resume: Option<Instant>,
    /// What its connection is used for next need not succeed.
    pub(super) misbehaves: bool,
    over: bool,
}

/// What an endpoint does about a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Answers before it reads the body.
    early: bool,
    interims: usize,
    /// Sends the 100 that it is asked for.
    pub(super) hundred: bool,
    len: usize,
    framing: Framing,
    /// Pauses now and then.
    slow: bool,
    pub(super) then: Then,
    pub(super) surplus: Surplus,
    fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    None,
    Length,
    Chunked,
    UntilClose,
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Stay,
    /// It closes, and says so.
    Said,
    Silent,
    /// It closes its side only.
    Half,
    /// It reads nothing more.
    Deaf,
}

/// What comes behind an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Surplus {
    None,
    With,
    /// Once the connection is idle.
    Later,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Hang,
    /// After so many bytes of the answer.
    Reset(usize),
    Cut(usize),
    Garbage,
}

impl Plan {
    fn new(ask: &Ask, calm: bool, chance: &mut Chance) -> Self {
        let wild = !calm && chance.percent(60);
        let framings = [Framing::Length, Framing::Chunked, Framing::None, Framing::UntilClose];
        let known = if chance.percent(20) { 4 } else { 3 };
        let framing = chance.pick(&framings[..known]);
        let until = framing == Framing::UntilClose;
        let at = chance.below(200);
        Self {
            early: chance.percent(35),
            interims: if chance.percent(20) { 1 + chance.below(2) } else { 0 },
            hundred: ask.expects && chance.percent(70),
            len: chance.pick(&[0, 1, 5, 40, 300, 900]),
            framing,
            slow: chance.percent(15),
            then: match chance.below(20) {
                _ if until => Then::Said,
                0..=2 => Then::Said,
                3 | 4 if wild => Then::Silent,
                5 if wild => Then::Half,
                6 | 7 if wild => Then::Deaf,
                _ => Then::Stay,
            },
            surplus: match chance.below(8) {
                0 if wild => Surplus::With,
                1 if wild => Surplus::Later,
                _ => Surplus::None,
            },
            fault: match chance.below(12) {
                0 | 1 if wild => Fault::Hang,
                2 if wild => Fault::Reset(at),
                3 if wild => Fault::Cut(at),
                4 if wild => Fault::Garbage,
                _ => Fault::None,
            },
        }
    }

    fn misbehaves(&self) -> bool {
        let stays = matches!(self.then, Then::Stay | Then::Said);
        self.fault != Fault::None || self.surplus != Surplus::None || !stays
    }

    /// Whether the end of the answer is known without the end of the connection.
    pub(super) fn has_end(&self, http10: bool) -> bool {
        match self.framing {
            Framing::None | Framing::Length => true,
            Framing::Chunked | Framing::UntilClose => !http10,
        }
    }

    pub(super) fn answers_late(&self) -> bool {
        !self.early
    }

    fn interims(&self, id: usize, out: &mut Vec<u8>) {
        for seq in 0..self.interims {
            let head = format!("HTTP/1.1 103 Early Hints\r\nX-Id: {id}\r\nX-Seq: {seq}\r\n\r\n");
            out.extend_from_slice(head.as_bytes());
        }
        if self.hundred {
            let seq = self.interims;
            let head = format!("HTTP/1.1 100 Continue\r\nX-Id: {id}\r\nX-Seq: {seq}\r\n\r\n");
            out.extend_from_slice(head.as_bytes());
        }
    }

    fn answer(&self, id: usize, ask: &Ask, out: &mut Vec<u8>, chance: &mut Chance) {
        if self.fault == Fault::Garbage {
            out.extend_from_slice(b"HTP/1.1 what is it\r\n\r\n");
            return;
        }
        let len = if self.framing == Framing::None { 0 } else { self.len };
        let body = pattern(id, "answer", len);
        let until = self.framing == Framing::UntilClose;
        let version = if until && chance.percent(50) { "1.0" } else { "1.1" };
        let status = if self.framing == Framing::None { "204 No Content" } else { "200 OK" };
        let mut head = format!("HTTP/{version} {status}\r\nX-Id: {id}\r\nX-Len: {len}\r\n");
        match self.framing {
            Framing::Length => head += &format!("Content-Length: {len}\r\n"),
            Framing::Chunked => head += "Transfer-Encoding: chunked\r\n",
            Framing::UntilClose => head += "X-Until: close\r\n",
            Framing::None => {}
        }
        if self.then == Then::Said {
            head += "Connection: close\r\n";
        }
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(b"\r\n");
        match self.framing {
            _ if ask.method == "HEAD" => {}
            Framing::Chunked => push_chunks(&body, out, chance),
            _ => out.extend_from_slice(&body),
        }
    }
}

fn surplus(chance: &mut Chance) -> &'static [u8] {
    chance.pick(&[
        b"X",
        b"\r\n",
        b"HTTP/1.1 100 Continue\r\nX-Id: poison\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Id: poison\r\nContent-Length: 0\r\n\r\n",
    ])
}

impl Endpoint {
    pub(super) fn new(pipe: usize) -> Self {
        Self {
            pipe,
            reader: Reader::new(),
            at: None,
            body: Vec::new(),
            out: Vec::new(),
            wrote: 0,
            surplus: Vec::new(),
            late: Vec::new(),
            is_read: true,
            answers: true,
            resume: None,
            misbehaves: false,
            over: false,
        }
    }

    /// When it goes on, if it pauses.
    pub(super) fn resume(&self) -> Option<Instant> {
        self.resume.filter(|_| !self.over)
    }

    /// Whether all that it wrote of its answer is taken.
    pub(super) fn is_flushed(&self) -> bool {
        self.answers && self.wrote == self.out.len()
    }

    /// Does something; whether it could.
    pub(super) fn turn(&mut self, stage: &mut Stage) -> bool {
        if self.over {
            return false;
        }
        if self.resume.is_some_and(|at| at > stage.now) {
            return false;
        }
        self.resume = None;
        let writes_first = stage.chance.percent(50);
        (writes_first && self.write(stage)) || self.read(stage) || self.write(stage)
    }

    fn write(&mut self, stage: &mut Stage) -> bool {
        let Some((_, plan)) = self.at else { return false };
        match plan.fault {
            Fault::Reset(at) if self.wrote >= at => {
                stage.pipes[self.pipe].reset_by(End::Far);
                self.over = true;
                return true;
            }
            Fault::Cut(at) if self.wrote >= at => return self.close(stage),
            _ => {}
        }
        if self.wrote == self.out.len() {
            return self.answers && self.is_read && self.finish(plan, stage);
        }
        let rest = &self.out[self.wrote..];
        match stage.pipes[self.pipe].write(End::Far, rest, &mut stage.chance) {
            None => false,
            Some(Err(())) => self.close(stage),
            Some(Ok(count)) => {
                self.wrote += count;
                if self.wrote == self.out.len() && self.answers {
                    // Later it would be the next answer, and nobody could tell.
                    let surplus = std::mem::take(&mut self.surplus);
                    stage.pipes[self.pipe].push(End::Far, &surplus);
                }
                if plan.slow && stage.chance.percent(20) {
                    let seconds = stage.chance.within(1..9);
                    self.resume = Some(stage.now + Duration::from_secs(seconds));
                }
                true
            }
        }
    }

    /// Both the request and the answer are over.
    fn finish(&mut self, plan: Plan, stage: &mut Stage) -> bool {
        match plan.then {
            Then::Said | Then::Silent => return self.close(stage),
            Then::Half if !stage.pipes[self.pipe].is_ended(End::Near) => {
                stage.pipes[self.pipe].shut(End::Far);
                return true;
            }
            _ => {}
        }
        let idle = stage.pool.iter().any(|it| *it.get() == self.pipe);
        if plan.surplus == Surplus::Later && idle && plan.then != Then::Half {
            let bytes = surplus(&mut stage.chance);
            let _ = stage.pipes[self.pipe].write(End::Far, bytes, &mut stage.chance);
            self.at = self.at.map(|(id, plan)| (id, Plan { surplus: Surplus::With, ..plan }));
            return true;
        }
        false
    }

    fn close(&mut self, stage: &mut Stage) -> bool {
        stage.pipes[self.pipe].close(End::Far);
        self.over = true;
        true
    }

    fn read(&mut self, stage: &mut Stage) -> bool {
        let deaf = self.at.is_some_and(|(_, plan)| plan.then == Then::Deaf && plan.early);
        if deaf && self.answers {
            return false;
        }
        match stage.pipes[self.pipe].read(End::Far, 100, &mut stage.chance) {
            None => false,
            Some(Err(())) => self.close(stage),
            Some(Ok(bytes)) if bytes.is_empty() => self.close(stage),
            Some(Ok(bytes)) => {
                if let Err(why) = bytes.iter().try_for_each(|byte| self.take(*byte, stage)) {
                    stage.fail(format!("endpoint at pipe {}: {why}", self.pipe));
                }
                true
            }
        }
    }

    fn take(&mut self, byte: u8, stage: &mut Stage) -> Result<(), String> {
        let mut reads = Vec::new();
        self.reader.feed(byte, &mut reads)?;
        for read in reads {
            match read {
                Read::Head(head) => {
                    if !self.is_read || !self.is_flushed() {
                        return Err(format!("{:?} comes before its turn", head.word(1)));
                    }
                    let id = head.number("x-id").ok_or_else(|| format!("nobody asked {head:?}"))?;
                    let (method, path) = (head.word(0).to_owned(), format!("/ask/{id}"));
                    let asked = stage.asks.get(id).is_some_and(|ask| ask.method == method);
                    if !asked || head.word(1) != path {
                        return Err(format!("nobody asked {head:?}"));
                    }
                    self.begin(id, stage)?;
                }
                Read::Body(byte) => self.body.push(byte),
                Read::End => self.end(stage)?,
            }
        }
        Ok(())
    }

    fn begin(&mut self, id: usize, stage: &mut Stage) -> Result<(), String> {
        let ask = &mut stage.asks[id];
        ask.arrivals += 1;
        if ask.arrivals > 1 && ask.method == "POST" {
            return Err(format!("{id} is done twice"));
        }
        let plan = Plan::new(&ask.clone(), stage.calm, &mut stage.chance);
        stage.note(|| format!("pipe {} is asked {id}: {plan:?}", self.pipe));
        self.misbehaves |= plan.misbehaves();
        (self.at, self.is_read, self.answers) = (Some((id, plan)), false, false);
        self.body.clear();
        self.out = std::mem::take(&mut self.late);
        self.wrote = 0;
        plan.interims(id, &mut self.out);
        if plan.early {
            self.answer(stage);
        }
        Ok(())
    }

    fn end(&mut self, stage: &mut Stage) -> Result<(), String> {
        let Some((id, plan)) = self.at else { return Err("a body without a head".to_owned()) };
        self.is_read = true;
        let ask = &stage.asks[id];
        if self.body != pattern(id, "ask", ask.body) {
            let wanted = pattern(id, "ask", self.body.len());
            let at = wanted.iter().zip(&self.body).take_while(|(a, b)| a == b).count();
            let body = String::from_utf8_lossy(&self.body[at..]).into_owned();
            return Err(format!("the body of {id} goes on, after {at} bytes, with {body:.80?}"));
        }
        if !plan.early {
            self.answer(stage);
        }
        Ok(())
    }

    fn answer(&mut self, stage: &mut Stage) {
        let Some((id, plan)) = self.at else { return };
        if plan.fault != Fault::Hang {
            let ask = stage.asks[id].clone();
            plan.answer(id, &ask, &mut self.out, &mut stage.chance);
            if plan.surplus == Surplus::With && plan.framing != Framing::UntilClose {
                self.surplus = surplus(&mut stage.chance).to_vec();
                self.late = surplus(&mut stage.chance).to_vec();
            }
            if ask.expects && !plan.hundred {
                self.late = b"HTTP/1.1 100 Continue\r\nX-Id: poison\r\n\r\n".to_vec();
            }
            self.answers = true;
        }
    }
}
