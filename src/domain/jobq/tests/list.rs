//! LIST: pages against the jobs themselves, also while the queue changes between them.

use super::harness::*;
use crate::domain::jobq::*;
use crate::domain::time::UnixMs;
use proptest::prelude::*;

/// By the delay of a job.
const GROUPS: [Option<&[u8]>; 4] = [None, Some(b"\x00g"), None, Some(b"h")];

fn whole(state: State, count: usize) -> List<'static> {
    List { count, ..List::of(state) }
}

/// The ids of all pages, with `between` called after each.
fn pages(world: &mut World, mut wanted: List<'_>, mut between: impl FnMut(&mut World)) -> Vec<Vec<u8>> {
    let mut ids = Vec::new();
    for _ in 0..1_000 {
        let page = list(world.primary.as_ref(), &wanted, world.now);
        assert!(page.rows.len() <= wanted.count);
        assert!(page.rows.iter().all(|row| row.state == wanted.state));
        ids.extend(page.rows.iter().map(|row| row.id.to_vec()));
        let Some(next) = page.next else { return ids };
        // As a client carries it.
        wanted.cursor =
            Cursor::parse(next.text().as_bytes(), wanted.state, wanted.newest).expect("a cursor of ours");
        assert_eq!(wanted.cursor, Some(next));
        between(world);
    }
    panic!("the pages have no end");
}

fn by_get(world: &World, ids: &[Vec<u8>], state: State) -> Vec<Vec<u8>> {
    let is_in =
        |id: &&Vec<u8>| job(world.primary.as_ref(), id, world.now).is_ok_and(|view| view.state == state);
    ids.iter().filter(is_in).cloned().collect()
}

#[test]
fn a_state_is_listed_in_its_order() {
    let mut world = World::new();
    for (id, priority, lifo) in [(b"a", 1, false), (b"b", 0, false), (b"c", 0, true), (b"d", -1, false)] {
        world.push(&Push { priority, lifo, ..named(id) });
    }
    world.push(&Push { due: Due::After(20), ..named(b"later") });
    world.push(&Push { due: Due::After(10), ..named(b"sooner") });
    for count in 1..5 {
        assert_eq!(
            pages(&mut world, whole(State::Ready, count), |_| {}),
            [b"d", b"c", b"b", b"a"],
            "{count}"
        );
        let delayed = pages(&mut world, whole(State::Delayed, count), |_| {});
        assert_eq!(delayed, [&b"sooner"[..], b"later"]);
    }
    for (id, group) in [(b"u", b"y"), (b"v", b"x"), (b"w", b"y")] {
        world.push(&Push { group: Some(group), ..named(id) });
    }
    for count in 1..5 {
        let all = pages(&mut world, whole(State::Ready, count), |_| {});
        assert_eq!(all, [b"d", b"c", b"b", b"a", b"v", b"u", b"w"], "those without a group, then by groups");
        let of_group = List { group: Some(b"y"), ..whole(State::Ready, count) };
        assert_eq!(pages(&mut world, of_group, |_| {}), [b"u", b"w"]);
    }
    assert!(pages(&mut world, whole(State::Dead, 5), |_| {}).is_empty());
    assert!(list(None, &whole(State::Ready, 5), START).rows.is_empty());
}

#[test]
fn a_page_is_of_the_name_and_the_error() {
    let mut world = World::new();
    for (id, name, error) in [(b"a", b"mail", "429 slow"), (b"b", b"mail", "500"), (b"c", b"push", "429")] {
        world.push(&Push { retries: Some(0), name: Some(name), ..named(id) });
        let token = world.pop_one().token;
        world.fail(id, token, &Fail { error: Some(error.as_bytes()), ..FAIL }).unwrap();
    }
    let dead = whole(State::Dead, 5);
    assert_eq!(pages(&mut world, List { name: Some(b"mail"), ..dead.clone() }, |_| {}), [b"a", b"b"]);
    let of_error = |glob: &[u8]| JobFilter { error: Some(Glob::new(glob)), kind: None };
    assert_eq!(pages(&mut world, List { filter: of_error(b"429*"), ..dead.clone() }, |_| {}), [b"a", b"c"]);
    assert_eq!(pages(&mut world, List { filter: of_error(b"429"), ..dead.clone() }, |_| {}), [b"c"]);
    assert_eq!(
        pages(&mut world, List { name: Some(b"mail"), filter: of_error(b"429*"), ..dead.clone() }, |_| {}),
        [b"a"]
    );
    assert!(pages(&mut world, List { name: Some(b"mai"), ..dead.clone() }, |_| {}).is_empty());
}

#[test]
fn a_page_ends_after_ten_thousand_looks() {
    let mut world = World::new();
    for _ in 0..12_000 {
        world.push(&plain(b""));
    }
    world.push(&Push { name: Some(b"rare"), ..named(b"a") });
    let wanted = List { name: Some(b"rare"), ..whole(State::Ready, 1) };
    let page = list(world.primary.as_ref(), &wanted, world.now);
    assert!(page.rows.is_empty());
    let page = list(world.primary.as_ref(), &List { cursor: page.next, ..wanted }, world.now);
    assert_eq!(&*page.rows[0].id, b"a");
    assert_eq!(page.next, None);
}

