//! Settings in replies: a name and its value.

use crate::domain::setting::SettingValue;
use crate::module_api::reply::Reply;

/// One pair of a map.
pub fn reply_setting(name: &str, value: &SettingValue, reply: Reply<'_>) {
    reply.bulk(name.as_bytes());
    match value {
        SettingValue::Number(number) => reply.uint(*number),
        SettingValue::Decimal(number) => reply.double(*number),
        SettingValue::Text(text) => reply.bulk(text.as_bytes()),
    }
}
