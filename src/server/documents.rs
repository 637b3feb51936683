//! Documents seen lately, parsed once: the cache behind automatic persisted queries and behind every request.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::parser::types::{ExecutableDocument, OperationType};
use async_graphql::{Request, Response, ServerError, Value};
use aws_lc_rs::digest;
use lru::LruCache;

use crate::graphql::nulls::FieldTypes;
use crate::graphql::{codes, limits};

/// The most documents that are kept.
const DOCUMENTS: NonZeroUsize = NonZeroUsize::new(1_024).expect("not zero");
/// The most bytes of query text that are kept; a parsed document takes some hundred times its text.
const BYTES: usize = 512 * 1024;

type Hash = [u8; 32];

/// The documents seen lately, by the SHA-256 of their text.
pub struct Documents {
    kept: Mutex<Kept>,
}

struct Kept {
    documents: LruCache<Hash, Arc<Document>>,
    bytes: usize,
}

struct Document {
    source: String,
    parsed: ExecutableDocument,
}

/// A request that may run.
pub struct Opened {
    /// The request, parsed.
    pub request: Request,
    /// What kind of operation it is.
    pub operation: OperationType,
    document: Arc<Document>,
    name: Option<String>,
}

/// What is kept of a request while it runs, to finish its answers with.
#[derive(Clone)]
pub struct Plan {
    document: Arc<Document>,
    name: Option<String>,
}

/// Makes the same request again, as often as it is wanted, and keeps little meanwhile.
pub struct Again {
    document: Arc<Document>,
    name: Option<Box<str>>,
    /// In JSON, which is several times smaller.
    variables: Option<Box<str>>,
}

impl Again {
    /// The request once more, parsed, without its text and extensions.
    pub fn request(&self) -> Request {
        let variables = self.variables.as_deref().map(serde_json::from_str);
        let mut request = Request::new("").variables(variables.and_then(Result::ok).unwrap_or_default());
        request.operation_name = self.name.as_deref().map(str::to_owned);
        request.set_parsed_query(self.document.parsed.clone());
        request
    }
}

impl Opened {
    /// What makes this request again.
    pub fn again(&self) -> Again {
        let variables = &self.request.variables;
        Again {
            document: self.document.clone(),
            name: self.name.as_deref().map(Box::from),
            variables: (!variables.is_empty()).then(|| serde_json::to_string(variables).unwrap_or_default().into()),
        }
    }

    /// What finishing the answers takes.
    pub fn plan(&self) -> Plan {
        Plan {
            document: self.document.clone(),
            name: self.name.clone(),
        }
    }
}

impl Plan {
    /// Gives the errors of an answer their codes, and nulls to the fields that failed.
    pub fn finish(&self, types: &FieldTypes, mut response: Response) -> Response {
        if response.errors.is_empty() {
            return response;
        }
        codes::settle(&mut response);
        if let Ok(operation) = limits::select(&self.document.parsed, self.name.as_deref()) {
            types.complete(&self.document.parsed, &operation.node, &mut response);
        }
        response
    }
}

impl Default for Documents {
    fn default() -> Self {
        Documents {
            kept: Mutex::new(Kept {
                documents: LruCache::new(DOCUMENTS),
                bytes: 0,
            }),
        }
    }
}

impl Documents {
    /// Finds the document that a request means, parses it where that was not done before, and checks the request
    /// against the limits.
    ///
    /// # Errors
    /// A refusal with its code: no such persisted query, a hash of something else, no query at all, a document
    /// that cannot be parsed, a limit that is exceeded.
    pub fn open(&self, mut request: Request, introspection: bool) -> Result<Opened, ServerError> {
        let announced = persisted_hash(&request)?;
        let hash = match announced {
            Some(hash) if request.query.is_empty() => hash,
            Some(hash) if hash == sha256(&request.query) => hash,
            Some(_) => {
                return Err(refused(
                    "BAD_USER_INPUT",
                    "The sha256Hash of persistedQuery is not the hash of the query.",
                ));
            }
            None if request.query.is_empty() => {
                return Err(refused("BAD_REQUEST", "The request has no query."));
            }
            None => sha256(&request.query),
        };
        let document = match self.get(&hash) {
            Some(document) => document,
            None if request.query.is_empty() => {
                return Err(refused("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound"));
            }
            None => {
                let parsed = limits::parse(&request.query)?;
                limits::check_document(&parsed)?;
                let document = Arc::new(Document {
                    source: request.query.clone(),
                    parsed,
                });
                self.keep(hash, document.clone());
                document
            }
        };
        if request.query.is_empty() {
            request.query.clone_from(&document.source);
        }
        let operation = limits::admit(&document.parsed, &request, introspection)?;
        request.set_parsed_query(document.parsed.clone());
        let name = request.operation_name.clone();
        Ok(Opened {
            request,
            operation,
            document,
            name,
        })
    }

    fn get(&self, hash: &Hash) -> Option<Arc<Document>> {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .documents
            .get(hash)
            .cloned()
    }

    fn keep(&self, hash: Hash, document: Arc<Document>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += document.source.len();
        if let Some((_, gone)) = kept.documents.push(hash, document) {
            kept.bytes -= gone.source.len();
        }
        while kept.bytes > BYTES
            && let Some((_, gone)) = kept.documents.pop_lru()
        {
            kept.bytes -= gone.source.len();
        }
    }
}

fn persisted_hash(request: &Request) -> Result<Option<Hash>, ServerError> {
    let Some(persisted) = request.extensions.get("persistedQuery") else {
        return Ok(None);
    };
    let field = |name: &str| match persisted {
        Value::Object(fields) => fields.get(name),
        _ => None,
    };
    if field("version") != Some(&Value::from(1)) {
        return Err(refused("PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported"));
    }
    let hash = match field("sha256Hash") {
        Some(Value::String(text)) => from_hex(text),
        _ => None,
    };
    hash.map(Some).ok_or_else(|| {
        refused(
            "BAD_USER_INPUT",
            "The sha256Hash of persistedQuery must be 64 hexadecimal digits.",
        )
    })
}

fn from_hex(text: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    if text.len() != 2 * hash.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(hash)
}

fn sha256(text: &str) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    hash
}

fn refused(code: &'static str, message: &str) -> ServerError {
    limits::coded(ServerError::new(message, None), code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_bounded_in_bytes() {
        let documents = Documents::default();
        for number in 0..100 {
            let request = Request::new(format!("{{ a{number} }} # {}", "x".repeat(limits::SOURCE_BYTES - 20)));
            assert!(documents.open(request, true).is_ok());
        }
        let kept = documents.kept.lock().expect("not poisoned");
        assert!(kept.bytes <= BYTES);
        assert_eq!(
            kept.bytes,
            kept.documents
                .iter()
                .map(|(_, document)| document.source.len())
                .sum::<usize>()
        );
    }
}
