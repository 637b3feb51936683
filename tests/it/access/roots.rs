//! The access table is tried, and it is complete.

use std::collections::BTreeSet;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{TypeKind, TypeSystemDefinition};
use parlor::graphql;
use serde_json::Value;

use super::house::House;
use super::table::TABLE;
use super::{Kind, Outcome, ask};

pub(super) fn outcome(field: &str, answer: &Value) -> Outcome {
    let data = &answer["data"][field];
    let code = answer["errors"][0]["extensions"]["code"]
        .as_str()
        .or(data["errors"][0]["code"].as_str());
    match code {
        Some("UNAUTHENTICATED") => Outcome::Unauthenticated,
        Some("FORBIDDEN") => Outcome::Forbidden,
        Some("NOT_FOUND") => Outcome::NotFound,
        Some("INVALID_STATE") => Outcome::InvalidState,
        // Whoever is asked for the password is let in so far.
        Some("WRONG_CREDENTIALS") => Outcome::Allowed,
        Some(other) => panic!("{field}: {other} is no matter of access: {answer}"),
        None if data.is_null() => Outcome::Null,
        None => Outcome::Allowed,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_gets_what_the_table_says() {
    let house = House::new().await;
    let House {
        stranger,
        owner,
        admin,
        bystander,
        ..
    } = &house;
    let anonymous = house.app.anonymous();
    for row in TABLE {
        // What an earlier row has changed or deleted is no business of this one.
        let things = house.furnish(row).await;
        for (who, client, refresh_token, expected) in [
            ("anonymous", &anonymous, &bystander.refresh_token, row.anonymous),
            ("stranger", &stranger.client, &stranger.refresh_token, row.stranger),
            ("admin", &admin.client, &admin.refresh_token, row.admin),
            ("owner", &owner.client, &owner.refresh_token, row.owner),
        ] {
            let document = things.written(row.call, who, refresh_token);
            let answer = ask(client, row.kind, &document).await;
            assert_eq!(outcome(row.field, &answer), expected, "{who}: {document}\n{answer}");
        }
    }
}

#[test]
fn the_table_has_a_row_for_every_root_field() {
    let schema = parse_schema(graphql::sdl()).expect("a schema");
    let mut fields = BTreeSet::new();
    for definition in schema.definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let kind = match definition.node.name.node.as_str() {
            "Query" => Kind::Query,
            "Mutation" => Kind::Mutation,
            "Subscription" => Kind::Subscription,
            _ => continue,
        };
        if let TypeKind::Object(object) = definition.node.kind {
            fields.extend(
                object
                    .fields
                    .into_iter()
                    .map(|field| (kind, field.node.name.node.to_string())),
            );
        }
    }
    let rows: BTreeSet<_> = TABLE.iter().map(|row| (row.kind, row.field.to_owned())).collect();
    assert_eq!(rows.len(), TABLE.len(), "one row each");
    assert_eq!(
        rows, fields,
        "the access table and the schema name the same root fields"
    );
}
