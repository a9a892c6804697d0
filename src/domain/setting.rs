//! The value of a setting, as a client is shown it.

use std::fmt;

/// A number is shown as one; all else as the text that sets it again.
#[derive(Debug, Clone, PartialEq)]
pub enum SettingValue {
    Number(u64),
    Decimal(f64),
    Text(String),
}

impl From<u64> for SettingValue {
    fn from(number: u64) -> Self {
        SettingValue::Number(number)
    }
}

impl From<u32> for SettingValue {
    fn from(number: u32) -> Self {
        SettingValue::Number(number.into())
    }
}

impl From<u16> for SettingValue {
    fn from(number: u16) -> Self {
        SettingValue::Number(number.into())
    }
}

impl From<String> for SettingValue {
    fn from(text: String) -> Self {
        SettingValue::Text(text)
    }
}

/// The text that sets it again.
impl fmt::Display for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingValue::Number(number) => number.fmt(f),
            SettingValue::Decimal(number) => number.fmt(f),
            SettingValue::Text(text) => text.fmt(f),
        }
    }
}
