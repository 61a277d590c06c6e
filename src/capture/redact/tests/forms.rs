//! Names of secrets in every form that text has for a name and its value.

use serde_json::{Value, json};

use super::super::{REDACTED, redact_json, redact_text};

/// Names in the spellings that people have for them.
const NAMES: &[&str] = &[
    "password",
    "Password",
    "PASSWORD",
    "PGPASSWORD",
    "db_password",
    "passwd",
    "MYSQL_PWD",
    "pwd",
    "db_pass",
    "dbpass",
    "pass",
    "passphrase",
    "secret",
    "clientsecret",
    "client_secret",
    "clientSecret",
    "AWS_SECRET_ACCESS_KEY",
    "token",
    "access_token",
    "authToken",
    "refresh_tokens",
    "api_key",
    "apikeys",
    "apiKey",
    "OPENAI_API_KEY",
    "COHERE_API_KEY",
    "X-Auth-Key",
    "x-api-key",
    "ssh_key",
    "private_key",
    "signing-key",
    "AccountKey",
    "SharedAccessKey",
    "credentials",
    "jwt",
    "NGROK_AUTHTOKEN",
    "WANDB_API_KEY",
    "DD_APP_KEY",
    "CLOUDFLARE_API_TOKEN",
    "connection_string",
];

/// A secret that shows by nothing that it is one.
const SECRET: &str = "hunter2xyzzy";

type Form = fn(&str) -> String;

/// Forms of a name and its value.
const FORMS: &[(&str, Form)] = &[
    ("equals", |name| format!("{name}={SECRET} user=joe")),
    ("colon", |name| format!("{name}: {SECRET}, user: joe")),
    ("spaces", |name| format!("{name}  =  {SECRET}")),
    ("arrow of Ruby", |name| format!("\"{name}\" => \"{SECRET}\"")),
    ("arrow of PHP", |name| format!("['{name}' => '{SECRET}']")),
    ("thin arrow", |name| format!("{name} -> {SECRET}")),
    ("assignment of Go", |name| format!("{name} := \"{SECRET}\"")),
    ("assignment of make", |name| format!("{name} ?= {SECRET}")),
    ("comparison", |name| format!("if {name} == \"{SECRET}\" {{")),
    ("Some of Rust", |name| format!("Config {{ {name}: Some(\"{SECRET}\"), user: None }}")),
    ("String::from", |name| format!("{name}: String::from(\"{SECRET}\")")),
    ("SecretStr", |name| format!("{name}=SecretStr('{SECRET}')")),
    ("SecretString of Rust", |name| format!("{name}: Some(SecretString::new(\"{SECRET}\".into()))")),
    ("new of Java", |name| format!("{name} = new Secret(\"{SECRET}\");")),
    ("bytes", |name| format!("{name} = b'{SECRET}'")),
    ("annotation of Python", |name| format!("{name}: str = \"{SECRET}\"")),
    ("annotation of TypeScript", |name| format!("{name}?: string = '{SECRET}'")),
    ("dictionary of Python", |name| format!("{{'{name}': '{SECRET}', 'n': 1}}")),
    ("index", |name| format!("os.environ[\"{name}\"] = \"{SECRET}\"")),
    ("XML", |name| format!("<a><{name}>{SECRET}</{name}></a>")),
    ("XML with attributes", |name| format!("<{name} type=\"x\">{SECRET}</{name}>")),
    ("XML with a name space", |name| format!("<ns:{name}>{SECRET}</ns:{name}>")),
    ("CDATA", |name| format!("<{name}><![CDATA[{SECRET}]]></{name}>")),
    ("attribute of XML", |name| format!("<db {name}=\"{SECRET}\" port='1'/>")),
    ("property of XML", |name| format!("<property name=\"{name}\">{SECRET}</property>")),
    ("setting of XML", |name| format!("<add key=\"{name}\" value=\"{SECRET}\"/>")),
    ("YAML", |name| format!("a:\n  {name}: {SECRET}\n  c: 1")),
    ("block of YAML", |name| format!("a:\n  {name}: |\n    {SECRET}\n    more {SECRET}\n  c: 1")),
    ("folded block of YAML", |name| format!("{name}: >-\n  {SECRET}\n  {SECRET}\nc: 1")),
    ("list of YAML", |name| format!("{name}:\n  - {SECRET}\n  - {SECRET}\nc: 1")),
    ("pair of YAML", |name| format!("- name: {name}\n  value: {SECRET}\n")),
    ("cut-off JSON", |name| format!("{{\"n\": 1, \"{name}\": \"{SECRET}\", \"x")),
    ("JSON cut off within", |name| format!("{{\"n\": 1, \"{name}\": \"{SECRET}")),
    ("quotation mark within", |name| format!("{{\"{name}\": \"a\\\"{SECRET}\", \"x")),
    ("quotation mark within a shell's", |name| format!("{name}='it is {SECRET}' next")),
    ("three quotation marks", |name| format!("{name} = \"\"\"a \"{SECRET}\" b\"\"\"")),
    ("escaped JSON", |name| format!("a {{\\\"{name}\\\": \\\"{SECRET}\\\"}} b")),
    ("escaped twice", |name| format!("a {{\\\\\\\"{name}\\\\\\\": \\\\\\\"{SECRET}\\\\\\\"}} b")),
    ("on an escaped line", |name| format!("a\\n{name}={SECRET}\\nb")),
    ("pair of HAR, cut off", |name| format!("{{\"name\": \"{name}\", \"value\": \"{SECRET}\"}}, {{")),
    ("pair of HAR, escaped", |name| format!("x {{\\\"name\\\":\\\"{name}\\\",\\\"value\\\":\\\"{SECRET}\\\"}}")),
    ("tuple", |name| format!("[(\"{name}\", \"{SECRET}\")]")),
    ("query", |name| format!("https://example.test/x?a=1&{name}={SECRET}&b=2")),
    ("query, escaped", |name| format!("next=https%3A%2F%2Fexample.test%2F%3F{name}%3D{SECRET}%26b%3D2")),
    ("query, escaped twice", |name| format!("next=%253F{name}%253D{SECRET}%2526b%253D2")),
    ("JSON behind percent signs", |name| format!("q=%7B%22{name}%22%3A%22{SECRET}%22%7D")),
    ("in an error", |name| format!("error: bad login: {name}={SECRET}")),
    ("list in cut-off JSON", |name| format!("{{\"{name}\": [\"{SECRET}\", \"{SECRET}\"], \"x")),
];

