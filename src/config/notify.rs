//! The settings of web push and webhooks.

use clap::Args;
use secrecy::SecretString;

/// Who may be told of what happens, and by which server.
#[derive(Debug, Clone, Args)]
pub struct Notify {
    /// Addresses that may be told of what happens, by web push and webhooks: origins separated by commas; `*` allows every
    /// public https address, and is what is left out to allow only those that are named.
    #[arg(
        long,
        env = "PARLOR_NOTIFY_URLS",
        default_value = "*",
        global = true,
        help_heading = "Notifications"
    )]
    pub notify_urls: String,

    /// The private key by which push services know this server: 32 bytes in base64url. Without it one is made and kept,
    /// encrypted, in the database.
    #[arg(
        long,
        env = "PARLOR_VAPID_KEY",
        hide_env_values = true,
        global = true,
        help_heading = "Notifications"
    )]
    pub vapid_key: Option<SecretString>,

    /// Where push services reach whoever runs this server, as mailto:somebody@example.com or an https address; some ask for it.
    #[arg(long, env = "PARLOR_CONTACT", global = true, help_heading = "Notifications")]
    pub contact: Option<String>,
}
