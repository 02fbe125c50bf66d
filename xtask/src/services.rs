//! The servers that tests run against, and `cargo xtask services`, which lends them to a
//! command.

use std::cell::RefCell;
use std::process::Command;

use leasehold_services::{Kind, Services};

use crate::failure::{During, Failure, Outcome};
use crate::steps::{Step, seconds, timed};
use crate::workspace::{Workspace, execute};

/// One set of servers for everything that this tool starts, from [`Lent::start`] on.
///
/// The servers end with it, and with this process however that ends.
#[derive(Default)]
pub struct Lent(RefCell<Option<Services>>);

impl Lent {
    /// Starts the servers, unless they run.
    pub fn start(&self) -> Outcome {
        if self.0.borrow().is_none() {
            let services = Services::start().during("services")?;
            *self.0.borrow_mut() = Some(services);
        }
        Ok(())
    }

    /// Ends the servers.
    pub fn stop(&self) {
        drop(self.0.borrow_mut().take());
    }

    /// Tells a command where the servers are, if they run.
    pub fn tell(&self, command: &mut Command) {
        if let Some(services) = &*self.0.borrow() {
            command.envs(services.variables());
        }
    }
}

/// Fetches what the machine lacks.
pub fn install() -> Outcome {
    Services::install(&Kind::ALL).during("services")
}

/// The steps that fetch and start the servers, for commands that go in steps.
pub fn steps(workspace: &Workspace) -> [Step<'_>; 2] {
    [Step::new("install services", install), Step::new("start services", || workspace.services().start())]
}

/// Runs a command with the servers.
pub fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    let words = args.strip_prefix(&["--".to_owned()]).unwrap_or(args);
    let Some((program, rest)) = words.split_first() else {
        return Err(Failure::usage("services -- COMMAND..."));
    };
    install()?;
    let (started, took) = timed(|| workspace.services().start());
    started?;
    eprintln!("== services started in {}", seconds(took));
    let mut command = Command::new(program);
    command.args(rest);
    workspace.settle(&mut command);
    execute(&mut command)
}
