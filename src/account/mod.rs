//! People: accounts, sign-ins, sessions, and what administrators may do with them.

pub mod admin;
pub mod api;
pub mod audit;
pub mod empty;
pub mod event;
pub mod live;
pub mod login;
pub mod password;
pub mod presence;
pub mod profile;
pub mod register;
pub mod session;
pub mod throttle;
pub mod token;
pub mod user;
pub mod viewer;
