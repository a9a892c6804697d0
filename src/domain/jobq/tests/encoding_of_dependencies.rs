//! Jobs that wait for each other, saved and loaded.

use super::encoding::*;
use super::harness::*;
use crate::domain::jobq::state::dependencies::{CancelledEdges, Dependencies, DependencyOutcome};
use crate::domain::jobq::state::job_header::LastOutcome;
use crate::domain::jobq::state::lifetime::JobLifetime;
use crate::domain::jobq::*;

/// Serial 3 waits for 1 and 2; 2 has taken the place of 0.
fn waiting_queue() -> Queue {
    let mut queue = Queue::default();
    (queue.clock, queue.next_serial, queue.highest_token) = (21, 22, 23);
    let plain = full_job().with(|job| (job.options, job.last_outcome) = (None, LastOutcome::Open));
    let with = |lifetime| plain.clone().with(|job| job.options_mut().lifetime = Some(Box::new(lifetime)));
    let dependencies = Dependencies { after: [0, 1].into(), on_dead: OnDead::Fail, open: 2 };
    assert!(queue.insert(1, plain.clone()));
    assert!(queue.insert(2, with(JobLifetime { root: Some(0), ..JobLifetime::default() })));
    let child = with(JobLifetime { dependencies: Some(dependencies), ..JobLifetime::default() });
    assert!(queue.insert(3, child.with(|job| job.state = State::Blocked)));
    queue.dependency_graph.edges.extend([(0, false, 3), (1, false, 3)]);
    queue
}

#[test]
fn what_waits_for_what_is_saved_and_comes_back() {
    let changes: [fn(&mut Queue); 12] = [
        |_| {},
        |queue| _ = (queue.dependency_graph.edges.remove(&(0, false, 3)), flow_of(queue).open -= 1),
        |queue| _ = (queue.dependency_graph.edges.remove(&(1, false, 3)), flow_of(queue).open -= 1),
        |queue| {
            flow_of(queue).on_dead = OnDead::Run;
        },
        |queue| {
            flow_of(queue).on_dead = OnDead::Wait;
            queue.dependency_graph.edges = [(0, true, 3), (1, true, 3)].into();
        },
        |queue| _ = queue.dependency_graph.ended.insert(1, (DependencyOutcome::Done, (*b"a").into())),
        |queue| _ = queue.dependency_graph.ended.insert(1, (DependencyOutcome::Dead, (*b"a").into())),
        |queue| _ = queue.dependency_graph.ended.insert(1, (DependencyOutcome::Gone, (*b"a").into())),
        |queue| _ = queue.dependency_graph.ended.insert(1, (DependencyOutcome::Gone, (*b"b").into())),
        |queue| _ = queue.dependency_graph.cancelled_edges.insert(4, cancelled(OnDead::Wait, &[9, 8])),
        |queue| _ = queue.dependency_graph.cancelled_edges.insert(4, cancelled(OnDead::Run, &[9, 8])),
        |queue| {
            queue.dependency_graph.cancelled_edges.insert(4, cancelled(OnDead::Wait, &[9, 8]));
            queue.dependency_graph.edges.insert((9, true, 4));
        },
    ];
    let all = changes.map(|change| {
        let mut queue = waiting_queue();
        change(&mut queue);
        queue
    });
    for (i, one) in all.iter().enumerate() {
        let again = reloaded(one);
        assert_eq!(saved(&again), saved(one));
        assert_eq!(again.jobs, one.jobs);
        assert_eq!(
            (&again.dependency_graph.edges, &again.dependency_graph.replaced_by),
            (&one.dependency_graph.edges, &one.dependency_graph.replaced_by)
        );
        for other in &all[i + 1..] {
            assert_ne!(saved(one), saved(other), "{one:?} and {other:?}");
        }
    }
}

fn cancelled(on_dead: OnDead, after: &[u64]) -> CancelledEdges {
    CancelledEdges { on_dead, after: after.into(), left: after.len() }
}

fn flow_of(queue: &mut Queue) -> &mut Dependencies {
    queue.jobs.lifetime_mut(3).and_then(|lifetime| lifetime.dependencies.as_mut()).expect("dependencies")
}

#[test]
fn edges_that_lead_from_nowhere_are_corrupt() {
    let changes: [fn(&mut Queue); 9] = [
        |queue| drop(queue.detach(1)),
        |queue| drop(queue.detach(2)),
        |queue| queue.change(3, |job| job.state = State::Delayed),
        |queue| queue.change(3, |job| job.state = State::Dead),
        |queue| queue.dependency_graph.edges.clear(),
        |queue| flow_of(queue).after = [].into(),
        |queue| flow_of(queue).after = [1, 0].into(),
        |queue| flow_of(queue).after = [1, 1].into(),
        |queue| _ = queue.dependency_graph.cancelled_edges.insert(3, cancelled(OnDead::Wait, &[9])),
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut queue = waiting_queue();
        change(&mut queue);
        let blocks = saved(&queue);
        // One that goes on has forgotten what it waited for, one that died keeps it.
        assert_eq!(loaded(&blocks).is_err(), !(2..4).contains(&i), "change {i}");
    }
    let mut replaced_by = waiting_queue();
    replaced_by.jobs.lifetime_mut(2).expect("a lifetime").root = Some(1);
    assert!(loaded(&saved(&replaced_by)).is_err(), "a root of two jobs");
}

#[test]
fn a_circle_of_jobs_that_wait_for_each_other_is_loaded_and_does_no_harm() {
    let mut queue = waiting_queue();
    let waits = Dependencies { after: [3].into(), on_dead: OnDead::Fail, open: 1 };
    queue.change(1, |job| {
        job.state = State::Blocked;
        job.options_mut().lifetime =
            Some(Box::new(JobLifetime { dependencies: Some(waits), ..JobLifetime::default() }));
    });
    queue.dependency_graph.edges.insert((3, false, 1));
    let pushed = full_job().created;
    let mut world = World::new();
    world.replica = Some(reloaded(&queue));
    world.primary = Some(reloaded(&queue));
    assert_eq!(world.cancel(&[&automatic_id_at(3, pushed)]), [Cancelled::Removed]);
    let view = job(world.primary.as_ref(), &automatic_id_at(1, pushed), world.now).unwrap();
    let parent = automatic_id_at(3, pushed);
    let error = [b"the job '", &parent[..], b"' that it waited for is gone"].concat();
    assert_eq!((view.state, view.error), (State::Dead, Some(&error[..])));
    check_indexes(world.queue());
    assert_eq!(blocks(world.primary.as_ref()), blocks(world.replica.as_ref()));
}
