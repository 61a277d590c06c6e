mod vectors;

use proptest::prelude::*;

use super::*;
use crate::ledger::note::NoteSigner;
use crate::ledger::proof::{Plan, Span};
use crate::ledger::tree::{leaf_hash, root};

const ORIGIN: &str = "example.com/log/one";

fn signer() -> NoteSigner {
    NoteSigner::new("example.com/log", &[7; 32]).expect("signer")
}

fn leaf(seq: u64) -> Vec<u8> {
    format!("{{\"v\":1,\"kind\":\"trace_step\",\"n\":\"{seq}\"}}").into_bytes()
}

/// What a database would answer: leaf hashes, and nodes of level 1 made from them.
fn read(leaf_hashes: &[Digest], span: &Span) -> Vec<Digest> {
    let range = span.from as usize..span.to as usize;
    match span.level {
        0 => leaf_hashes[range].to_vec(),
        _ => range.map(|at| root(leaf_hashes[at * 256..][..256].iter().copied())).collect(),
    }
}

fn receipt(index: u64, size: u64) -> Receipt {
    let leaf_hashes: Vec<Digest> = (0..size).map(|seq| leaf_hash(&leaf(seq))).collect();
    let plan = Plan::inclusion(index, size).expect("plan");
    let answers: Vec<Vec<Digest>> = plan.spans().iter().map(|span| read(&leaf_hashes, span)).collect();
    let proof = plan.hashes(&answers).expect("complete answers");
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size, root: root(leaf_hashes) };
    Receipt { leaf: leaf(index), index, proof, checkpoint: checkpoint.sign(&signer()).expect("note") }
}

fn verdict(text: &str) -> Result<Proven, ReceiptError> {
    Receipt::parse(text)?.verify(&[signer().key().clone()], Some(ORIGIN))
}

/// The example of C2SP tlog-proof. Its signatures and its extra data are cut short there, and are made whole here.
fn example() -> String {
    let signature = STANDARD.encode([1; 68]);
    format!(
        "c2sp.org/tlog-proof@v1\nextra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6\nindex 73894\n\
         gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\nB95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=\n\
         EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=\nRoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=\n\
         AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=\n\nexample.com/fancylog\n109482\n\
         sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=\n\n— example.com/fancylog {signature}\n\
         — witness1.example {signature}\n"
    )
}

#[test]
fn reads_and_writes_the_published_example() {
    let text = example();
    let receipt = Receipt::parse(&text).expect("receipt");
    assert_eq!((receipt.index, receipt.proof.len()), (73_894, 5));
    assert!(receipt.leaf == b"age-v1.2.1-darwin-arm64.tar.gz");
    assert_eq!(receipt.proof[0].to_hex()[..16], *"8122b25e86195206");
    assert_eq!(receipt.to_text(), text);
    let verdict = receipt.verify(&[signer().key().clone()], None);
    assert!(verdict.is_err_and(|error| error.is_unknown()));
}

#[test]
fn shows_the_leaf_the_index_and_the_checkpoint() {
    let text = receipt(3, 1_000).to_text();
    let proven = verdict(&text).expect("valid");
    assert_eq!((proven.leaf.clone(), proven.index, proven.checkpoint.size), (leaf(3), 3, 1_000));
    assert_eq!(proven.leaf_hash, leaf_hash(&leaf(3)));
    assert_eq!(proven.signer, "example.com/log");
    let other_log =
        Receipt::parse(&text).expect("receipt").verify(&[signer().key().clone()], Some("example.com/log/two"));
    assert_eq!(other_log, Err(ReceiptError::Origin(ORIGIN.to_owned())));
    let other_key = NoteSigner::new("example.com/log", &[8; 32]).expect("signer");
    let verdict = Receipt::parse(&text).expect("receipt").verify(&[other_key.key().clone()], None);
    assert!(verdict.is_err_and(|error| error.is_unknown()));
}

#[test]
fn a_log_of_one_record_has_an_empty_proof() {
    let text = receipt(0, 1).to_text();
    assert!(text.contains("index 0\n\nexample.com") && verdict(&text).is_ok());
}

