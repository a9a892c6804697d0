//! What the senders send: bodies in the shape of Shopify's, Mailgun's and GitHub's webhooks.

use serde_json::json;

use super::delivery::Delivery;
use super::rng::Rng;

/// The sender that floods.
pub const FLOOD: &str = "flash-sale.myshopify.com";

/// One of the `senders` ordinary senders, each of one kind.
pub fn ordinary(chance: &mut Rng, senders: usize) -> Delivery {
    let number = chance.below(senders);
    match number % 3 {
        0 => shopify(chance, format!("shop-{number}.myshopify.com")),
        1 => mailgun(chance, format!("mg.tenant-{number}.example")),
        _ => github(chance, format!("acme-{number}/backend")),
    }
}

/// One more order of the sender that floods.
pub fn flooding(chance: &mut Rng) -> Delivery {
    shopify(chance, FLOOD.into())
}

fn shopify(chance: &mut Rng, sender: String) -> Delivery {
    let topic = *chance.pick(&["orders/create", "orders/paid", "customers/update"]);
    let cents = 100 + chance.below(50_000);
    let body = json!({
        "id": 820_000_000_000u64 + chance.number() % 1_000_000_000,
        "email": format!("buyer{}@example.com", chance.below(10_000)),
        "currency": chance.pick(&["EUR", "USD", "GBP"]),
        "total_price": format!("{}.{:02}", cents / 100, cents % 100),
        "line_items": [{ "sku": format!("SKU-{}", chance.below(500)), "quantity": 1 + chance.below(4) }],
        "customer": { "first_name": chance.pick(&["Zoë", "Łukasz", "Ada", "Grace"]), "note": "thank you \u{1f389}" },
    });
    Delivery {
        id: format!("shopify-{}", chance.uuid()),
        topic: topic.into(),
        sender,
        body: body.to_string().into_bytes(),
    }
}

fn mailgun(chance: &mut Rng, sender: String) -> Delivery {
    // Every fourth is a mail passed on as it came in: Latin-1 text and a binary attachment.
    if chance.below(4) == 0 {
        return Delivery {
            id: format!("mailgun-{}", chance.uuid()),
            topic: "inbound".into(),
            body: raw_mail(chance, &sender),
            sender,
        };
    }
    let topic = *chance.pick(&["delivered", "opened", "failed"]);
    let body = json!({
        "signature": { "timestamp": "1767225600", "token": chance.uuid(), "signature": format!("{:016x}", chance.number()) },
        "event-data": {
            "event": topic,
            "recipient": format!("reader{}@example.org", chance.below(10_000)),
            "message": { "headers": { "message-id": format!("{:x}@{sender}", chance.number()) } },
        },
    });
    Delivery {
        id: format!("mailgun-{}", chance.uuid()),
        topic: topic.into(),
        sender,
        body: body.to_string().into_bytes(),
    }
}

/// Bytes that no UTF-8 text holds, NUL among them.
fn raw_mail(chance: &mut Rng, sender: &str) -> Vec<u8> {
    let mut mail =
        format!("From: post@{sender}\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\n").into_bytes();
    mail.extend_from_slice(b"Sch\xf6ne Gr\xfc\xdfe aus K\xf6ln\r\n\0\x01\x02\xff\xfe");
    mail.extend((0..64).flat_map(|_| chance.number().to_le_bytes()));
    mail
}

fn github(chance: &mut Rng, sender: String) -> Delivery {
    let topic = *chance.pick(&["push", "pull_request", "issues"]);
    let body = json!({
        "ref": "refs/heads/main",
        "after": format!("{:016x}{:016x}", chance.number(), chance.number()),
        "repository": { "full_name": sender, "private": false },
        "pusher": { "name": chance.pick(&["octocat", "hubot", "mona"]) },
        "commits": [{ "message": format!("Fix #{}\n\n\"quoted\" and \\escaped\\", chance.below(9_999)) }],
    });
    Delivery {
        id: format!("github-{}", chance.uuid()),
        topic: topic.into(),
        sender,
        body: body.to_string().into_bytes(),
    }
}