#[test]
fn a_page_ends_after_four_mebibytes_of_text() {
    let mut world = World::new();
    let meta = vec![b'x'; 1 << 20];
    for _ in 0..6 {
        world.push(&Push { meta: Some(&meta), ..plain(b"") });
    }
    let page = list(world.primary.as_ref(), &whole(State::Ready, 100), world.now);
    assert_eq!(page.rows.len(), 4);
    assert_eq!(pages(&mut world, whole(State::Ready, 100), |_| {}).len(), 6);
}

#[test]
fn a_cursor_of_another_state_or_of_nobody_is_refused() {
    for text in [
        "",
        "q",
        "x",
        "l1",
        "l1.2",
        "l1.2.3.4",
        "l1.2.x",
        "l1.2.3.b.0",
        "l1.2.3.x.00",
        "l1.2.3.f.00.4",
        "1",
        "\u{e9}",
        "f",
    ] {
        assert!(Cursor::parse(text.as_bytes(), State::Ready, false).is_err(), "{text}");
    }
    assert!(Cursor::parse(b"\xff", State::Ready, false).is_err());
    assert_eq!(Cursor::parse(b"0", State::Ready, false), Ok(None));
    assert!(Cursor::parse(b"f1.2.0", State::Done, false).is_ok());
    assert!(Cursor::parse(b"F1.2.0", State::Done, true).is_ok());
    assert!(Cursor::parse(b"F1.2.0", State::Done, false).is_err(), "of the other order");
    assert!(Cursor::parse(b"f1.2.0", State::Done, true).is_err(), "of the other order");
}

/// What is done to the queue while it is listed.
#[derive(Debug, Clone)]
enum Act {
    Push(u64),
    Pop(u64),
    Ack,
    Fail(bool),
    Release(u64),
    Extend,
    Redrive,
    Forward(u64),
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (0..60u64).prop_map(|d| Act::Push(d.saturating_sub(30))),
        3 => (1..60u64).prop_map(Act::Pop),
        1 => Just(Act::Ack),
        2 => any::<bool>().prop_map(Act::Fail),
        1 => (0..30u64).prop_map(Act::Release),
        1 => Just(Act::Extend),
        1 => Just(Act::Redrive),
        2 => (0..40u64).prop_map(Act::Forward),
    ]
}

fn act(world: &mut World, held: &mut Vec<(Vec<u8>, u64)>, act: &Act) {
    let last = held.last().cloned().unwrap_or_default();
    match *act {
        Act::Push(delay) => {
            let priority = (delay % 3) as i32 - 1;
            let push = Push {
                due: Due::After(delay),
                priority,
                lifo: delay % 7 == 3,
                retries: Some(1),
                group: GROUPS[(delay % 4) as usize],
                ..plain(b"")
            };
            drop(world.push(&push));
        }
        Act::Pop(lease) => {
            held.extend(world.pop(2, Some(lease)).into_iter().map(|job| (job.id.to_vec(), job.token)));
        }
        // What is refused changes nothing, which is as good.
        Act::Ack => drop(world.ack(&last.0, last.1)),
        Act::Fail(dead) => drop(world.fail(&last.0, last.1, &Fail { dead, delay: Some(20), ..FAIL })),
        Act::Release(delay) => drop(world.release(&last.0, last.1, delay)),
        // Never by less than before: a lease that is cut short moves the job towards the front.
        Act::Extend => drop(world.extend(&last.0, last.1, None)),
        Act::Redrive => drop(world.redrive(&Redrive { limit: 1, ..Redrive::default() })),
        Act::Forward(ms) => world.now += ms,
    }
    if matches!(act, Act::Ack | Act::Fail(_) | Act::Release(_)) {
        held.pop();
    }
}

proptest! {
    #[test]
    fn a_list_shows_what_get_shows_and_misses_no_job_that_stays(
        before in prop::collection::vec(acts(), 0..60),
        between in prop::collection::vec(acts(), 0..40),
        count in 1..4usize,
        state in prop::sample::select(State::ALL.to_vec()),
        later in 0..50 as UnixMs,
    ) {
        let (mut world, mut held) = (World::new(), Vec::new());
        before.iter().for_each(|one| act(&mut world, &mut held, one));
        world.now += later;
        let ids = |world: &World| -> Vec<Vec<u8>> {
            let jobs = world.primary.iter().flat_map(|queue| queue.jobs.iter());
            jobs.map(|(serial, job)| job.shown_id(serial).to_vec()).collect()
        };
        let all = ids(&world);
        let mut listed = pages(&mut world, whole(state, count), |_| {});
        listed.sort();
        let mut expected = by_get(&world, &all, state);
        expected.sort();
        prop_assert_eq!(&listed, &expected, "as it stands");
        let in_order = pages(&mut world, whole(state, count), |_| {});
        let mut newest_first = pages(&mut world, List { newest: true, ..whole(state, count) }, |_| {});
        newest_first.reverse();
        prop_assert_eq!(newest_first, in_order, "in the reverse order");

        let mut stayed = expected;
        let mut acts = between.iter();
        let listed = pages(&mut world, whole(state, count), |world| {
            for one in acts.by_ref().take(2) {
                act(world, &mut held, one);
                stayed = by_get(world, &stayed, state);
            }
        });
        for id in &stayed {
            prop_assert!(listed.contains(id), "{} stayed", String::from_utf8_lossy(id));
        }
    }
}
