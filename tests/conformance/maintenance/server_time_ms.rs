//! `server_time_ms`: the clock that records are stamped with.

use crate::case::Case;

pub async fn it_is_the_time_of_the_store(case: &mut Case) {
    for ms in [0, 1, 1000, 86_400_000] {
        case.advance(ms);
        assert_eq!(case.engine.server_time_ms().await, Ok(case.now()));
    }
    let id = case.waiting().await;
    assert_eq!(Ok(case.record(id).await.spec.created_at), case.engine.server_time_ms().await);
}

pub async fn it_never_goes_back(case: &mut Case) {
    let mut before = case.engine.server_time_ms().await.unwrap();
    case.clock.step_wall(-3_600_000);
    for _ in 0..20 {
        let now = case.engine.server_time_ms().await.unwrap();
        assert!(now >= before);
        before = now;
        case.advance(100);
    }
    assert!(case.engine.server_time_ms().await.unwrap() > before, "it does not stand still either");
}

pub async fn a_step_of_the_machines_clock_ends_no_lease(case: &mut Case) {
    let held = case.leased().await;
    case.clock.step_wall(3_600_000);
    case.engine.renew(&held.handle).await.expect("no time has passed");
    case.clock.step_wall(-7_200_000);
    case.engine.complete(&held.handle, None).await.expect("no time has passed");
}

pub async fn it_does_not_go_back_over_a_restart(case: &mut Case) {
    case.advance(10_000);
    let id = case.waiting().await;
    let created_at = case.record(id).await.spec.created_at;
    case.clock.step_wall(-5000);
    case.restart().await;
    assert!(case.engine.server_time_ms().await.unwrap() >= created_at);
}
