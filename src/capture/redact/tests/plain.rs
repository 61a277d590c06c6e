//! Forms in which people write secrets down: in notes, settings, scripts, tables and addresses.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::{REDACTED, redact_text};

/// A secret of no issuer that is known.
const SECRET: &str = "hunter2Correct9";

/// What stands for the secret in a form.
const V: &str = "VVV";

const FORMS: &[&str] = &[
    // Values before their names.
    r#"x {"value":"Token VVV","name":"Authorization"}"#,
    r#"x {"value": "VVV", "enabled": true, "name": "Authorization"}, {"#,
    r#"{"variables": [{"value": "VVV", "type": "secret", "key": "db_password"}, {"#,
    "env:\n  - value: VVV\n    name: DB_PASSWORD\n  - name: A\n    value: b\n",
    "- value: \"VVV\"\n  name: API_KEY\n",
    "<add value=\"VVV\" key=\"password\"/>",
    // Tags.
    "<wsse:Password Type=\"x\">VVV</wsse:Password>",
    "<wsse:Password Type=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText\">VVV</wsse:Password>",
    "<key>password</key><string>VVV</string>",
    "<dict>\n\t<key>apiToken</key>\n\t<string>VVV</string>\n</dict>",
    "<param-name>password</param-name>\n<param-value>VVV</param-value>",
    "<tr><td>Password</td><td>VVV</td></tr>",
    "<tr><th>Password</th><td><code>VVV</code></td></tr>",
    "<b>Password:</b> VVV",
    "<strong>Password</strong>: VVV<br>",
    "password: <code>VVV</code>",
    // Commands.
    "curl -su bob:VVV https://h",
    "curl -sSLu 'bob:VVV' https://h",
    "curl -b k=VVV https://h",
    "curl -X POST \\\n  -H 'A: b' \\\n  -u bob:VVV https://h",
    "htpasswd -b f u VVV",
    "htpasswd -cbB -C 10 /etc/f u 'VVV'",
    "htpasswd -nb u VVV",
    "zip -P VVV a.zip b",
    "zip -r -P 'VVV' a.zip b",
    "unzip -P VVV a.zip",
    "7z a -pVVV a.7z b",
    "echo VVV | docker login --password-stdin",
    "echo -n \"VVV\" | docker login -u bob --password-stdin r.test",
    "printf 'VVV' | gh auth login --with-token",
    "docker login --password-stdin <<< \"VVV\"",
    "echo 'root:VVV' | chpasswd",
    "smbclient //h/s -U bob%VVV",
    "openssl enc -aes-256-cbc -k VVV -in a",
    "curl --user bob:VVV \\\n https://h",
    // Markdown and notes.
    "**password**: VVV",
    "**Password:** VVV",
    "*API key:* VVV",
    "- **token**: `VVV`",
    "- **Token:** `VVV`",
    "**Password:** `VVV`",
    "__password__: VVV",
    "`password`: VVV",
    "`password:` VVV",
    "| password | VVV |",
    "| **Password** | `VVV` |",
    "|a|b|\n|---|---|\n|token|VVV|",
    "| user | password |\n|------|----------|\n| bob | VVV |\n| eve | x |\n",
    " user | password \n------+----------\n bob  | VVV\n(1 row)\n",
    "+------+----------+\n| user | password |\n+------+----------+\n| bob  | VVV |\n+------+----------+\n",
    "API key: VVV",
    "API Key = VVV",
    "Secret key: \"VVV\"",
    "your password is VVV",
    "the password is 'VVV'",
    "Password:\nVVV\n",
    "PASSWORD VVV",
    "password \u{2013} VVV",
    "Password - VVV",
    "Use password `VVV` to log in",
    "The API key is `VVV`.",
    "Password (temporary): VVV",
    "Password for bob: VVV",
    "Passwords: VVV, VVV",
    "Here is the API key:\n\n```\nVVV\n```\n",
    // Lists, calls, defaults.
    "passwords: [\"VVV\"]",
    "passwords: [VVV, b]",
    "password=env(VVV)",
    "password: ${DB_PASSWORD:-VVV}",
    "password: ${db.password:VVV}",
    "expect 'password:' ; send 'VVV'",
    "expect \"Enter password: \"\nsend \"VVV\\r\"",
    "expect \"*?assword:*\" { send \"VVV\\r\" }",
    "child.expect('Password:')\nchild.sendline('VVV')",
    "variable \"db_password\" { default = \"VVV\" }",
    "variable \"db_password\" {\n  type      = string\n  sensitive = true\n  default   = \"VVV\"\n}\n",
    // Databases.
    "CREATE USER bob WITH PASSWORD 'VVV';",
    "ALTER ROLE bob ENCRYPTED PASSWORD 'VVV' VALID UNTIL 'x'",
    "CREATE USER 'bob'@'%' IDENTIFIED BY 'VVV';",
    "CREATE USER bob IDENTIFIED BY VVV;",
    "ALTER USER bob IDENTIFIED WITH mysql_native_password BY 'VVV'",
    "SET PASSWORD FOR 'bob'@'h' = 'VVV'",
    "machine h login u password VVV",
    "machine h\n  login u\n  password VVV\n",
    "h:5432:db:u:VVV",
    "*:*:*:u:VVV",
    "# pgpass\nh.example:5432:*:u:VVV\n",
    "user,password\nbob,VVV",
    "name,url,username,password,note\nx,https://h,bob,VVV,\n",
    "\"user\",\"password\"\n\"bob\",\"VVV\"\n\"eve\",\"VVV\"\n",
    "user;token\r\nbob;VVV\r\n",
    "user\tpassword\nbob\tVVV\n",
    // Keys.
    r#"x {"kty":"EC","crv":"P-256","x":"a","y":"b","d":"VVV"}"#,
    r#"x {"d":"VVV","kty":"oct"} y"#,
    "PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\nPrivate-Lines: 2\nVVV\nVVV==\nPrivate-MAC: ab\n",
    // Characters that look like others, or like none.
    "password\u{a0}: VVV",
    "password:\u{a0}VVV",
    "API\u{a0}key: VVV",
    "\u{1b}[1mpassword\u{1b}[0m: VVV",
    "\u{1b}[31mpass\u{1b}[0mword=VVV",
    "pass\u{200b}word: VVV",
    "\u{feff}password=VVV",
    "\u{ff50}\u{ff41}\u{ff53}\u{ff53}\u{ff57}\u{ff4f}\u{ff52}\u{ff44}: VVV",
    "password\u{ff1a}VVV",
    "\u{201c}password\u{201d}: \u{201c}VVV\u{201d}",
    "&quot;password&quot;:&quot;VVV&quot;",
    "&#34;password&#34;: &#34;VVV&#34;",
    "&lt;password&gt;VVV&lt;/password&gt;",
    // Addresses.
    "https://h/a?X-Amz-Date=1&X-Amz-Signature=VVV&b=1",
    "https://h/a?X-Amz-Security-Token=VVV%2Fx&b=1",
    "https://h/a?se=2026&sp=r&sig=VVV",
    "https://h/a?sig=VVV&se=2026",
    "https://h/a?X-Goog-Signature=VVV",
    "https://h/a?Expires=1&Signature=VVV&Key-Pair-Id=K1",
    "//u:VVV@h",
    "see //u:VVV@h/a",
    "WIFI:S:n;T:WPA;P:VVV;;",
    "WIFI:T:WPA;P:VVV;S:n;;",
];

