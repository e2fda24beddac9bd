//! Which frames a packet socket hears, as a classic BPF program for the kernel.
//!
//! The program runs for every frame of the interface, so it decides cheap and common cases first.
//! It errs on the side of letting through: what it lets through is checked again.

use socket2::SockFilter;

const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
/// Loads the byte at X + k.
const LOAD_BYTE_X: u16 = 0x50;
/// Loads into X the length of the IPv4 header that starts at k.
const LOAD_X_HEADER: u16 = 0xb1;
const AND: u16 = 0x54;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER: u16 = 0x25;
const JUMP_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

/// Where the kernel keeps what it knows of a frame beside its bytes (linux/filter.h).
const ANCILLARY: u32 = 0xffff_f000;
const PACKET_TYPE: u32 = ANCILLARY + 4;
const VLAN_TAG: u32 = ANCILLARY + 44;
/// Host, broadcast, multicast are 0 to 2; greater are frames for others and our own.
const TO_A_GROUP: u32 = 2;

const WHOLE: u32 = 0x4_0000;
const NOTHING: u32 = 0;

/// One instruction whose jumps are given as labels.
enum Line {
    Do(u16, u32),
    /// Operation, operand, where to go if so, if not. [`Go::Next`] is the following line.
    Branch(u16, u32, Go, Go),
    Label(&'static str),
}

#[derive(Clone, Copy)]
enum Go {
    Next,
    To(&'static str),
}

/// The program.
pub(super) fn program() -> Vec<SockFilter> {
    assemble(&lines())
}

fn lines() -> Vec<Line> {
    use Go::{Next, To};
    use Line::{Branch, Do, Label};
    let drop = To("drop");
    vec![
        Do(LOAD_WORD, PACKET_TYPE),
        Branch(JUMP_GREATER, TO_A_GROUP, drop, Next),
        // A frame of a VLAN is shown to us without its tag, and it is not ours to answer. Tag 0
        // is no VLAN, only a priority.
        Do(LOAD_WORD, VLAN_TAG),
        Do(AND, 0xfff),
        Branch(JUMP_EQUAL, 0, Next, drop),
        Do(LOAD_HALF, 12),
        Branch(JUMP_EQUAL, 0x0806, To("take"), Next),
        Branch(JUMP_EQUAL, 0x86dd, To("ipv6"), Next),
        Branch(JUMP_EQUAL, 0x0800, Next, drop),
        // IPv4: ICMP; echo request, or a piece that does not say what it is of.
        Do(LOAD_BYTE, 23),
        Branch(JUMP_EQUAL, 1, Next, drop),
        Do(LOAD_HALF, 20),
        Branch(JUMP_ANY_BIT, 0x1fff, To("take"), Next),
        Do(LOAD_X_HEADER, 14),
        Do(LOAD_BYTE_X, 14),
        Branch(JUMP_EQUAL, 8, To("take"), drop),
        // IPv6: ICMPv6; echo request, neighbor solicitation, neighbor advertisement. A piece's
        // own header says what it is of where the others have their type.
        Label("ipv6"),
        Do(LOAD_BYTE, 20),
        Branch(JUMP_EQUAL, 58, To("icmpv6"), Next),
        Branch(JUMP_EQUAL, 44, Next, drop),
        Do(LOAD_BYTE, 54),
        Branch(JUMP_EQUAL, 58, To("take"), drop),
        Label("icmpv6"),
        Do(LOAD_BYTE, 54),
        Branch(JUMP_EQUAL, 135, To("take"), Next),
        Branch(JUMP_EQUAL, 136, To("take"), Next),
        Branch(JUMP_EQUAL, 128, To("take"), drop),
        Label("take"),
        Do(RETURN, WHOLE),
        Label("drop"),
        Do(RETURN, NOTHING),
    ]
}

/// Replaces labels by distances.
fn assemble(lines: &[Line]) -> Vec<SockFilter> {
    let code: Vec<&Line> = lines.iter().filter(|line| !matches!(line, Line::Label(_))).collect();
    let place = |label: &str| {
        let is_it = |line: &Line| matches!(line, Line::Label(name) if *name == label);
        let at = lines.iter().position(is_it).expect("every label is defined");
        lines[..at].iter().filter(|line| !matches!(line, Line::Label(_))).count()
    };
    let distance = |from: usize, go: Go| match go {
        Go::Next => 0,
        Go::To(label) => {
            u8::try_from(place(label) - from - 1).expect("jumps go forward, and not far")
        }
    };
    let instruction = |(at, line): (usize, &&Line)| match **line {
        Line::Do(operation, operand) => SockFilter::new(operation, 0, 0, operand),
        Line::Branch(operation, operand, yes, no) => {
            SockFilter::new(operation, distance(at, yes), distance(at, no), operand)
        }
        Line::Label(_) => unreachable!("labels are filtered out"),
    };
    code.iter().enumerate().map(instruction).collect()
}
