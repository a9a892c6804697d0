//! One Rust source file as the guards see it: its imports and the paths that its code names,
//! without tests.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit::Visit;
use syn::visit_mut::{VisitMut, visit_block_mut, visit_file_mut, visit_item_impl_mut, visit_item_mod_mut};
use syn::{Attribute, Block, File, ImplItem, Item, ItemImpl, ItemMod, ItemUse, Stmt, UseTree, Visibility};

/// A `use` of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The name in this file; `*` for all names of a module, `_` for a trait without a name.
    pub name: String,
    pub path: Vec<String>,
    /// Whether other files may take the name from here (`pub use`, `pub(crate) use`).
    pub is_public: bool,
}

/// What is left of a file without `#[cfg(test)]`.
#[derive(Debug, Default)]
pub struct Source {
    pub imports: Vec<Import>,
    /// All paths in code and macros, outside of imports: `a::b::C` is `["a", "b", "C"]`.
    pub paths: Vec<Vec<String>>,
    /// The statics, also those within functions and macros.
    pub statics: Vec<Static>,
}

/// `static NAME: TYPE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Static {
    pub name: String,
    /// Without spaces.
    pub type_text: String,
}

impl Source {
    /// Reads the text of a file. Panics with `name` when it is no Rust.
    pub fn parse(name: &str, text: &str) -> Self {
        let mut file = syn::parse_file(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        WithoutTests.visit_file_mut(&mut file);
        let mut imports = Imports::default();
        imports.visit_file(&file);
        WithoutImports.visit_file_mut(&mut file);
        let mut paths = Vec::new();
        collect_paths(file.to_token_stream(), &mut paths);
        let mut statics = Vec::new();
        collect_statics(file.to_token_stream(), &mut statics);
        Source { imports: imports.0, paths, statics }
    }

    /// Whether code or imports name this word anywhere.
    pub fn names(&self, word: &str) -> bool {
        let imported = self.imports.iter().map(|import| &import.path);
        self.paths.iter().chain(imported).flatten().any(|segment| segment == word)
    }
}

/// Removes what only tests compile.
struct WithoutTests;

impl VisitMut for WithoutTests {
    fn visit_file_mut(&mut self, file: &mut File) {
        file.items.retain(|item| !is_for_tests(attributes(item)));
        visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut ItemMod) {
        if let Some((_, items)) = &mut module.content {
            items.retain(|item| !is_for_tests(attributes(item)));
        }
        visit_item_mod_mut(self, module);
    }

    fn visit_item_impl_mut(&mut self, block: &mut ItemImpl) {
        block.items.retain(|item| match item {
            ImplItem::Fn(function) => !is_for_tests(&function.attrs),
            _ => true,
        });
        visit_item_impl_mut(self, block);
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes
        .iter()
        .any(|attribute| attribute.to_token_stream().to_string().replace(' ', "") == "#[cfg(test)]")
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[derive(Default)]
struct Imports(Vec<Import>);

impl<'a> Visit<'a> for Imports {
    fn visit_item_use(&mut self, item: &'a ItemUse) {
        let is_public = !matches!(item.vis, Visibility::Inherited);
        self.collect(&item.tree, &mut Vec::new(), is_public);
    }
}

impl Imports {
    fn collect(&mut self, tree: &UseTree, before: &mut Vec<String>, is_public: bool) {
        let mut import = |name: String, last: Option<String>| {
            let path = before.iter().cloned().chain(last).collect();
            self.0.push(Import { name, path, is_public });
        };
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.collect(&path.tree, before, is_public);
                before.pop();
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.collect(tree, before, is_public))
            }
            UseTree::Name(name) if name.ident == "self" => {
                import(before.last().cloned().unwrap_or_default(), None);
            }
            UseTree::Name(name) => import(name.ident.to_string(), Some(name.ident.to_string())),
            UseTree::Rename(rename) => import(rename.rename.to_string(), Some(rename.ident.to_string())),
            UseTree::Glob(_) => import("*".to_owned(), None),
        }
    }
}

/// Removes all imports and the declarations of modules in other files, so that only the code itself
/// is left.
struct WithoutImports;

impl VisitMut for WithoutImports {
    fn visit_file_mut(&mut self, file: &mut File) {
        file.items.retain(|item| match item {
            Item::Use(_) => false,
            Item::Mod(module) => module.content.is_some(),
            _ => true,
        });
        visit_file_mut(self, file);
    }

    fn visit_block_mut(&mut self, block: &mut Block) {
        block.stmts.retain(|statement| !matches!(statement, Stmt::Item(Item::Use(_))));
        visit_block_mut(self, block);
    }
}

/// Reads `name`, `a::b` and so on from tokens, those inside of macros included.
fn collect_paths(tokens: TokenStream, paths: &mut Vec<Vec<String>>) {
    let mut path: Vec<String> = Vec::new();
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Ident(word) => {
                if colons != 2 {
                    paths.extend((!path.is_empty()).then(|| std::mem::take(&mut path)));
                }
                path.push(word.to_string());
                colons = 0;
            }
            TokenTree::Punct(sign) if sign.as_char() == ':' => colons += 1,
            other => {
                paths.extend((!path.is_empty()).then(|| std::mem::take(&mut path)));
                colons = 0;
                if let TokenTree::Group(group) = other {
                    collect_paths(group.stream(), paths);
                }
            }
        }
    }
    paths.extend((!path.is_empty()).then_some(path));
}

fn collect_statics(tokens: TokenStream, statics: &mut Vec<Static>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (i, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            collect_statics(group.stream(), statics);
        }
        let [TokenTree::Ident(word), TokenTree::Ident(name), TokenTree::Punct(colon), rest @ ..] =
            &tokens[i..]
        else {
            continue;
        };
        let is_quote =
            |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == '\'');
        let is_lifetime = i > 0 && is_quote(&tokens[i - 1]);
        if word == "static" && colon.as_char() == ':' && !is_lifetime {
            let is_end =
                |token: &&TokenTree| !matches!(token, TokenTree::Punct(punct) if punct.as_char() == '=');
            let type_text = rest.iter().take_while(is_end).map(|token| token.to_string().replace(' ', ""));
            statics.push(Static { name: name.to_string(), type_text: type_text.collect() });
        }
    }
}