/// The ways by which a text comes.
fn paths(text: &str) -> Vec<(&'static str, String)> {
    let inner = json!({ "note": text });
    let cut = inner.to_string();
    let percent: String = text
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    let mut paths = vec![
        ("alone", text.to_owned()),
        ("below a line", format!("as agreed\n{text}\n")),
        ("in JSON", inner.to_string()),
        ("in JSON in JSON", json!({ "inner": inner.to_string() }).to_string()),
        ("in a list", json!(["a", { "text": text }]).to_string()),
        ("in JSON that is cut off", cut[..cut.len() - 1].to_owned()),
        ("in base64", STANDARD.encode(format!("{text} and more "))),
    ];
    // Of other characters percent signs hide nothing: they are read as they are.
    if text.is_ascii() {
        paths.push(("behind percent signs", percent));
    }
    paths
}

#[test]
fn no_plain_form_is_stored() {
    let mut kept = Vec::new();
    for form in FORMS {
        for (path, text) in paths(&form.replace(V, SECRET)) {
            let redacted = redact_text(&text);
            if redacted.contains(SECRET) || !redacted.contains(REDACTED) {
                kept.push(format!("{path}: {text} -> {redacted}"));
            }
            assert_eq!(redact_text(&redacted), redacted, "{path}: {text} is redacted again");
            let is_json = serde_json::from_str::<Value>(&text).is_ok();
            assert!(
                !is_json || serde_json::from_str::<Value>(&redacted).is_ok(),
                "{text} is no JSON any more: {redacted}"
            );
        }
    }
    assert!(kept.is_empty(), "{} are kept: {kept:#?}", kept.len());
}

#[test]
fn how_a_secret_would_have_to_look_is_none() {
    let tool = json!({ "properties": {
        "password": { "type": "string", "description": "the user's password", "minLength": 8 },
        "token": { "type": "string", "format": "password", "writeOnly": true },
    } });
    assert_eq!(redact_text(&tool.to_string()), tool.to_string());
    for schema in [
        json!({ "type": "string", "default": SECRET }),
        json!({ "type": "string", "example": SECRET }),
        json!({ "type": "string", "enum": [SECRET] }),
        json!({ "type": "string", "description": SECRET }),
        json!({ "type": SECRET }),
        json!({ "value": SECRET }),
        json!({ "type": "string", "format": SECRET }),
    ] {
        let redacted = redact_text(&json!({ "password": schema }).to_string()).into_owned();
        assert!(!redacted.contains(SECRET), "{redacted}");
    }
}
