//! What all commands have in common: COMMAND INFO, refusals, clients.

mod acl_categories;
mod acl_names;
mod acl_roles;
mod cluster_clients;
mod cluster_keys;
mod command_info;
mod durations;
mod every_command;
mod full_server;
mod info_fields;
mod keyspace_events;
mod lua_numbers;
mod panic_guard;
mod renamed_commands;
mod reply_shapes;
mod restricted_users;
mod stock_client;
mod time_zones;
