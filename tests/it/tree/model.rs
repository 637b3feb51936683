//! Random sends, edits, regenerations and selections against a tree in memory that is simple enough to be right.

use serde_json::json;

use super::{QUICK, edited, list, regenerated, selected, sent};
use crate::harness::app::{Client, TestApp};
use crate::harness::dice::Dice;

#[derive(Default)]
struct Node {
    id: String,
    parent: Option<usize>,
    question: bool,
    children: Vec<usize>,
    /// The child that was shown last.
    chosen: Option<usize>,
}

/// Node 0 is before all beginnings.
struct Tree(Vec<Node>);

impl Tree {
    fn path(&self) -> Vec<usize> {
        let next = |at: &usize| self.0[*at].chosen;
        std::iter::successors(self.0[0].chosen, next).collect()
    }

    fn add(&mut self, parent: usize, id: String, question: bool) -> usize {
        let new = self.0.len();
        self.0.push(Node {
            id,
            parent: Some(parent),
            question,
            ..Node::default()
        });
        self.0[parent].children.push(new);
        self.choose(new);
        new
    }

    fn choose(&mut self, mut at: usize) {
        while let Some(parent) = self.0[at].parent {
            self.0[parent].chosen = Some(at);
            at = parent;
        }
    }

    async fn act(&mut self, client: &Client, chat: &str, dice: &mut Dice) -> String {
        let at = 1 + dice.below((self.0.len() - 1).max(1));
        let choice = if self.0.len() == 1 { 0 } else { dice.below(10) };
        let words = format!("words {}", self.0.len());
        if choice < 3 {
            let end = self.path().last().copied().unwrap_or(0);
            let (question, answer) = sent(client, chat, &words).await;
            let question = self.add(end, question, true);
            self.add(question, answer, false);
            return format!("send below {end}");
        }
        if choice < 6 {
            self.choose(at);
            selected(client, &self.0[at].id).await;
            return format!("select {at}");
        }
        let parent = self.0[at].parent.expect("a parent");
        if self.0[at].question {
            let (question, answer) = edited(client, &self.0[at].id, &words).await;
            let question = self.add(parent, question, true);
            self.add(question, answer, false);
            format!("edit {at}")
        } else {
            let answer = regenerated(client, &self.0[at].id, None).await;
            self.add(parent, answer, false);
            format!("regenerate {at}")
        }
    }

    async fn check(&self, client: &Client, chat: &str, deeds: &str) {
        let query = "query ($id: ID!) { chat(id: $id) { lastMessage { id } \
            messages(last: 100) { nodes { id active parent { id } siblings { id } } } } }";
        let seen = client.ok(query, json!({ "id": chat })).await["chat"].take();
        let path = self.path();
        let ids: Vec<&str> = path.iter().map(|at| self.0[*at].id.as_str()).collect();
        let nodes = &seen["messages"]["nodes"];
        assert_eq!(list(nodes), ids, "{deeds}");
        assert_eq!(seen["lastMessage"]["id"].as_str(), ids.last().copied(), "{deeds}");
        for (node, at) in nodes.as_array().expect("messages").iter().zip(path) {
            let parent = self.0[at].parent.expect("a parent");
            let shown = node["parent"]["id"].as_str().unwrap_or_default();
            assert_eq!(shown, self.0[parent].id, "{deeds}");
            let others = self.0[parent].children.iter().filter(|other| **other != at);
            let others: Vec<&str> = others.map(|other| self.0[*other].id.as_str()).collect();
            assert_eq!(list(&node["siblings"]), others, "{deeds}");
        }
    }
}

async fn modelled(seed: u64) {
    let app = TestApp::with(&["--messages-per-minute=1000"]).await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    let mut tree = Tree(vec![Node::default()]);
    let mut dice = Dice::new(seed);
    let mut deeds = format!("seed {seed}");
    for _ in 0..60 {
        let deed = tree.act(&ada, &chat, &mut dice).await;
        deeds.push_str(", ");
        deeds.push_str(&deed);
        tree.check(&ada, &chat, &deeds).await;
    }
    let sql = app.sql().await;
    let broken = "SELECT count(*) FROM messages AS one WHERE \
        (active AND parent_id IS NOT NULL AND NOT (SELECT active FROM messages WHERE id = one.parent_id)) \
        OR sequence <= (SELECT sequence FROM messages WHERE id = one.parent_id) \
        OR EXISTS (SELECT FROM messages AS other WHERE other.id <> one.id AND other.chosen AND one.chosen \
          AND other.parent_id IS NOT DISTINCT FROM one.parent_id AND other.chat_id = one.chat_id)";
    let broken: i64 = sql.query_one(broken, &[]).await.expect("a count").get(0);
    assert_eq!(broken, 0, "one path, one choice among siblings: {deeds}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tree_is_what_a_simple_one_is_1() {
    modelled(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tree_is_what_a_simple_one_is_2() {
    modelled(2).await;
}
