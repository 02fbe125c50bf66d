//! What every operation that takes a handle has in common.
//!
//! [`handle_form`] makes its cases for one operation, which stands in the
//! module of the caller as `with_handle`.

use crate::case::Case;
use crate::fencing::Answer;
use leasehold_contract::Handle;
use leasehold_core::handle::BackendTag;

/// An operation as a worker calls it.
pub type Call = for<'a> fn(&'a Case, &'a Handle) -> Answer<'a>;

fn foreign_to(case: &Case) -> BackendTag {
    let tags = [BackendTag::Valkey, BackendTag::Postgres];
    tags.into_iter().find(|tag| *tag != case.backend.tag()).expect("two different tags")
}

pub async fn foreign(case: &Case, call: Call) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let foreign = foreign_to(case);
    let outer = Handle { backend: foreign, ..held.handle.clone() };
    case.refused(id, call(case, &outer), "handle_from_other_backend").await;
    let inner = Handle { backend: case.backend.tag(), ..held.execution.handle(foreign) };
    case.refused(id, call(case, &inner), "handle_from_other_backend").await;
    // The first version came from Valkey and carries no tag.
    let mut old = held.handle.clone();
    old.opaque.splice(..3, [0x01]);
    let first_version = match case.backend.tag() {
        BackendTag::Valkey => return,
        _ => old,
    };
    case.refused(id, call(case, &first_version), "handle_from_other_backend").await;
}

pub async fn unreadable(case: &Case, call: Call) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let bytes = &held.handle.opaque;
    let with = |opaque: Vec<u8>| Handle { opaque, ..held.handle.clone() };
    let mut wire_version = bytes.clone();
    wire_version[1] = 9;
    let mut not_text = bytes.clone();
    not_text[7] = 0xff;
    let mut no_id = bytes.clone();
    no_id[7] = b'[';
    for (what, opaque) in [
        ("nothing", Vec::new()),
        ("garbage", vec![0xff; 40]),
        ("one byte short", bytes[..bytes.len() - 1].to_vec()),
        ("one byte more", [bytes.as_slice(), &[0]].concat()),
        ("an unknown wire version", wire_version),
        ("an id that is no UTF-8", not_text),
        ("an id that is none", no_id),
    ] {
        let error = case.refused(id, call(case, &with(opaque)), "corruption").await;
        assert!(error.to_string().contains("handle_codec:"), "{what}: {error}");
    }
}

/// The cases of one operation that takes a handle.
macro_rules! handle_form {
    () => {
        pub async fn a_handle_of_another_backend_is_refused(case: &mut Case) {
            crate::handles::foreign(case, with_handle).await;
        }

        pub async fn an_unreadable_handle_is_refused(case: &mut Case) {
            crate::handles::unreadable(case, with_handle).await;
        }
    };
}

pub(crate) use handle_form;
