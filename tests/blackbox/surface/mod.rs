//! What all commands have in common: COMMAND INFO, refusals, clients.

mod acl_roles;
mod command_info;
mod every_command;
mod info_fields;
mod panic_guard;
mod stock_client;
