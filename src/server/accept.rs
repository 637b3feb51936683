//! Which form of answer the client asks for (RFC 9110, section 12.5.1).

use async_graphql::parser::types::OperationType;
use http::{HeaderMap, header};

/// The forms in which answers leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `application/json`: the form from before GraphQL over HTTP was specified.
    Json,
    /// `application/graphql-response+json`: the status tells whether the request was good.
    GraphqlResponse,
    /// `text/event-stream`: server-sent events.
    EventStream,
    /// `multipart/mixed`: Apollo's multipart subscriptions.
    Multipart,
}

/// What one `Accept` header says about each form, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    json: u16,
    graphql_response: u16,
    event_stream: u16,
    multipart: u16,
    anything: u16,
}

impl Accepted {
    /// Reads the header; a missing one accepts everything.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut accepted = Accepted {
            json: 0,
            graphql_response: 0,
            event_stream: 0,
            multipart: 0,
            anything: 0,
        };
        let mut is_empty = true;
        for line in headers.get_all(header::ACCEPT) {
            for range in line
                .to_str()
                .unwrap_or_default()
                .split(',')
                .map(str::trim)
                .filter(|range| !range.is_empty())
            {
                is_empty = false;
                accepted.add(range);
            }
        }
        if is_empty {
            accepted.anything = 1000;
        }
        accepted
    }

    fn add(&mut self, range: &str) {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts
            .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
            .map_or(1000, thousandths);
        let form = match name.as_str() {
            "application/json" => &mut self.json,
            "application/graphql-response+json" => &mut self.graphql_response,
            "text/event-stream" => &mut self.event_stream,
            "multipart/mixed" => &mut self.multipart,
            "application/*" | "*/*" => &mut self.anything,
            _ => return,
        };
        *form = weight.max(*form);
    }

    /// The form for an answer that was not begun, such as the refusal of a malformed request.
    pub fn plain(&self) -> Option<Form> {
        if self.graphql_response > 0 && self.graphql_response >= self.json {
            Some(Form::GraphqlResponse)
        } else if self.json > 0 || self.anything > 0 {
            Some(Form::Json)
        } else {
            None
        }
    }

    /// The form for an operation, or None when none of the accepted ones can carry it.
    pub fn form(&self, operation: OperationType) -> Option<Form> {
        let stream = if self.event_stream > 0 && self.event_stream >= self.multipart {
            Some((Form::EventStream, self.event_stream))
        } else {
            (self.multipart > 0).then_some((Form::Multipart, self.multipart))
        };
        match operation {
            // A bare `curl -N` accepts anything, and a stream is the only thing there is.
            OperationType::Subscription => stream
                .map(|(form, _)| form)
                .or((self.anything > 0).then_some(Form::EventStream)),
            OperationType::Query | OperationType::Mutation => {
                let plain = self.json.max(self.graphql_response).max(self.anything);
                stream
                    .filter(|(_, weight)| *weight > plain)
                    .map(|(form, _)| form)
                    .or_else(|| self.plain())
            }
        }
    }
}

fn thousandths(weight: &str) -> u16 {
    let weight: f32 = weight.trim().parse().unwrap_or(1.0);
    // A float to integer cast saturates, and NaN becomes zero.
    (weight.clamp(0.0, 1.0) * 1000.0) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(accept: &str) -> (Option<Form>, Option<Form>) {
        let headers = [(header::ACCEPT, accept.parse().expect("a value"))]
            .into_iter()
            .collect();
        let accepted = Accepted::of(&headers);
        (
            accepted.form(OperationType::Query),
            accepted.form(OperationType::Subscription),
        )
    }

    #[test]
    fn the_clients_get_what_they_expect() {
        let urql_query = "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed";
        let apollo_subscription = "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/graphql-response+json,application/json;q=0.9";
        assert_eq!(
            forms(urql_query),
            (Some(Form::GraphqlResponse), Some(Form::EventStream))
        );
        assert_eq!(forms("text/event-stream, multipart/mixed").1, Some(Form::EventStream));
        assert_eq!(forms(apollo_subscription).1, Some(Form::Multipart));
        assert_eq!(
            forms("text/event-stream"),
            (Some(Form::EventStream), Some(Form::EventStream))
        );
        assert_eq!(forms("*/*"), (Some(Form::Json), Some(Form::EventStream)));
        assert_eq!(
            forms("application/json, application/graphql-response+json;q=0.5").0,
            Some(Form::Json)
        );
        assert_eq!(forms("application/json"), (Some(Form::Json), None));
        assert_eq!(forms("text/html"), (None, None));
        assert_eq!(forms("application/json;q=0"), (None, None));
    }
}
