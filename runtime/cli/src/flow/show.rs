//! `leasehold flow show`: a flow as a tree with states.
//!
//! A flow is a graph and not a tree: each member stands once, below the first
//! of those it waits for, and names the others.

use super::{flow_id, flow_path};
use crate::connection::Connection;
use crate::error::CliError;
use crate::http_client::HttpClient;
use crate::inspect::plain;
use crate::{output, time};
use clap::Args;
use leasehold_core::ids::FlowId;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Beyond this depth lines are indented no further.
const DEPTH_SHOWN: usize = 32;

/// Draw a flow as a tree with states.
#[derive(Args, Debug)]
pub struct ShowFlowArgs {
    /// The flow.
    pub id: String,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

impl ShowFlowArgs {
    pub(crate) async fn run(&self) -> Result<(), CliError> {
        let id = flow_id(&self.id)?;
        let client = self.connection.client()?;
        let flow = client.get(&flow_path(id, "")).await?.json()?;
        let members = members(&client, id).await?;
        if self.connection.json {
            output::json(&json!({"flow": flow, "members": members}));
            return Ok(());
        }
        output::data(&output::printable(&heading(&flow)));
        for line in tree(&members) {
            output::data(&output::printable(&line));
        }
        Ok(())
    }
}

/// All members, page by page.
async fn members(client: &HttpClient, id: FlowId) -> Result<Vec<Value>, CliError> {
    let mut members = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client.get(&flow_path(id, &format!("/members?limit=1000{cursor}"))).await?.json()?;
        members.extend(page["members"].as_array().into_iter().flatten().cloned());
        match page["next_cursor"].as_u64() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(members),
        }
    }
}

fn heading(flow: &Value) -> String {
    let mut text = format!(
        "{}  {}  {}  {} members, {} dependencies, since {}",
        plain(&flow["flow_kind"]),
        plain(&flow["flow_id"]),
        plain(&flow["public_flow_state"]),
        flow["node_count"],
        flow["edge_count"],
        time::shown(&flow["created_at"]),
    );
    if flow["cancelled_at"].is_number() {
        let (policy, reason) = (plain(&flow["cancellation_policy"]), plain(&flow["cancel_reason"]));
        text.push_str(&format!(", {policy} because: {reason}"));
    }
    text
}

/// What a member is called: by its author, or after its kind.
fn label(member: &Value) -> String {
    let name = plain(&member["name"]);
    if name.is_empty() { plain(&member["execution_kind"]) } else { name }
}

/// A join that is not the usual one, and how far it has come.
fn join(member: &Value) -> String {
    let group = &member["edge_group"];
    if !group.is_object() {
        return String::new();
    }
    let policy = match plain(&group["policy"]["kind"]).as_str() {
        "quorum" => format!("{} of ", group["policy"]["k"]),
        "any_of" => "any of ".to_owned(),
        _ => String::new(),
    };
    let pending = if group["group_state"] == "pending" {
        format!(", {} done", group["satisfied_count"])
    } else {
        format!(", {}", plain(&group["group_state"]))
    };
    format!("  [{policy}{}{pending}]", group["total_deps"])
}

/// The lines of the tree. Members come as they joined.
fn tree(members: &[Value]) -> Vec<String> {
    let number: HashMap<String, usize> =
        members.iter().enumerate().map(|(number, member)| (plain(&member["execution_id"]), number)).collect();
    let mut below: Vec<Vec<usize>> = vec![Vec::new(); members.len()];
    let mut others: Vec<Vec<usize>> = vec![Vec::new(); members.len()];
    let mut roots = Vec::new();
    for (own, member) in members.iter().enumerate() {
        let before = member["inbound"].as_array().into_iter().flatten();
        let before = before.filter_map(|edge| number.get(&plain(&edge["upstream_execution_id"])).copied());
        let mut distinct: Vec<usize> = Vec::new();
        for upstream in before {
            if !distinct.contains(&upstream) {
                distinct.push(upstream);
            }
        }
        match distinct.first() {
            None => roots.push(own),
            Some(first) => below[*first].push(own),
        }
        others[own] = distinct.into_iter().skip(1).collect();
    }
    let mut lines = Vec::with_capacity(members.len());
    let mut open: Vec<(usize, usize, String, &str, &str)> =
        roots.iter().rev().map(|root| (*root, 0, String::new(), "", "")).collect();
    while let Some((own, depth, indent, branch, under)) = open.pop() {
        let member = &members[own];
        let mut line = format!("{indent}{branch}{}  {}{}", label(member), plain(&member["public_state"]), join(member));
        if !others[own].is_empty() {
            let names: Vec<String> = others[own].iter().map(|other| label(&members[*other])).collect();
            line.push_str(&format!("  also after {}", names.join(", ")));
        }
        line.push_str(&format!("  {}", plain(&member["execution_id"])));
        lines.push(line);
        let indent = if depth < DEPTH_SHOWN { format!("{indent}{under}") } else { indent };
        let last = below[own].len().saturating_sub(1);
        for (place, child) in below[own].iter().enumerate().rev() {
            let (branch, under) = if place == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            open.push((*child, depth + 1, indent.clone(), branch, under));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, state: &str, after: &[&str]) -> Value {
        let inbound: Vec<_> = after.iter().map(|id| json!({"upstream_execution_id": id})).collect();
        json!({"execution_id": id, "name": id, "public_state": state, "inbound": inbound})
    }

    #[test]
    fn every_member_stands_once_below_the_first_it_waits_for() {
        let members = [
            member("build", "completed", &[]),
            member("unit", "completed", &["build"]),
            member("lint", "active", &["build", "build"]),
            member("ship", "waiting_children", &["unit", "lint"]),
            member("alone", "waiting", &[]),
        ];
        assert_eq!(
            tree(&members),
            [
                "build  completed  build",
                "├─ unit  completed  unit",
                "│  └─ ship  waiting_children  also after lint  ship",
                "└─ lint  active  lint",
                "alone  waiting  alone",
            ]
        );
    }

    #[test]
    fn a_join_shows_how_far_it_has_come() {
        let group = |policy: Value, state: &str| {
            json!({"edge_group": {
                "policy": policy, "total_deps": 3, "satisfied_count": 1, "group_state": state,
            }})
        };
        assert_eq!(join(&group(json!({"kind": "all_of"}), "pending")), "  [3, 1 done]");
        assert_eq!(join(&group(json!({"kind": "quorum", "k": 2}), "pending")), "  [2 of 3, 1 done]");
        assert_eq!(join(&group(json!({"kind": "any_of"}), "satisfied")), "  [any of 3, satisfied]");
        assert_eq!(join(&json!({})), "");
    }

    #[test]
    fn a_long_chain_is_drawn_without_growing_beyond_the_screen() {
        let members: Vec<_> = (0..2000_usize)
            .map(|number| {
                let before = number.checked_sub(1).map(|before| before.to_string());
                let after: Vec<&str> = before.iter().map(String::as_str).collect();
                member(&number.to_string(), "waiting", &after)
            })
            .collect();
        let lines = tree(&members);
        assert_eq!(lines.len(), 2000);
        assert!(lines.iter().all(|line| line.chars().count() < 150));
    }
}
