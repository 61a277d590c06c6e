use proptest::prelude::*;
use signed_note::{StandardSigner, StandardVerifier, VerifierList};

use super::*;

/// The key and the note that implementations of signed notes share.
const VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const SKEY: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const LINE: &str =
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn secret() -> [u8; 32] {
    let bytes = STANDARD.decode(&SKEY[SKEY.len() - 44..]).expect("base64");
    bytes[1..].try_into().expect("32 bytes")
}

fn keys() -> [NoteKey; 1] {
    [NoteKey::parse(VKEY).expect("vkey")]
}

fn verdict(note: &str, keys: &[NoteKey]) -> Result<String, NoteError> {
    Note::parse(note)?.signed_by(keys).map(|key| key.name().to_owned())
}

#[test]
fn makes_and_verifies_the_published_note() {
    let signer = NoteSigner::new("PeterNeumann", &secret()).expect("signer");
    assert_eq!(signer.key().vkey(), VKEY);
    let note = signer.sign(TEXT).expect("note");
    assert_eq!(note, format!("{TEXT}\n{LINE}"));
    assert_eq!(verdict(&note, &keys()), Ok("PeterNeumann".to_owned()));
    assert!(!format!("{signer:?}").contains(&hex::encode(&secret()[..4])));
}

#[test]
fn reads_the_published_keys_and_refuses_their_manglings() {
    let example = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    for vkey in [VKEY, example, "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"] {
        assert_eq!(NoteKey::parse(vkey).expect("vkey").vkey(), vkey);
    }
    for cut in 0..VKEY.len() {
        assert!(NoteKey::parse(&VKEY[..cut]).is_err(), "cut at {cut}");
        assert!(NoteKey::parse(&VKEY[cut + 1..]).is_err(), "begun behind {cut}");
        let mut changed = VKEY.as_bytes().to_vec();
        changed[cut] += 1;
        assert!(NoteKey::parse(std::str::from_utf8(&changed).expect("ASCII")).is_err(), "changed at {cut}");
    }
    // Another algorithm, and a key too long, each with the hash that goes with it.
    for bytes in [[&[4], &[9; 32][..]].concat(), [&[1], &[9; 33][..]].concat(), vec![]] {
        let id = &Sha256::digest([b"a\n", bytes.as_slice()].concat())[..4];
        assert!(NoteKey::parse(&format!("a+{}+{}", hex::encode(id), STANDARD.encode(&bytes))).is_err());
    }
    let mut identity = [0; 32];
    identity[0] = 1;
    assert!(NoteKey::new("a", &identity).is_err(), "a key of small order");
    for name in ["", "a b", "a+b", "a\u{a0}b", "a\nb", "a\0"] {
        assert!(NoteKey::new(name, &keys()[0].public_key()).is_err(), "{name:?}");
    }
}

#[test]
fn unknown_signatures_are_ignored_and_wrong_ones_of_known_keys_are_not() {
    let note = format!("{TEXT}\n{LINE}");
    let stranger = NoteSigner::new("stranger", &[7; 32]).expect("signer");
    let namesake = NoteSigner::new("PeterNeumann", &[7; 32]).expect("signer");
    let line =
        |signer: &NoteSigner, text: &str| signer.sign(text).expect("note").split_once("\n\n").unwrap().1.to_owned();
    for other in [line(&stranger, "x\n"), line(&namesake, "x\n"), LINE.to_owned()] {
        assert_eq!(verdict(&format!("{TEXT}\n{other}{LINE}"), &keys()), Ok("PeterNeumann".to_owned()));
        assert_eq!(verdict(&format!("{TEXT}\n{LINE}{other}"), &keys()), Ok("PeterNeumann".to_owned()));
    }
    assert_eq!(verdict(&format!("{TEXT}\n{}", line(&namesake, TEXT)), &keys()), Err(NoteError::Unsigned));
    assert_eq!(verdict(&note, &[stranger.key().clone()]), Err(NoteError::Unsigned));
    assert_eq!(verdict(&note, &[]), Err(NoteError::Unsigned));
    let wrong = format!("{}\n{LINE}{}", TEXT.replace("problem is", "problem was"), line(&stranger, TEXT));
    let known = [stranger.key().clone(), keys()[0].clone()];
    assert_eq!(verdict(&wrong, &known), Err(NoteError::Signature("PeterNeumann".to_owned())));
    let wrong_later = format!("{TEXT}\n{LINE}{}", LINE.replace("x08go/ZJ", "x08go/ZK"));
    assert_eq!(verdict(&wrong_later, &keys()), Err(NoteError::Signature("PeterNeumann".to_owned())));
}