#[test]
fn names_decide_in_every_form() {
    let mut kept = Vec::new();
    for name in NAMES {
        for (form, text) in FORMS.iter().map(|(form, text)| (form, text(name))) {
            let redacted = redact_text(&text);
            if redacted.contains(SECRET) {
                kept.push(format!("{form}: {text} -> {redacted}"));
            }
            assert_eq!(redact_text(&redacted), redacted, "{form}: {text} is redacted again");
        }
    }
    assert!(kept.is_empty(), "{} are kept: {kept:#?}", kept.len());
}

#[test]
fn a_block_begins_behind_blanks_of_any_kind() {
    for blanks in ["", "  ", "\t", "\r", "\u{a0}", " \u{2003}\t\r"] {
        for mark in ["|", ">", "|-", ">+", "|2-"] {
            let text = format!("secret: {mark}{blanks}\n  {SECRET}\n  more {SECRET}\nc: 1");
            let redacted = redact_text(&text);
            assert!(!redacted.contains(SECRET) && redacted.ends_with("c: 1"), "{text:?} -> {redacted:?}");
        }
    }
}

#[test]
fn names_decide_in_json() {
    for name in NAMES {
        let escaped: String = name.chars().map(|character| format!("\\u{:04x}", u32::from(character))).collect();
        for text in [
            json!({ "a": [{ *name: SECRET }] }).to_string(),
            json!({ *name: [SECRET, { "x": SECRET }] }).to_string(),
            json!({ "inner": json!({ *name: SECRET }).to_string() }).to_string(),
            json!({ "name": name, "value": SECRET }).to_string(),
            json!({ "headers": [{ "value": SECRET, "name": name }] }).to_string(),
            json!({ "key": name, "value": { "stringValue": SECRET } }).to_string(),
            format!("{{\"{escaped}\": \"{SECRET}\"}}"),
            // Read as text: it is cut off.
            format!("{{\"{escaped}\": \"{SECRET}\", \"x"),
        ] {
            let redacted = redact_text(&text);
            assert!(!redacted.contains(SECRET), "{text} -> {redacted}");
            assert_eq!(redact_text(&redacted), redacted);
        }
    }
}

