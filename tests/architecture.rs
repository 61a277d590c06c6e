//! Holds the layers and the sizes: who may import whom, which library belongs to which layer, and how long a file or a
//! function may grow. Works on the syntax tree, so that `use crate::{a, b}` and paths inside macros count too.
//!
//! Code under `#[cfg(test)]` is free of the import table (a test may build what it needs), not of the caps.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic; clippy sees only #[test] functions as one")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

#[path = "architecture/openers.rs"]
mod openers;

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
const MAIN_LINES_MAX: usize = 30;

/// What each module may import from this crate besides itself. `["*"]` is anything.
const IMPORTS: &[(&str, &[&str])] = &[
    ("domain", &["error", "clock"]),
    ("error", &["domain", "clock"]),
    ("clock", &["domain", "error"]),
    ("ledger", &["domain", "error"]),
    ("capture", &["domain", "error"]),
    ("bundle", &["domain", "error"]),
    // The models of records come from their declarations.
    ("entity", &["domain"]),
    ("store", &["domain", "entity", "ledger", "error", "clock"]),
    ("facade", &["domain", "store", "ledger", "capture", "bundle", "clock", "error"]),
    ("graphql", &["domain", "facade", "error"]),
    ("work", &["facade", "store", "telemetry", "error"]),
    ("http", &["domain", "facade", "error", "graphql", "work"]),
    ("config", &[]),
    ("telemetry", &[]),
    ("app", &["*"]),
    ("cli", &["*"]),
    ("main", &["*"]),
    ("lib", &[]),
];

/// Where a library may appear: prefixes of paths below `src`.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("sea_orm", &["entity", "store"]),
    ("sea_orm_migration", &["store"]),
    ("async_graphql", &["graphql", "http/graphql", "facade/loaders"]),
    ("axum", &["http", "app"]),
    ("axum_server", &["http", "app"]),
    ("opentelemetry_proto", &["capture", "facade/capture", "http/otlp", "cli"]),
];

/// Reads one file of `src` and writes down what breaks the two tables above.
struct ImportCheck<'a> {
    /// The path below `src`, with forward slashes.
    file: &'a str,
    /// The module path of the code that is being read, e.g. `["http", "graphql"]`.
    module: Vec<String>,
    /// Modules in other files that exist for tests only, as paths below `src`.
    test_only: BTreeSet<String>,
    findings: Vec<String>,
}

impl<'a> ImportCheck<'a> {
    fn new(file: &'a str) -> Self {
        let module = file.trim_end_matches(".rs").trim_end_matches("/mod").split('/').map(str::to_owned).collect();
        Self { file, module, test_only: BTreeSet::new(), findings: Vec::new() }
    }

    fn top(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }

    /// Judges one path as written, e.g. `["super", "store", "Page"]`, found in the given line.
    fn judge(&mut self, path: &[String], line: usize) {
        let Some(first) = path.first() else { return };
        let target = match first.as_str() {
            "crate" | "runledger" => path.get(1).cloned(),
            "super" => self.parent_of(path),
            name => return self.judge_library(name, line),
        };
        let Some(target) = target else { return };
        let Some((_, allowed)) = IMPORTS.iter().find(|(module, _)| *module == self.top()) else {
            self.findings.push(format!("{}: module `{}` is not in the table", self.file, self.top()));
            return;
        };
        let is_module = IMPORTS.iter().any(|(module, _)| *module == target);
        if is_module && target != self.top() && !allowed.contains(&"*") && !allowed.contains(&target.as_str()) {
            self.findings.push(format!("{}:{line}: `{}` must not import `{target}`", self.file, self.top()));
        }
    }

    fn judge_library(&mut self, name: &str, line: usize) {
        let Some((_, places)) = LIBRARIES.iter().find(|(library, _)| *library == name) else { return };
        let is_allowed = places.iter().any(|place| {
            let rest = self.file.strip_prefix(place);
            // `http/graphql` stands for the file, its folder, and its siblings of that stem, but `app` not for `apple`.
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '.', '_']))
        });
        if !is_allowed {
            self.findings.push(format!("{}:{line}: `{name}` belongs to {}", self.file, places.join(", ")));
        }
    }

    /// The top module that `super::...` leads to.
    fn parent_of(&self, path: &[String]) -> Option<String> {
        let ups = path.iter().take_while(|part| *part == "super").count();
        let kept = self.module.len().checked_sub(ups)?;
        self.module[..kept].iter().chain(&path[ups..]).next().cloned()
    }

    fn judge_use(&mut self, tree: &syn::UseTree, prefix: &mut Vec<String>) {
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.judge_use(&path.tree, prefix);
                prefix.pop();
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.judge_use(item, prefix)),
            syn::UseTree::Glob(glob) => self.judge(&prefix.clone(), glob.span().start().line),
            syn::UseTree::Name(syn::UseName { ident }) | syn::UseTree::Rename(syn::UseRename { ident, .. }) => {
                prefix.push(ident.to_string());
                self.judge(&prefix.clone(), ident.span().start().line);
                prefix.pop();
            }
        }
    }

    /// Paths in the arguments of a macro or an attribute, which are tokens and not yet syntax.
    fn judge_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        let mut line = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.judge(&std::mem::take(&mut path), line);
                        line = ident.span().start().line;
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.judge(&std::mem::take(&mut path), line);
                    self.judge_tokens(group.stream());
                    colons = 0;
                }
                _ => colons = 0,
            }
        }
        self.judge(&path, line);
    }
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

