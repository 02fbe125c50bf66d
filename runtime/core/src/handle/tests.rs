//! Golden bytes and every way a handle can be wrong.

use super::*;

const EXECUTION: &str = "{fp:7}:11111111-2222-4333-8444-555555555555";
const ATTEMPT: &str = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
const LEASE: &str = "01234567-89ab-4cde-8f01-23456789abcd";

fn payload() -> HandlePayload {
    HandlePayload {
        execution_id: ExecutionId::parse(EXECUTION).unwrap(),
        attempt_index: AttemptIndex(2),
        attempt_id: AttemptId::parse(ATTEMPT).unwrap(),
        lease_id: LeaseId::parse(LEASE).unwrap(),
        lease_epoch: LeaseEpoch(0x0102_0304),
        lease_ttl_ms: 30_000,
        lane_id: LaneId::new("fast"),
        worker_instance_id: WorkerInstanceId::new("w-1"),
    }
}

/// The fields as the format prescribes them, written out by hand.
fn golden_fields() -> Vec<u8> {
    let mut bytes = vec![43, 0, 0, 0];
    bytes.extend_from_slice(EXECUTION.as_bytes());
    bytes.extend_from_slice(&[2, 0, 0, 0]);
    bytes.extend_from_slice(&[36, 0, 0, 0]);
    bytes.extend_from_slice(ATTEMPT.as_bytes());
    bytes.extend_from_slice(&[36, 0, 0, 0]);
    bytes.extend_from_slice(LEASE.as_bytes());
    bytes.extend_from_slice(&[4, 3, 2, 1, 0, 0, 0, 0]);
    bytes.extend_from_slice(&[0x30, 0x75, 0, 0, 0, 0, 0, 0]);
    bytes.extend_from_slice(b"\x04\0\0\0fast\x03\0\0\0w-1");
    bytes
}

fn handle(backend: BackendTag, prefix: &[u8], fields: &[u8]) -> Handle {
    Handle { backend, kind: HandleKind::Fresh, opaque: [prefix, fields].concat() }
}

fn codec(error: HandleCodecError) -> EngineError {
    error.into()
}

#[test]
fn the_bytes_of_version_2_are_fixed() {
    for (backend, tag) in
        [(BackendTag::Valkey, 1), (BackendTag::Postgres, 2), (BackendTag::Sqlite, 3), (BackendTag::Memory, 4)]
    {
        let encoded = Handle::encode(backend, HandleKind::Reclaimed, &payload());
        assert_eq!(encoded.opaque, [&[2, 1, tag][..], &golden_fields()].concat());
        assert_eq!(encoded.kind, HandleKind::Reclaimed);
        assert_eq!(encoded.decode(backend), Ok(payload()));
    }
}

#[test]
fn version_1_is_read_and_comes_from_valkey() {
    let old = handle(BackendTag::Valkey, &[1], &golden_fields());
    assert_eq!(old.decode(BackendTag::Valkey), Ok(payload()));
    let disguised = handle(BackendTag::Memory, &[1], &golden_fields());
    assert_eq!(disguised.decode(BackendTag::Memory).unwrap_err().code(), "handle_from_other_backend");
}

#[test]
fn a_handle_of_another_backend_is_refused_by_either_tag() {
    let expected =
        EngineError::validation(ValidationKind::HandleFromOtherBackend, "issued by sqlite, given to postgres");
    let outer = Handle::encode(BackendTag::Sqlite, HandleKind::Fresh, &payload());
    assert_eq!(outer.decode(BackendTag::Postgres), Err(expected.clone()));
    let embedded = Handle { backend: BackendTag::Postgres, ..outer };
    assert_eq!(embedded.decode(BackendTag::Postgres), Err(expected));
}

#[test]
fn every_shortened_handle_is_truncated() {
    let whole = Handle::encode(BackendTag::Memory, HandleKind::Fresh, &payload());
    for length in 0..whole.opaque.len() {
        let short = handle(BackendTag::Memory, &whole.opaque[..length], &[]);
        let error = short.decode(BackendTag::Memory).unwrap_err();
        assert_eq!(error.code(), "corruption");
        assert!(error.to_string().contains("handle_codec: Truncated"), "{length}: {error}");
    }
}

#[test]
fn malformed_bytes_name_their_fault() {
    let fields = golden_fields();
    let altered = |at: usize, byte: u8| {
        let mut fields = golden_fields();
        fields[at] = byte;
        fields
    };
    let lane_at = fields.len() - 4 - 3 - 4;
    let mut longer = golden_fields();
    longer.extend_from_slice(b"xyz");
    for (prefix, fields, error) in [
        (&[2, 1, 4][..], longer, HandleCodecError::TrailingBytes(3)),
        (&[2, 2, 4], fields.clone(), HandleCodecError::BadWireVersion(2)),
        (&[3], fields.clone(), HandleCodecError::BadV1Version(3)),
        (&[2, 1, 0], fields.clone(), HandleCodecError::BadBackendTag(0)),
        (&[2, 1, 9], fields, HandleCodecError::BadBackendTag(9)),
        (&[2, 1, 4], altered(3, 0xff), HandleCodecError::Truncated("execution_id")),
        (&[2, 1, 4], altered(4, 0xff), HandleCodecError::InvalidUtf8("execution_id")),
        (&[2, 1, 4], altered(4, b'x'), HandleCodecError::ParseField("execution_id")),
        (&[2, 1, 4], altered(lane_at, b'\n'), HandleCodecError::ParseField("lane_id")),
    ] {
        assert_eq!(handle(BackendTag::Memory, prefix, &fields).decode(BackendTag::Memory), Err(codec(error)));
    }
}

#[test]
fn the_fence_is_the_triple_of_the_lease() {
    let fence = payload().fence();
    assert_eq!(fence.lease_id.to_string(), LEASE);
    assert_eq!(fence.attempt_id.to_string(), ATTEMPT);
    assert_eq!(fence.lease_epoch, LeaseEpoch(0x0102_0304));
}

#[test]
fn the_text_form_is_hexadecimal() {
    let handle = Handle { backend: BackendTag::Sqlite, kind: HandleKind::Resumed, opaque: vec![0x02, 0xaf, 0x00] };
    let json = serde_json::json!({ "backend": "sqlite", "kind": "resumed", "opaque": "02af00" });
    assert_eq!(serde_json::to_value(&handle).unwrap(), json);
    assert_eq!(serde_json::from_value::<Handle>(json.clone()).unwrap(), handle);
    for opaque in ["0", "0g", "AF", "0x02", "é"] {
        let mut broken = json.clone();
        broken["opaque"] = opaque.into();
        assert!(serde_json::from_value::<Handle>(broken).is_err(), "{opaque}");
    }
}