#[test]
fn what_stands_around_a_value_stays() {
    for (text, redacted) in [
        ("tool --password hunter2 --user joe", "tool --password [REDACTED] --user joe"),
        ("tool --password=hunter2 --user joe", "tool --password=[REDACTED] --user joe"),
        ("tool --api-key 'hunter2' x", "tool --api-key '[REDACTED]' x"),
        ("mysql -u root -phunter2 db", "mysql -u root -p[REDACTED] db"),
        ("mysqldump --host h -p'hunter2' db", "mysqldump --host h -p'[REDACTED]' db"),
        ("sshpass -p hunter2 ssh joe@h", "sshpass -p [REDACTED] ssh joe@h"),
        ("docker login -u joe -p hunter2 r.test", "docker login -u joe -p [REDACTED] r.test"),
        ("redis-cli -a hunter2 get x", "redis-cli -a [REDACTED] get x"),
        ("curl -u joe:hunter2 https://h", "curl -u joe:[REDACTED] https://h"),
        ("curl -sS --user 'joe:hunter2' https://h", "curl -sS --user 'joe:[REDACTED]' https://h"),
        ("curl --proxy-user joe:hunter2 https://h", "curl --proxy-user joe:[REDACTED] https://h"),
        (r#"["curl", "-u", "joe:hunter2"]"#, r#"["curl","-u","joe:[REDACTED]"]"#),
        (r#"["tool","--password","hunter2","x"]"#, r#"["tool","--password","[REDACTED]","x"]"#),
        ("curl -H 'Authorization: Token hunter2' https://h", "curl -H 'Authorization: [REDACTED]' https://h"),
        (
            "Authorization: Digest username=\"joe\", response=\"abc\"\nAccept: x",
            "Authorization: [REDACTED]\"joe\", response=\"abc\"\nAccept: x",
        ),
        ("Cookie: a=b; c=d\nAccept: x", "Cookie: [REDACTED]\nAccept: x"),
        ("redis://:hunter2@host:6379/0", "redis://[REDACTED]@host:6379/0"),
        ("postgres://joe:hunter2@host/db", "postgres://[REDACTED]@host/db"),
        ("mongodb+srv://joe:p%40ss@host/db", "mongodb+srv://[REDACTED]@host/db"),
        ("password: str = \"hunter2\"", "password: str = \"[REDACTED]\""),
        ("<password>hunter2</password>", "<password>[REDACTED]</password>"),
        ("{'mail': 'jane@example.test'}", "{'mail': '[REDACTED]'}"),
        (
            "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=aHVudGVyMg==;Suffix=x",
            "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=[REDACTED];Suffix=x",
        ),
    ] {
        assert_eq!(redact_text(text), redacted);
    }
}

#[test]
fn pairs_of_values_are_read_as_names_and_values() {
    let value = redact_json(json!([
        { "name": "Authorization", "value": "Token hunter2" },
        { "Name": "DB_PASSWORD", "Value": "hunter2" },
        { "key": "llm.token_count.prompt", "value": { "intValue": "12" } },
        { "key": "password", "value": { "stringValue": "hunter2" } },
        { "name": "Accept", "value": "text/html" },
        ["authorization", "Token hunter2"],
        ["--password", "hunter2", "--max-tokens", "5"],
        ["password", "username"],
    ]));
    assert_eq!(
        value.expect("shallow"),
        json!([
            { "name": "Authorization", "value": REDACTED },
            { "Name": "DB_PASSWORD", "Value": REDACTED },
            { "key": "llm.token_count.prompt", "value": { "intValue": "12" } },
            { "key": "password", "value": REDACTED },
            { "name": "Accept", "value": "text/html" },
            ["authorization", REDACTED],
            ["--password", REDACTED, "--max-tokens", "5"],
            ["password", "username"],
        ])
    );
}

#[test]
fn pem_goes_with_its_headers_and_without_its_end() {
    let body = "MIIEpAIBAAKCAQEA7bq\nabc+/=";
    for text in [
        format!(
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123ABCD\n\n{body}\n-----END RSA PRIVATE KEY-----"
        ),
        format!(
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2.0.22 (GNU/Linux)\n\n{body}\n=abcd\n-----END PGP PRIVATE KEY BLOCK-----"
        ),
        format!("-----BEGIN OPENSSH PRIVATE KEY-----\r\n{}", body.replace('\n', "\r\n")),
        format!("-----BEGIN EC PRIVATE KEY-----\\n{}\\n-----END EC PRIVATE KEY-----", body.replace('\n', "\\n")),
        format!(
            "-----BEGIN ENCRYPTED PRIVATE KEY----- {} -----END ENCRYPTED PRIVATE KEY-----",
            body.replace('\n', " ")
        ),
    ] {
        assert_eq!(redact_text(&text), REDACTED);
        assert_eq!(redact_text(&format!("a {text}")), "a [REDACTED]");
        let json = json!({ "key_file": text }).to_string();
        assert_eq!(redact_text(&json), json!({ "key_file": REDACTED }).to_string());
    }
    let two = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    assert_eq!(redact_text(&format!("{two}then{two}",)), format!("{REDACTED}\nthen{REDACTED}\n"));
}

#[test]
fn a_bot_of_discord_is_known_by_its_number() {
    let bot = format!("{}.GhIjKl.{}", "MTk4NjIyNDgzNDcxOTI1MjQ4", "x1Y2".repeat(9));
    assert_eq!(redact_text(&format!("Bot {bot}, up")), "Bot [REDACTED], up");
}

#[test]
fn json_that_is_redacted_is_json() {
    for name in NAMES {
        let text = json!({ *name: { "x": [1, null, true, SECRET] }, "y": format!("{name}={SECRET}") }).to_string();
        let redacted = redact_text(&text);
        assert!(serde_json::from_str::<Value>(&redacted).is_ok() && !redacted.contains(SECRET), "{redacted}");
    }
}
