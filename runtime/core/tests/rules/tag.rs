//! Setting tags.

use crate::fixture::{START, detail, refused};
use crate::situation::{Situation as S, Staged};
use leasehold_core::command::SetExecutionTag;
use leasehold_core::ids::ExecutionId;
use leasehold_core::tags::{MAX_TAG_VALUE_BYTES, MAX_TAGS};

fn tag(id: ExecutionId, key: &str, value: &str) -> SetExecutionTag {
    SetExecutionTag { execution_id: id, key: key.into(), value: value.into() }
}

#[test]
fn a_tag_is_set_and_replaced_and_setting_it_again_writes_nothing() {
    for situation in [S::Eligible, S::Leased, S::Completed] {
        let Staged { mut world, id, .. } = situation.stage();
        let before = world.execution(id);
        world.pass(1);
        world.run(tag(id, "team.name", "red")).unwrap();
        world.run(tag(id, "team.name", "blue")).unwrap();
        world.run(tag(id, "team.name", "blue")).unwrap();
        assert!(world.last.is_empty());
        let execution = world.execution(id);
        assert_eq!(execution.tags.get("team.name").map(String::as_str), Some("blue"));
        assert_eq!(execution.last_mutation_at, world.now);
        assert_eq!(execution.last_transition_at, before.last_transition_at);
        assert_eq!(execution.vector(), before.vector());
        assert!(world.told().is_empty());
    }
}

#[test]
fn key_and_value_are_checked_before_the_execution_is_looked_up() {
    let Staged { mut world, id, .. } = S::Missing.stage();
    let error = refused(world.run(tag(id, "nodot", "v")), "invalid_tag_key");
    assert_eq!(detail(&error), "nodot");
    refused(world.run(tag(id, "a.b", "\0")), "invalid_input");
    refused(world.run(tag(id, "a.b", &"v".repeat(MAX_TAG_VALUE_BYTES + 1))), "invalid_input");
    refused(world.run(tag(id, "a.b", "v")), "execution_not_found");
}

#[test]
fn the_number_of_tags_is_limited_and_replacing_one_is_not() {
    let Staged { mut world, id, .. } = S::Eligible.stage();
    for n in 0..MAX_TAGS {
        world.run(tag(id, &format!("a.t{n}"), "v")).unwrap();
    }
    refused(world.run(tag(id, "a.more", "v")), "invalid_input");
    world.run(tag(id, "a.t0", "other")).unwrap();
    assert_eq!(world.execution(id).spec.created_at, START);
}