#[test]
fn malformed_notes_are_refused() {
    let note = format!("{TEXT}\n{LINE}");
    let many = |signatures| format!("{TEXT}\n{}", LINE.repeat(signatures));
    assert_eq!(verdict(&many(NOTE_SIGNATURES_MAX), &keys()), Ok("PeterNeumann".to_owned()));
    let broken = [
        String::new(),
        "\n\n".to_owned(),
        TEXT.to_owned(),
        format!("{TEXT}{LINE}"),
        format!("{TEXT}\n"),
        format!("{note}\n"),
        note.trim_end().to_owned(),
        note.replace('\n', "\r\n"),
        note.replace("you think", "you\tthink"),
        note.replace('—', "-"),
        note.replace("PeterNeumann x", "PeterNeumann  x"),
        note.replace("PeterNeumann x", "Peter+Neumann x"),
        note.replace("JnAM=", "JnAM"),
        note.replace("JnAM=", "JnAN="),
        note.replace("x08go/ZJ", "x08go_ZJ"),
        format!("{TEXT}\n— PeterNeumann x08gow==\n"),
        many(NOTE_SIGNATURES_MAX + 1),
        format!("{}{note}", "x".repeat(NOTE_BYTES_MAX)),
    ];
    for broken in broken {
        assert!(matches!(verdict(&broken, &keys()), Err(NoteError::Malformed(_))), "{broken:.300}");
    }
    let signer = NoteSigner::new("PeterNeumann", &secret()).expect("signer");
    for text in ["", "no newline", "a\0\n", &"x\n".repeat(NOTE_BYTES_MAX)] {
        assert!(signer.sign(text).is_err(), "{text:.10}");
    }
    assert!(signer.sign("\n\n\n").is_ok(), "empty lines are text too");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn agrees_with_another_implementation(
        lines in prop::collection::vec("[^\u{0}-\u{1f}]*", 1..4),
        name in "[^\\s+\\p{Cc}]{1,12}",
        secret in any::<[u8; 32]>(),
        at in any::<prop::sample::Index>(),
    ) {
        let text = lines.join("\n") + "\n";
        let signer = NoteSigner::new(&name, &secret).expect("signer");
        let note = signer.sign(&text).expect("note");

        let private = STANDARD.encode([&[1], secret.as_slice()].concat());
        let theirs = StandardSigner::new(&format!("PRIVATE+KEY+{name}+{}+{private}", signer.key().id_hex()));
        let mut their_note = signed_note::Note::new(text.as_bytes(), &[]).expect("note");
        their_note.add_sigs(&[&theirs.expect("signer")]).expect("signatures");
        prop_assert_eq!(their_note.to_bytes(), note.clone().into_bytes());

        let vkey = signer.key().vkey();
        prop_assert_eq!(&NoteKey::parse(&vkey).expect("vkey"), signer.key());
        let their_verdict = |note: &[u8]| {
            let keys = VerifierList::new(vec![Box::new(StandardVerifier::new(&vkey).expect("vkey"))]);
            signed_note::Note::from_bytes(note).is_ok_and(|note| note.verify(&keys).is_ok())
        };
        prop_assert!(their_verdict(note.as_bytes()));
        prop_assert_eq!(verdict(&note, &[signer.key().clone()]), Ok(name));

        // Flip one bit anywhere: neither of us takes it, unless what was flipped is still the same text and key.
        let mut flipped = note.clone().into_bytes();
        *at.get_mut(&mut flipped) ^= 1;
        let ours = std::str::from_utf8(&flipped).is_ok_and(|note| verdict(note, &[signer.key().clone()]).is_ok());
        prop_assert!(!ours);
        prop_assert!(!their_verdict(&flipped));
    }
}

proptest! {
    #[test]
    fn never_crashes(text in any::<String>(), note in "(a\n){0,2}\n(— [a+ ]{0,2} [A-Za-z0-9+/=]{0,16}\n){0,3}") {
        let _ = (verdict(&text, &keys()), verdict(&note, &keys()), NoteKey::parse(&text));
    }
}