#[test]
fn refuses_every_other_form() {
    let text = receipt(700, 1_000).to_text();
    assert!(verdict(&text).is_ok());
    let extra = text.lines().nth(1).expect("extra");
    let hash = text.lines().nth(3).expect("a hash").to_owned() + "\n";
    let broken = [
        String::new(),
        text.replace("@v1", "@v2"),
        text.replace(extra, "extra "),
        text.replace(&format!("{extra}\n"), ""),
        text.replace("extra ", "extra  "),
        text.replace("index 700", "index 0700"),
        text.replace("index 700", "index +700"),
        text.replace("index 700\n", ""),
        text.replace("index 700", "Index 700"),
        text.replace("index 700", "index 9223372036854775808"),
        text.replace(&hash, &hash.repeat(RECEIPT_HASHES_MAX + 1)),
        text.replace(&hash, "AAAA\n"),
        text.replace(&hash, &hash.replace('=', "")),
        text.replace('\n', "\r\n"),
        text.replacen("\n\n", "\n", 1),
        format!("{text}\n"),
        format!(" {text}"),
        text.replace(extra, &format!("extra {}", "A".repeat(RECEIPT_BYTES_MAX))),
    ];
    for broken in broken {
        let refused = matches!(verdict(&broken), Err(ReceiptError::Malformed(_) | ReceiptError::Checkpoint(_)));
        assert!(refused, "{broken:.200}");
    }
}

#[test]
fn the_size_is_the_checkpoints_and_not_the_proofs() {
    // The proof of the first leaf has one shape for sizes 5 to 8, so only the signature tells them apart.
    let five = receipt(0, 5);
    let text = five.to_text();
    for size in 6..=8 {
        assert!(proof::is_included(
            leaf_hash(&five.leaf),
            0,
            size,
            verdict(&text).expect("valid").checkpoint.root,
            &five.proof
        ));
        let forged = text.replace("\n5\n", &format!("\n{size}\n"));
        assert!(matches!(verdict(&forged), Err(ReceiptError::Checkpoint(NoteError::Signature(_)))), "{size}");
    }
    let mixed = Receipt { checkpoint: receipt(0, 6).checkpoint, ..five };
    assert!(matches!(verdict(&mixed.to_text()), Err(ReceiptError::NotIncluded { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn nothing_that_was_changed_verifies(
        (size, index) in (1_u64..600).prop_flat_map(|size| (Just(size), 0..size)),
        bits in prop::collection::vec((any::<prop::sample::Index>(), 0_u32..8), 8),
        cut in any::<prop::sample::Index>(),
        other in 0_u64..600,
    ) {
        let honest = receipt(index, size);
        let text = honest.to_text();
        let proven = verdict(&text).expect("valid");
        prop_assert_eq!((proven.leaf, proven.index, proven.checkpoint.size), (leaf(index), index, size));
        prop_assert_eq!(&Receipt::parse(&text).expect("receipt"), &honest);

        for (at, bit) in bits {
            let mut flipped = text.clone().into_bytes();
            *at.get_mut(&mut flipped) ^= 1 << bit;
            prop_assert!(!std::str::from_utf8(&flipped).is_ok_and(|text| verdict(text).is_ok()));
        }
        let end = (0..=cut.index(text.len())).rev().find(|at| text.is_char_boundary(*at)).expect("0 is one");
        prop_assert!(verdict(&text[..end]).is_err());
        let elsewhere = Receipt { index: other, ..honest.clone() };
        prop_assert!(other == index || verdict(&elsewhere.to_text()).is_err());
        let another_leaf = Receipt { leaf: leaf(other), ..honest.clone() };
        prop_assert!(other == index || verdict(&another_leaf.to_text()).is_err());
        if honest.proof.len() > 1 {
            let mut swapped = honest.clone();
            let at = 1 + cut.index(honest.proof.len() - 1);
            swapped.proof.swap(at - 1, at);
            prop_assert!(verdict(&swapped.to_text()).is_err());
        }
        let mut longer = honest.clone();
        longer.proof.push(Digest([0; 32]));
        prop_assert!(verdict(&longer.to_text()).is_err());
    }
}

proptest! {
    #[test]
    fn never_crashes(text in any::<String>(), lines in prop::collection::vec("(extra |index |)[A-Za-z0-9+/=]{0,50}", 0..9)) {
        let _ = (Receipt::parse(&text), Receipt::parse(&format!("{FIRST_LINE}\n{}", lines.join("\n"))));
    }
}
