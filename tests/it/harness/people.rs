//! People beyond the first sign-in: administrators, second devices, and the database behind them all.

use serde_json::{Value, json};

use super::app::{Client, PASSWORD, TestApp, User};

impl TestApp {
    /// A new account that is an administrator's, and a client that is signed in to it.
    pub async fn admin(&self, username: &str) -> User {
        let user = self.user(username).await;
        let promote = "UPDATE users SET role = 'ADMIN' WHERE username = $1";
        self.sql()
            .await
            .execute(promote, &[&username])
            .await
            .expect("an account");
        user
    }
}

impl Client {
    /// What `login` answers.
    pub async fn login(&self, identifier: &str, password: &str) -> Value {
        let input = json!({ "identifier": identifier, "password": password });
        let fields = "tokens { accessToken refreshToken } viewer { id user { username } }";
        self.mutate("login", input, fields).await
    }

    /// Another session of an account that was made by `TestApp::user`.
    pub async fn sign_in(&self, username: &str) -> User {
        let payload = self.login(username, PASSWORD).await;
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{payload}")).to_owned();
        User {
            id: text(&payload["viewer"]["id"]),
            refresh_token: text(&payload["tokens"]["refreshToken"]),
            client: self.with_token(&text(&payload["tokens"]["accessToken"])),
        }
    }

    /// Whose client it is, as the server says: a user name, or null for nobody.
    pub async fn whoami(&self) -> Value {
        let answer = self.ok("{ viewer { user { username } } }", json!({})).await;
        answer["viewer"]["user"]["username"].clone()
    }
}

impl User {
    /// The id of the session that the client is signed in with.
    pub async fn session_id(&self) -> String {
        let answer = self.ok("{ viewer { sessions { id current } } }", json!({})).await;
        let sessions = answer["viewer"]["sessions"].as_array().expect("a list");
        let current = sessions.iter().find(|session| session["current"] == true);
        current.expect("this session")["id"].as_str().expect("an id").to_owned()
    }
}
