//! Transactional create, from an application's own connection to a SQLite
//! file to the handler that runs the execution.

use leasehold::{Client, EngineOptions, Node, PayloadBytes, SqliteOptions, sqlite_inbox};
use leasehold_backend::{Backend, Clock, SystemClock};
use leasehold_core::ids::ExecutionId;
use leasehold_core::state::PublicState;
use leasehold_sqlite::SqliteBackend;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{Row, Sqlite, Transaction};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::{TempDir, tempdir};
use tokio::sync::mpsc;

const PATIENCE: Duration = Duration::from_secs(60);

/// Long enough that a test which sees something has not seen a sweep.
const NEVER: Duration = Duration::from_secs(86_400);

struct Scene {
    folder: TempDir,
}

struct Running {
    node: Node,
    backend: Arc<SqliteBackend>,
}

impl Scene {
    async fn new() -> Self {
        let scene = Self { folder: tempdir().unwrap() };
        // The node prepares the file the application's tables lie in.
        scene.run(NEVER).await.end().await;
        let pool = scene.application().await;
        sqlx::query("CREATE TABLE orders (item INTEGER NOT NULL)").execute(&pool).await.unwrap();
        pool.close().await;
        scene
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("shop.db")
    }

    async fn run(&self, sweep_every: Duration) -> Running {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let options = SqliteOptions { wal_reserve_bytes: 0, ..SqliteOptions::new(self.path()) };
        let backend = Arc::new(SqliteBackend::open(options, clock.clone()).await.unwrap());
        let options = EngineOptions { inbox_sweep_every: sweep_every, ..EngineOptions::default() };
        let node = Node::builder().backend(backend.clone()).clock(clock).options(options).open().await.unwrap();
        Running { node, backend }
    }

    async fn application(&self) -> SqlitePool {
        application(&self.path()).await
    }
}

async fn application(path: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(PATIENCE);
    SqlitePoolOptions::new().max_connections(8).acquire_timeout(PATIENCE).connect_with(options).await.unwrap()
}

impl Running {
    /// A worker that tells which items it was given.
    async fn work(&self) -> mpsc::UnboundedReceiver<u64> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let handler = move |payload: PayloadBytes| {
            sender.send(u64::from_be_bytes(payload.0[..].try_into().unwrap())).unwrap();
            std::future::ready("sold")
        };
        self.node.worker("shop").slots(16).on("order", handler).start().await.unwrap();
        receiver
    }

    async fn end(self) {
        self.node.drain(PATIENCE).await.unwrap();
        self.node.shutdown().await;
    }

    /// Ends as a killed process does; the file's lock goes with it.
    async fn crash(self) {
        self.node.engine().crash().await;
        self.backend.close().await;
    }

    async fn left(&self) -> usize {
        self.backend.inbox(None, 1000).await.unwrap().len()
    }

    /// How often each item is in the store, by the state its execution is in.
    async fn stored(&self) -> BTreeMap<PublicState, usize> {
        let mut states = BTreeMap::new();
        for partition in 0..self.node.engine().env().options.partitions.num_flow_partitions {
            for execution in self.backend.list_executions(partition, None, 1000).await.unwrap() {
                *states.entry(execution.vector().public_state()).or_default() += 1;
            }
        }
        states
    }
}

/// One purchase: a row of the application and the work it asks for.
async fn purchase(transaction: &mut Transaction<'_, Sqlite>, client: &Client, item: u64) -> ExecutionId {
    let order = sqlx::query("INSERT INTO orders VALUES (?)").bind(i64::try_from(item).unwrap());
    order.execute(&mut **transaction).await.unwrap();
    let create = client.submit("order", item.to_be_bytes().to_vec()).into_create().unwrap();
    sqlite_inbox::create(transaction, &create).await.unwrap()
}

async fn received(items: &mut mpsc::UnboundedReceiver<u64>) -> u64 {
    tokio::time::timeout(PATIENCE, items.recv()).await.expect("it runs").expect("the worker lives")
}

#[tokio::test]
async fn a_transaction_that_rolls_back_leaves_nothing() {
    let scene = Scene::new().await;
    let running = scene.run(NEVER).await;
    let pool = scene.application().await;
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let id = purchase(&mut transaction, &running.node.client(), 1).await;
    transaction.rollback().await.unwrap();
    running.node.announce();
    assert_eq!(running.node.client().inspect(id).await.unwrap(), None);
    assert_eq!((running.left().await, running.stored().await), (0, BTreeMap::new()));
    running.end().await;
}

#[tokio::test]
async fn a_transaction_that_commits_and_is_announced_runs() {
    let scene = Scene::new().await;
    let running = scene.run(NEVER).await;
    let mut items = running.work().await;
    let pool = scene.application().await;
    for item in 0..20 {
        let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        purchase(&mut transaction, &running.node.client(), item).await;
        transaction.commit().await.unwrap();
        running.node.announce();
        assert_eq!(received(&mut items).await, item);
    }
    assert_eq!(running.left().await, 0);
    running.end().await;
}