impl<'ast> Visit<'ast> for ImportCheck<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.judge_use(&item.tree, &mut Vec::new());
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        self.judge(&[item.ident.to_string()], item.span().start().line);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.judge(&parts, path.span().start().line);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.judge_tokens(item.tokens.clone());
        visit::visit_macro(self, item);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.judge_tokens(list.tokens.clone());
        }
        visit::visit_attribute(self, attribute);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let name = item.ident.to_string();
        if is_for_tests(&item.attrs) {
            let folder = if self.file == "lib.rs" { String::new() } else { format!("{}/", self.module.join("/")) };
            self.test_only.insert(format!("{folder}{name}"));
            return;
        }
        self.module.push(name);
        visit::visit_item_mod(self, item);
        self.module.pop();
    }
}

/// What in one file breaks the import tables, and which of its modules exist for tests only.
fn import_findings(file: &str, source: &str) -> (Vec<String>, BTreeSet<String>) {
    let syntax = syn::parse_file(source).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut check = ImportCheck::new(file);
    check.visit_file(&syntax);
    (check.findings, check.test_only)
}

/// Counts the lines of code of every function, those inside macros such as `db_test!` too.
struct FunctionCheck<'a> {
    file: &'a str,
    lines: Vec<&'a str>,
    findings: Vec<String>,
}

impl FunctionCheck<'_> {
    fn judge(&mut self, name: &syn::Ident, block: &syn::Block) {
        let (first, last) = (block.span().start().line, block.span().end().line);
        let body = self.lines.get(first..last.saturating_sub(1)).unwrap_or_default();
        let code = body.iter().map(|line| line.trim()).filter(|line| !line.is_empty() && !line.starts_with("//"));
        let count = code.count();
        if count > FUNCTION_LINES_MAX {
            self.findings.push(format!("{}:{first}: `{name}` has {count} lines of code", self.file));
        }
    }
}

