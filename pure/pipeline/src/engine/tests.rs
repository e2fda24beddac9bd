//! A small world: people, who live in towns; what each town and the country comes to.

use std::collections::BTreeMap;

use super::*;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key {
    /// Input: where somebody lives, how old he is, and whom he looks up to.
    Person(u8),
    /// Index: who lives in a town.
    Living(u8),
    /// How old the people of a town are together; a finding where that is odd.
    Town(u8),
    /// Index: towns with somebody in them.
    Towns,
    /// Whether somebody's idol lives where he does.
    Close(u8),
    /// The oldest town.
    Oldest,
}

#[derive(Clone, Debug, PartialEq)]
enum Row {
    Person { town: u8, age: u8, idol: u8 },
    Age(u32),
    Close(bool),
    Oldest(Option<u8>),
}

struct World;

impl Tables for World {
    type Key = Key;
    type Row = Row;
    type Finding = String;

    fn rank(key: &Key) -> u8 {
        match key {
            Key::Person(_) => 0,
            Key::Living(_) => 1,
            Key::Town(_) | Key::Close(_) => 2,
            Key::Towns => 3,
            Key::Oldest => 4,
        }
    }

    fn derive(&self, key: &Key, reads: &mut Reads<'_, Self>) -> Option<Row> {
        match key {
            Key::Town(town) => {
                let people = reads.rows(&Key::Living(*town));
                let age = |row: &Row| match row {
                    Row::Person { age, .. } => u32::from(*age),
                    _ => panic!("only people live in towns"),
                };
                let sum: u32 = people.iter().map(age).sum();
                reads.say((sum % 2 == 1).then(|| format!("{town} is odd: {sum}")));
                Some(Row::Age(sum / 10))
            }
            Key::Close(person) => {
                let Some(Row::Person { town, idol, .. }) = reads.row(&Key::Person(*person)) else {
                    return None;
                };
                let idol = reads.row(&Key::Person(idol));
                let is_there =
                    |row| matches!(row, Row::Person { town: other, .. } if other == town);
                Some(Row::Close(idol.is_some_and(is_there)))
            }
            Key::Oldest => {
                let towns = reads.keys(&Key::Towns).into_iter();
                let ages = towns.map(|key| match (reads.row(&key), key) {
                    (Some(Row::Age(age)), Key::Town(town)) => (age, town),
                    other => panic!("{other:?} is no town"),
                });
                Some(Row::Oldest(ages.max().map(|(_, town)| town)))
            }
            input => panic!("{input:?} is not derived"),
        }
    }

    fn links(&self, key: &Key, row: &Row, links: &mut Links<Key>) {
        match (key, row) {
            (Key::Person(person), Row::Person { town, .. }) => {
                links.entry(Key::Living(*town));
                links.cell(Key::Town(*town));
                links.cell(Key::Close(*person));
            }
            (Key::Town(_), _) => links.entry(Key::Towns),
            _ => {}
        }
    }
}

fn engine() -> Engine<World> {
    Engine::new(World, [Key::Oldest])
}

fn person(town: u8, age: u8, idol: u8) -> Option<Row> {
    Some(Row::Person { town, age, idol })
}

/// Every cell there may be, with what it holds and says.
fn shown(engine: &Engine<World>) -> Vec<String> {
    let keys = (0..12).flat_map(|n| [Key::Town(n), Key::Close(n)]).chain([Key::Oldest]);
    let cells = keys.map(|key| format!("{:?} {:?}", engine.row(&key), engine.findings(&key)));
    let entries = (0..12).map(Key::Living).chain([Key::Towns]);
    cells.chain(entries.map(|entry| format!("{:?}", engine.keys(&entry)))).collect()
}

struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u8) -> u8 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        u8::try_from((self.0 >> 33) % u64::from(limit)).unwrap()
    }
}

/// What a delta tells is what differs.
fn check_delta(before: &Engine<World>, after: &mut Engine<World>) {
    let delta = after.take_delta();
    let rows: BTreeMap<Key, Option<Row>> = delta.rows.into_iter().collect();
    for n in 0..12 {
        for key in [Key::Person(n), Key::Town(n), Key::Close(n), Key::Oldest] {
            let is_told = rows.get(&key).map(Option::as_ref);
            let differs = before.row(&key) != after.row(&key);
            assert_eq!(is_told, differs.then(|| before.row(&key)), "{key:?}");
            let differs = before.findings(&key) != after.findings(&key);
            assert!(!differs || delta.retold.contains(&key), "{key:?} says something else");
        }
    }
}

#[test]
fn batches_of_changes_come_to_the_same_as_from_scratch() {
    for seed in 1..=40 {
        let mut numbers = Numbers(seed);
        let mut people: BTreeMap<u8, Row> = BTreeMap::new();
        let from_scratch = |people: &BTreeMap<u8, Row>| {
            let mut scratch = engine();
            for (person, row) in people {
                scratch.set(&Key::Person(*person), Some(row.clone()));
            }
            scratch.run();
            scratch
        };
        let mut kept = from_scratch(&people);
        kept.take_delta();
        for _ in 0..60 {
            let before = from_scratch(&people);
            for _ in 0..=numbers.below(4) {
                let (who, gone) = (numbers.below(12), numbers.below(3) == 0);
                let row = person(numbers.below(6), numbers.below(90), numbers.below(12));
                let row = row.filter(|_| !gone);
                kept.set(&Key::Person(who), row.clone());
                match row {
                    Some(row) => drop(people.insert(who, row)),
                    None => drop(people.remove(&who)),
                }
            }
            kept.run();
            assert_eq!(shown(&kept), shown(&from_scratch(&people)), "seed {seed}");
            check_delta(&before, &mut kept);
        }
        for who in 0..12 {
            kept.set(&Key::Person(who), None);
        }
        kept.run();
        kept.take_delta();
        let left: Vec<Key> = kept.cells.named().cloned().collect();
        assert_eq!(left, [Key::Oldest, Key::Towns], "what nobody needs is forgotten");
    }
}

/// How many cells are derived after a change.
fn derived(engine: &mut Engine<World>, who: u8, row: Option<Row>) -> u64 {
    let before = engine.derived();
    engine.set(&Key::Person(who), row);
    engine.run();
    engine.derived() - before
}

#[test]
fn only_what_hangs_on_a_change_is_derived_again() {
    let mut engine = engine();
    for who in 0..6 {
        engine.set(&Key::Person(who), person(who / 3, 20, (who + 1) % 6));
    }
    engine.run();
    assert_eq!(engine.derived(), 2 + 6 + 1);
    assert_eq!(derived(&mut engine, 0, person(0, 20, 1)), 0, "nothing differs");
    // His town, he, and who looks up to him; the town comes out equal, so the country is not.
    assert_eq!(derived(&mut engine, 0, person(0, 21, 1)), 3);
    assert_eq!(engine.findings(&Key::Town(0)), ["0 is odd: 61"]);
    assert_eq!(derived(&mut engine, 0, person(0, 90, 1)), 3 + 1);
    // Somebody looks up to one who is not there: he hangs on that, too.
    assert_eq!(derived(&mut engine, 0, person(0, 90, 9)), 3);
    assert_eq!(engine.row(&Key::Close(0)), Some(&Row::Close(false)));
    // A town, who lives there, who looks up to him, the country.
    assert_eq!(derived(&mut engine, 9, person(4, 5, 9)), 4);
}

#[test]
#[should_panic(expected = "may not read")]
fn a_row_reads_no_later_table() {
    let mut cells = Cells::<World>::default();
    Reads::new(&mut cells, &Key::Town(1)).row(&Key::Oldest);
}