#[tokio::test]
async fn a_transaction_that_nobody_announces_runs_all_the_same() {
    let scene = Scene::new().await;
    let running = scene.run(EngineOptions::default().inbox_sweep_every).await;
    let mut items = running.work().await;
    let pool = scene.application().await;
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    purchase(&mut transaction, &running.node.client(), 7).await;
    transaction.commit().await.unwrap();
    assert_eq!(received(&mut items).await, 7);
    running.end().await;
}

#[tokio::test]
async fn whoever_has_committed_can_wait_for_it_at_once() {
    let scene = Scene::new().await;
    let running = scene.run(NEVER).await;
    let mut items = running.work().await;
    let pool = scene.application().await;
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let id = purchase(&mut transaction, &running.node.client(), 3).await;
    transaction.commit().await.unwrap();
    let outcome = running.node.client().wait(id, PATIENCE).await.unwrap();
    assert_eq!((outcome.public_state, outcome.result.as_deref()), (PublicState::Completed, Some(&b"sold"[..])));
    assert_eq!(received(&mut items).await, 3);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_transactions_at_once_beside_a_busy_engine_each_run_exactly_if_they_commit() {
    let scene = Scene::new().await;
    let running = scene.run(EngineOptions::default().inbox_sweep_every).await;
    let mut items = running.work().await;
    let pool = scene.application().await;
    let mut purchases = Vec::new();
    for item in 0..100_u64 {
        let (pool, node) = (pool.clone(), running.node.clone());
        purchases.push(tokio::spawn(async move {
            let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
            let id = purchase(&mut transaction, &node.client(), item).await;
            if item % 4 == 0 {
                transaction.rollback().await.unwrap();
                return None;
            }
            transaction.commit().await.unwrap();
            if item % 3 == 0 {
                node.announce();
            }
            Some(id)
        }));
    }
    let client = running.node.client();
    for item in 1000..1200_u64 {
        client.submit("order", item.to_be_bytes().to_vec()).await.unwrap();
    }
    let mut committed = Vec::new();
    for purchase in purchases {
        committed.extend(purchase.await.unwrap());
    }
    assert_eq!(committed.len(), 75);
    let mut seen = Vec::new();
    for _ in 0..275 {
        seen.push(received(&mut items).await);
    }
    seen.sort_unstable();
    let expected: Vec<u64> = (0..100).filter(|item| item % 4 != 0).chain(1000..1200).collect();
    assert_eq!(seen, expected, "each once, and nothing else");
    for id in committed {
        assert_eq!(client.wait(id, PATIENCE).await.unwrap().public_state, PublicState::Completed);
    }
    let orders = sqlx::query("SELECT count(*) FROM orders").fetch_one(&pool).await.unwrap();
    assert_eq!(orders.get::<i64, _>(0), 75);
    assert_eq!(running.left().await, 0);
    running.end().await;
}

#[tokio::test]
async fn a_node_killed_between_insert_and_admission_loses_nothing_and_doubles_nothing() {
    const PER_LIFE: u64 = 25;
    const LIVES: u64 = 6;
    let scene = Scene::new().await;
    let pool = scene.application().await;
    let mut ids = Vec::new();
    for life in 0..LIVES {
        let running = scene.run(NEVER).await;
        for item in 0..PER_LIFE {
            let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
            ids.push(purchase(&mut transaction, &running.node.client(), life * PER_LIFE + item).await);
            transaction.commit().await.unwrap();
        }
        // Every other life dies with the admission somewhere on its way.
        if life % 2 == 1 {
            running.node.announce();
            for _ in 0..life * 20 {
                tokio::task::yield_now().await;
            }
        }
        running.crash().await;
    }
    let running = scene.run(EngineOptions::default().inbox_sweep_every).await;
    let mut items = running.work().await;
    let mut seen = Vec::new();
    for _ in 0..ids.len() {
        seen.push(received(&mut items).await);
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..PER_LIFE * LIVES).collect::<Vec<_>>());
    for id in &ids {
        assert_eq!(running.node.client().wait(*id, PATIENCE).await.unwrap().public_state, PublicState::Completed);
    }
    assert_eq!(running.stored().await, BTreeMap::from([(PublicState::Completed, ids.len())]));
    assert_eq!(running.left().await, 0);
    running.end().await;
}

#[tokio::test]
async fn an_application_learns_of_a_refused_create_inside_its_transaction() {
    let scene = Scene::new().await;
    let running = scene.run(NEVER).await;
    let client = running.node.client();
    let refused = client.submit("order", vec![0; (1 << 20) + 1]).into_create().unwrap_err();
    assert_eq!(refused.code(), "payload_too_large");
    let pool = scene.application().await;
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let mut create = client.submit("order", vec![0; 8]).into_create().unwrap();
    create.tags = BTreeMap::from([("Upper".to_owned(), "case".to_owned())]);
    let refused = sqlite_inbox::create(&mut transaction, &create).await.unwrap_err();
    assert_eq!(refused.code(), "invalid_tag_key");
    purchase(&mut transaction, &client, 4).await;
    transaction.commit().await.unwrap();
    assert_eq!(running.left().await, 1);
    running.end().await;
}