impl<'ast> Visit<'ast> for FunctionCheck<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.judge(&item.sig.ident, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.judge(&item.sig.ident, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.judge(&item.sig.ident, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        if let Ok(inner) = syn::parse2::<syn::File>(item.tokens.clone()) {
            self.visit_file(&inner);
        }
    }
}

/// What in one file breaks the caps.
fn size_findings(file: &str, source: &str) -> Vec<String> {
    let syntax = syn::parse_file(source).unwrap_or_else(|error| panic!("{file}: {error}"));
    let lines: Vec<&str> = source.lines().collect();
    let cap = if file.ends_with("src/main.rs") { MAIN_LINES_MAX } else { FILE_LINES_MAX };
    let mut findings = Vec::new();
    if lines.len() > cap {
        findings.push(format!("{file}: {} lines, at most {cap}: probably two nouns", lines.len()));
    }
    let mut check = FunctionCheck { file, lines, findings };
    check.visit_file(&syntax);
    check.findings
}

/// All Rust files below a folder of the repository, as paths from its root, without build output and page assets.
fn rust_files(folder: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !["target", "assets"].contains(&name.as_str()) {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(&root.join(folder), &mut found);
    found.iter().map(|path| path.strip_prefix(root).unwrap().to_owned()).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn layers_import_only_what_the_table_allows() {
    let files = rust_files("src");
    assert!(files.len() > 10, "only {} files found: is the test looking in the right place?", files.len());
    let mut by_file = Vec::new();
    let mut test_only = BTreeSet::new();
    for path in &files {
        let name = path.strip_prefix("src").unwrap().to_string_lossy().replace('\\', "/");
        let (findings, for_tests) = import_findings(&name, &read(path));
        by_file.push((name, findings));
        test_only.extend(for_tests);
    }
    let is_test = |name: &str| {
        let stem = name.trim_end_matches(".rs").trim_end_matches("/mod");
        test_only.iter().any(|test| stem == test || stem.starts_with(&format!("{test}/")))
    };
    let findings: Vec<String> = by_file.into_iter().filter(|(name, _)| !is_test(name)).flat_map(|(_, f)| f).collect();
    assert!(findings.is_empty(), "see the import table in tests/architecture.rs:\n{}", findings.join("\n"));
}

#[test]
fn files_and_functions_stay_small() {
    let folders = ["src", "migration", "tests", "benches"];
    let findings: Vec<String> = folders
        .iter()
        .flat_map(|folder| rust_files(folder))
        .flat_map(|path| size_findings(&path.to_string_lossy(), &read(&path)))
        .collect();
    assert!(findings.is_empty(), "split by noun:\n{}", findings.join("\n"));
}

#[test]
fn the_import_check_sees_every_form() {
    let broken = [
        ("domain/run.rs", "use crate::store::Store;"),
        ("domain/run.rs", "use crate::{error::Error, store::Store};"),
        ("domain/run.rs", "use crate::{error::{self, Error}, facade as f};"),
        ("domain/run.rs", "use crate::facade::*;"),
        ("domain/mod.rs", "use super::facade::LogsFacade;"),
        ("domain/run.rs", "use super::super::facade::LogsFacade;"),
        ("domain/run.rs", "mod inner { use super::super::super::facade::LogsFacade; }"),
        ("domain/run.rs", "fn f() -> crate::facade::LogsFacade { todo!() }"),
        ("domain/run.rs", "fn f() { let x = vec![crate::store::x()]; }"),
        ("domain/run.rs", "fn f() { println!(\"{}\", crate::store::x(1, crate::error::y())); }"),
        ("domain/run.rs", "#[derive(crate::store::Row)] struct S;"),
        ("http/mod.rs", "use crate::store::Store;"),
        ("graphql/query.rs", "use crate::http::auth;"),
        ("config.rs", "use crate::domain::ids::RunId;"),
        ("unheard_of.rs", "use crate::domain::ids::RunId;"),
        ("facade/runs.rs", "use sea_orm::EntityTrait;"),
        ("facade/runs.rs", "use {std::fmt, sea_orm as orm};"),
        ("facade/runs.rs", "fn f(db: &sea_orm::DatabaseConnection) {}"),
        ("facade/runs.rs", "extern crate sea_orm;"),
        ("facade/runs.rs", "fn f() { assert!(sea_orm::x()); }"),
        ("facade/runs.rs", "use async_graphql::Object;"),
        ("domain/run.rs", "#[derive(async_graphql::SimpleObject)] struct S;"),
        ("http/otlp.rs", "use async_graphql::Value;"),
        ("graphql/query.rs", "use axum::Router;"),
        ("apple.rs", "use axum::Router;"),
        ("store/append.rs", "use opentelemetry_proto::tonic::trace::v1::Span;"),
    ];
    for (file, source) in broken {
        assert_eq!(import_findings(file, source).0.len(), 1, "{file}: {source}: {:?}", import_findings(file, source).0);
    }
}

#[test]
fn the_import_check_lets_through_what_is_allowed() {
    let fine = [
        ("domain/run.rs", "use super::ids::RunId; use crate::error::Error; use crate::{clock::Clock, domain::page};"),
        ("domain/run.rs", "#[cfg(test)] mod tests { use crate::store::Store; }"),
        ("store/mod.rs", "use sea_orm::{ActiveValue, EntityTrait}; use crate::entity::llm_run;"),
        ("facade/loaders.rs", "use async_graphql::dataloader::Loader;"),
        ("http/graphql.rs", "use crate::graphql::root::schema; use async_graphql::Request; use axum::Router;"),
        ("http/graphql_guard.rs", "use async_graphql::parser::parse_query;"),
        ("http/otlp/grpc.rs", "use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server as s;"),
        ("cli/serve.rs", "use crate::{app, config, http};"),
        ("main.rs", "fn main() { runledger::cli::main() }"),
    ];
    for (file, source) in fine {
        assert_eq!(import_findings(file, source).0, Vec::<String>::new(), "{file}: {source}");
    }
    let (_, test_only) = import_findings("facade/mod.rs", "#[cfg(test)] mod tests;");
    assert_eq!(test_only, BTreeSet::from(["facade/tests".to_owned()]));
}

#[test]
fn the_size_check_sees_long_files_and_functions() {
    let body = |lines: usize| "    f();\n".repeat(lines);
    let function = |lines: usize| format!("fn f() {{\n{}}}\n", body(lines));
    assert_eq!(size_findings("src/a.rs", &function(FUNCTION_LINES_MAX)), Vec::<String>::new());
    assert_eq!(size_findings("src/a.rs", &function(FUNCTION_LINES_MAX + 1)).len(), 1);
    assert_eq!(size_findings("src/a.rs", &format!("impl S {{ {} }}", function(71))).len(), 1);
    assert_eq!(size_findings("src/a.rs", &format!("trait T {{ {} }}", function(71))).len(), 1);
    assert_eq!(size_findings("src/a.rs", &format!("db_test! {{ async {} }}", function(71))).len(), 1);
    let commented = format!("fn f() {{\n{}{}}}\n", body(FUNCTION_LINES_MAX), "    // why\n\n".repeat(20));
    assert_eq!(size_findings("src/a.rs", &commented), Vec::<String>::new());
    assert_eq!(size_findings("src/a.rs", &"const A: u8 = 1;\n".repeat(FILE_LINES_MAX)), Vec::<String>::new());
    assert_eq!(size_findings("src/a.rs", &"const A: u8 = 1;\n".repeat(FILE_LINES_MAX + 1)).len(), 1);
    assert_eq!(size_findings("src/main.rs", &"const A: u8 = 1;\n".repeat(MAIN_LINES_MAX + 1)).len(), 1);
}
