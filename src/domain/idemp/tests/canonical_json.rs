//! The canonical form against the RFC's own samples, and against itself.

use super::*;
use proptest::prelude::*;

fn form(text: &str) -> String {
    String::from_utf8(canonical(text.as_bytes()).unwrap()).unwrap()
}

/// RFC 8785, 3.2.2 and 3.2.4.
#[test]
fn the_sample_document_of_the_rfc() {
    let text = r#"{
        "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
    }"#;
    let expected = concat!(
        r#"{"literals":[null,true,false],"#,
        r#""numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#,
        r#""string":"€$\u000f\nA'B\"\\\\\"/"}"#
    );
    assert_eq!(form(text), expected);
}

/// RFC 8785, 3.2.3: by UTF-16 code units, where the emoji comes before the Hebrew letter.
#[test]
fn the_order_of_members_of_the_rfc() {
    let text = r#"{
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\ud83d\ude00": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis"
    }"#;
    let expected = concat!(
        r#"{"\r":"Carriage Return","1":"One","#,
        "\"\u{80}\":\"Control\",",
        r#""ö":"Latin Small Letter O With Diaeresis","€":"Euro Sign","#,
        "\"\u{1f600}\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}"
    );
    assert_eq!(form(text), expected);
}

/// RFC 8785, appendix B.
#[test]
fn the_numbers_of_the_rfc() {
    for (bits, expected) in [
        (0x0000000000000000, "0"),
        (0x8000000000000000, "0"),
        (0x0000000000000001, "5e-324"),
        (0x8000000000000001, "-5e-324"),
        (0x7fefffffffffffff, "1.7976931348623157e+308"),
        (0xffefffffffffffff, "-1.7976931348623157e+308"),
        (0x4340000000000000, "9007199254740992"),
        (0xc340000000000000, "-9007199254740992"),
        (0x4430000000000000, "295147905179352830000"),
        (0x44b52d02c7e14af5, "9.999999999999997e+22"),
        (0x44b52d02c7e14af6, "1e+23"),
        (0x44b52d02c7e14af7, "1.0000000000000001e+23"),
        (0x444b1ae4d6e2ef4e, "999999999999999700000"),
        (0x444b1ae4d6e2ef4f, "999999999999999900000"),
        (0x444b1ae4d6e2ef50, "1e+21"),
        (0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"),
        (0x3eb0c6f7a0b5ed8d, "0.000001"),
        (0x41b3de4355555553, "333333333.3333332"),
        (0x41b3de4355555554, "333333333.33333325"),
        (0x41b3de4355555555, "333333333.3333333"),
        (0x41b3de4355555556, "333333333.3333334"),
        (0x41b3de4355555557, "333333333.33333343"),
        (0xbecbf647612f3696, "-0.0000033333333333333333"),
        (0x43143ff3c1cb0959, "1424953923781206.2"),
    ] {
        let number = f64::from_bits(bits);
        assert_eq!(form(&format!("{number:e}")), expected);
        assert_eq!(form(&format!("[{expected}]")), format!("[{expected}]"));
    }
}

#[test]
fn integers_are_doubles_too() {
    assert_eq!(form("9007199254740993"), "9007199254740992");
    assert_eq!(form("18446744073709551616"), "18446744073709552000");
    assert_eq!(form("-9223372036854775808"), "-9223372036854776000");
    assert_eq!(form("-0"), "0");
}

#[test]
fn a_name_that_stands_twice_in_an_object_is_refused_however_it_is_written() {
    for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"[{"x":{"a":1,"b":2,"a":3}}]"#] {
        let refusal = canonical(text.as_bytes()).unwrap_err().to_string();
        assert!(refusal.starts_with("ERR JSON: member 'a' stands twice"), "{refusal}");
    }
    assert_eq!(form(r#"{"a":{"a":1},"A":2}"#), r#"{"A":2,"a":{"a":1}}"#);
    let refusal = canonical(b"{\"\\r\\n\":1,\"\\r\\n\":1}").unwrap_err().to_string();
    assert!(!refusal.contains('\r') && !refusal.contains('\n'), "one line: {refusal}");
}

#[test]
fn what_is_no_json_is_refused() {
    let texts: [&[u8]; 16] = [
        b"",
        b" ",
        b"{",
        b"{} {}",
        b"[1,]",
        b"{\"a\":1,}",
        b"NaN",
        b"01",
        b"1.",
        b"1e400",
        b"'a'",
        b"\"\n\"",
        b"\"\\ud800\"",
        b"\"\xff\"",
        b"\xef\xbb\xbf1",
        b"{a:1}",
    ];
    for text in texts {
        let refusal = canonical(text).unwrap_err().to_string();
        assert!(refusal.starts_with("ERR JSON: "), "{}: {refusal}", text.escape_ascii());
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(form(&nested(127)), nested(127));
    for text in [nested(128), "[".repeat(60_000), "{\"a\":".repeat(10_000)] {
        let refusal = canonical(text.as_bytes()).unwrap_err().to_string();
        assert!(refusal.contains("recursion limit"), "{refusal}");
    }
}

fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn the_form_is_the_same_however_the_document_is_written(document in documents()) {
        let compact = form(&document.to_string());
        prop_assert_eq!(&form(&serde_json::to_string_pretty(&document).unwrap()), &compact);
        prop_assert_eq!(&form(&compact), &compact, "the canonical form is its own");
    }

    #[test]
    fn random_text_never_panics(text in "[\\[\\]{}:,\"0-9eE.+\\-a-u\\\\ ]{0,60}") {
        let _ = canonical(text.as_bytes());
    }
}
